"""Where code changes a tensor in place."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.in_place._screen import writes_new_memory, writes_no_tensor
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import is_module_class
from autofix.flow.syntax import is_true, keyword, unsubscripted
from autofix.flow.values import Kind
from autofix.flow.writes import NOT_WRITES

NAMES = frozenset({"inplace"})
TRIGGER = r"[-+*/%]=(?!=)|_\(|True\)|\]\s*=(?!=)"
_INITIALISERS = "torch.nn.init."
"""They write without gradient mode."""
NODES = (ast.Assign, ast.AugAssign, ast.Call)


@dataclass(frozen=True, slots=True)
class Place:
    """One write."""

    node: ast.expr | ast.stmt
    """What is reported: the assignment, or the call."""
    target: ast.expr
    """The expression whose tensor is written; the call that makes a module working in place."""
    base: ast.expr
    """`x` of the target `x[0][1]`."""
    statement: ast.stmt
    is_module: bool = False


@functools.lru_cache(maxsize=8)  # each of the rules asks of the same node
def places(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> tuple[Place, ...]:
    """The writes that a statement or call makes itself, by its syntax."""
    return tuple(_places(node, facts))


def _places(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Place]:
    if isinstance(node, ast.Call):
        yield from _called(node, facts)
        return
    targets = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
    for target in targets:  # grows while it is read
        if isinstance(target, (ast.Tuple, ast.List)):
            targets += target.elts
        elif isinstance(target, ast.Subscript) or isinstance(node, ast.AugAssign):
            if writes_no_tensor(node, target, facts) or writes_new_memory(target, node, facts):
                continue
            if any(map(facts.may_hold_tensor, {unsubscripted(target), _written(node, target)})):
                yield Place(node, target, _tensor_of(target, facts), node)


def _written(node: ast.Assign | ast.AugAssign, target: ast.expr) -> ast.expr:
    """`gains["a"]` of `gains["a"] *= 2`, which may be a tensor in a dict; `n["a"] += 1` counts."""
    if not isinstance(node, ast.AugAssign):
        return unsubscripted(target)
    counts = isinstance(node.op, ast.Add) and isinstance(node.value, ast.Constant)
    return unsubscripted(target) if counts else target


def _called(node: ast.Call, facts: Facts) -> Iterator[Place]:
    name = last_name(node.func)
    if name is None:
        return
    flag = flag_of(node)
    if flag is None and (not name.endswith("_") or name.endswith("__") or name in NOT_WRITES):
        return
    statement = facts.index.statement_of(node)
    if statement is None:
        return
    if flag is not None:
        dotted = facts.library_name(node.func)
        if dotted is not None and is_module_class(dotted):
            yield Place(node, node, node, statement, is_module=True)
        elif dotted is not None and node.args:
            yield Place(node, node.args[0], _tensor_of(node.args[0], facts), statement)
        return
    if isinstance(node.func, ast.Attribute):
        if writes_new_memory(node.func.value, statement, facts):
            return
        op = torch_api.method(name)
        known = op is not None and op.alias == "self" and facts.may_hold_tensor(node.func.value)
        if known and not facts.may_be_library(node.func):
            yield Place(node, node.func.value, _tensor_of(node.func.value, facts), statement)
            return
    dotted = facts.library_name(node.func)
    if dotted is None or dotted.startswith(_INITIALISERS):
        return
    if node.args and torch_api.function(dotted) is not None:
        yield Place(node, node.args[0], _tensor_of(node.args[0], facts), statement)


def _tensor_of(target: ast.expr, facts: Facts) -> ast.expr:
    """`x` of `x[0][1]`, if that is no list or dict of tensors: then `x[0]`."""
    while isinstance(target, ast.Subscript):
        if facts.value(target.value).kind in (Kind.SEQUENCE, Kind.DICT):
            break
        target = target.value
    return target


def flag_of(node: ast.Call) -> ast.expr | None:
    """The `True` that makes a function or module work in place, as in `nn.ReLU(True)`."""
    flag = keyword(node, "inplace")
    if is_true(flag):
        return flag
    name = last_name(node.func) or ""
    if name[:1].isupper() and node.args and is_true(node.args[-1]):
        return node.args[-1] if torch_api.inplace_position(name) == len(node.args) - 1 else None
    return None
