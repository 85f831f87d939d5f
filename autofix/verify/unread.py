"""Results that a change gives a name to, and that nothing reads under it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import Index, last_name
from autofix.flow.reaching import Names
from autofix.flow.values import Kind, Value

_COPIES = frozenset("clone detach copy deepcopy".split())


def unread(old: Facts, new: Facts) -> Iterator[tuple[str, str]]:
    """Names that nothing reads now, with what is bound to them: tensors that the change computes
    for nothing. A repair may do without sizes, copies for a log and places for results."""
    found = [one for one in _unread(Names(new.index)) if _is_computed(one[2])]
    known = {one[:2] for one in _unread(Names(old.index))} if found else set()
    for scope, name, value in found:
        if (scope, name) not in known and _is_tensor(new.value(value)):
            yield name, ast.unparse(value)


def thrown(old: Facts, new: Facts) -> Iterator[str]:
    """New statements that compute a tensor, and keep it nowhere."""
    known = {ast.dump(node) for node in old.index.of_kind(ast.Expr)}
    for node in new.index.of_kind(ast.Expr):
        call = node.value
        if not isinstance(call, ast.Call) or ast.dump(node) in known or not _is_computed(call):
            continue
        op = _operation(call)
        if op is not None and op.alias is None and _is_tensor(new.value(call)):
            yield ast.unparse(call)


def _unread(names: Names) -> Iterator[tuple[str, str, ast.expr]]:
    """The function, the name, and what is bound to it."""
    index = names.index
    shared = {name for node in index.of_kind(ast.Global) for name in node.names}
    shared |= {name for node in index.of_kind(ast.Nonlocal) for name in node.names}
    for node, target in _assigned(index):
        if target.id in shared or target.id.startswith("_"):
            continue
        added = any(
            isinstance(index.parents[store], ast.AugAssign) for store in names.stores(target)
        )
        later = any(
            isinstance(node, ast.Lambda)
            for load in names.all_loads(target)
            for node in index.ancestors(load)
        )
        if not (added or later or names.loads(target) or names.next_turn(target)):
            owner = index.function_of(target)
            yield owner.name if owner is not None else "", target.id, node.value


def _assigned(index: Index) -> Iterator[tuple[ast.Assign, ast.Name]]:
    """The assignments to a plain name, but for those that make an attribute of a class."""
    for node in index.of_kind(ast.Assign):
        target = node.targets[0]
        plain = len(node.targets) == 1 and isinstance(target, ast.Name)
        if plain and (index.function_of(node) is not None or index.class_of(node) is None):
            assert isinstance(target, ast.Name)
            yield node, target


def _is_computed(value: ast.expr) -> bool:
    """Whether it is the result of an operation that a gradient goes through, and nothing more: a
    call of anything else may be made for what it does."""
    operations = [_operation(node) for node in ast.walk(value) if isinstance(node, ast.Call)]
    if None in operations or not isinstance(value, ast.BinOp | ast.UnaryOp | ast.Call):
        return False
    return not isinstance(value, ast.Call) or (operations[0] is not None and operations[0].grad)


def _operation(call: ast.Call) -> torch_api.Op | None:
    """By its last name: as a function of torch, or as a method of a tensor."""
    name = last_name(call.func)
    if name is None:
        return None
    spelled = (f"torch.{name}", f"torch.nn.functional.{name}")
    return torch_api.method(name) or next(filter(None, map(torch_api.function, spelled)), None)


def _is_tensor(value: Value) -> bool:
    return value.kind == Kind.TENSOR and not (value.dtype or "float").startswith(("int", "bool"))


def lost_writes(old: Names, new: Names) -> Iterator[str]:
    """A copy under an old name that is only written to: what was written there before is lost."""
    known = {ast.dump(node) for node in old.index.of_kind(ast.Assign)}
    index = new.index
    for node, target in _assigned(index):
        copied = isinstance(node.value, ast.Call) and last_name(node.value.func) in _COPIES
        if not copied or ast.dump(node) in known:
            continue
        loads = new.loads(target)
        rest = [one for one in loads if not _is_write(one, index)]
        if len(rest) < len(loads) and (not rest or _is_ignored(rest, new)):
            yield f"`{target.id}` is a copy that is written to, and that nothing reads"


def _is_write(use: ast.Name, index: Index) -> bool:
    """`x[..] = y`, `x[..] -= y`, `x.f_(y)` or `x.flag = y`, as a statement."""
    part = index.parents[use]
    if not isinstance(part, ast.Subscript | ast.Attribute) or part.value is not use:
        return False
    if isinstance(part.ctx, ast.Store):
        return True
    call = index.parents[part]
    in_place = isinstance(part, ast.Attribute) and part.attr.endswith("_")
    called = isinstance(call, ast.Call) and call.func is part
    return in_place and called and isinstance(index.parents[call], ast.Expr)


def _is_ignored(uses: Sequence[ast.Name], names: Names) -> bool:
    """Whether these are only what a function returns, and no call makes use of that."""
    index, owner = names.index, names.index.function_of(uses[0])
    calls = names.calls.get(owner.name, []) if owner is not None else []
    alone = bool(calls) and all(isinstance(index.parents[one], ast.Expr) for one in calls)
    return alone and all(isinstance(index.parents[one], ast.Return) for one in uses)
