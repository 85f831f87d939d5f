"""Results that a change gives a name to, and that nothing reads under it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_SIZES = frozenset(
    "len range size dim numel shape ndim enumerate device dtype argmax argmin".split()
)
_BUFFERS = frozenset("zeros empty zeros_like empty_like list dict".split())


@dataclass(frozen=True, slots=True)
class Store:
    """A name is bound to a value, and not read afterwards."""

    scope: str
    name: str
    value: str
    """As `ast.dump` has it."""
    text: str


def unread(old: ast.Module, new: ast.Module) -> list[Store]:
    """Those that the change has brought."""
    known = {(one.scope, one.name) for one in _stores(old)}
    return [one for one in _stores(new) if (one.scope, one.name) not in known]


def thrown_away(tree: ast.Module) -> set[str]:
    """The values of statements that keep nothing, as `ast.dump` has them."""
    return {ast.dump(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _stores(tree: ast.Module) -> Iterator[Store]:
    for name, scope in _scopes(tree, ""):
        shared = {
            one
            for node in ast.walk(scope)
            if isinstance(node, ast.Global | ast.Nonlocal)
            for one in node.names
        }
        for node, loops in _assigned(scope.body, ()):
            target = node.targets[0]
            assert isinstance(target, ast.Name)
            if target.id in shared or _is_scaffold(node.value):
                continue
            if not _is_read(target.id, node, loops, scope):
                yield Store(name, target.id, ast.dump(node.value), ast.unparse(node.value))


def _is_scaffold(value: ast.expr) -> bool:
    """What a loop needs that a repair may do without: sizes, and places for results."""
    if isinstance(value, ast.List | ast.Dict) or getattr(value, "value", ...) is None:
        return True
    called = value.func if isinstance(value, ast.Call) else None
    if getattr(called, "attr", getattr(called, "id", "")) in _BUFFERS:
        return True
    names = (getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(value))
    return any(name in _SIZES for name in names)


def _scopes(tree: Scope | ast.ClassDef, name: str) -> Iterator[tuple[str, Scope]]:
    if not isinstance(tree, ast.ClassDef):
        yield name, tree
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS) and node is not tree:
            yield f"{name}.{node.name}", node


def _assigned(
    block: Sequence[ast.stmt], loops: tuple[ast.stmt, ...]
) -> Iterator[tuple[ast.Assign, tuple[ast.stmt, ...]]]:
    """The assignments to a plain name of one scope, with the loops around each."""
    for node in block:
        if isinstance(node, ast.Assign):
            if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                yield node, loops
            continue
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            continue
        inner = (*loops, node) if isinstance(node, _LOOPS) else loops
        for field in ("body", "orelse", "finalbody"):
            yield from _assigned(getattr(node, field, ()), inner)
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            yield from _assigned(part.body, inner)


def _is_read(name: str, at: ast.Assign, loops: tuple[ast.stmt, ...], scope: Scope) -> bool:
    """Whether something may read what was bound: what follows, an inner function, or the next
    turn of a loop that does not bind the name anew."""
    binding = next((loop for loop in loops if name in _targets(loop)), None)
    for node in ast.walk(scope):
        if not isinstance(node, ast.Name) or node.id != name or isinstance(node.ctx, ast.Store):
            continue
        after = (node.lineno, node.col_offset) > (at.end_lineno or 0, at.end_col_offset or 0)
        again = binding is None or not _within(node, binding)
        if after or (again and any(_within(node, loop) for loop in loops)):
            return True
    inner = (node for node in ast.walk(scope) if isinstance(node, (*_FUNCTIONS, ast.Lambda)))
    return any(
        isinstance(part, ast.Name) and part.id == name
        for node in inner
        if node is not scope
        for part in ast.walk(node)
    )


def _targets(loop: ast.stmt) -> set[str]:
    target = getattr(loop, "target", None)
    nodes = ast.walk(target) if target is not None else ()
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _within(node: ast.Name, loop: ast.stmt) -> bool:
    return loop.lineno <= node.lineno <= (loop.end_lineno or loop.lineno)


_COPIES = frozenset("clone detach copy deepcopy".split())


def lost_writes(old: ast.Module, new: ast.Module) -> Iterator[str]:
    """A copy under an old name that is only written to: what was written there before is lost."""
    known = {ast.dump(node) for node in ast.walk(old) if isinstance(node, ast.Assign)}
    ignored = _ignored(new)
    for _, scope in _scopes(new, ""):
        for node, _loops in _assigned(scope.body, ()):
            name = node.targets[0]
            if ast.dump(node) in known or not isinstance(name, ast.Name) or not _copies(node.value):
                continue
            name_of = getattr(scope, "name", None)
            uses = [one for one in _uses(scope, name.id) if one.lineno > (node.end_lineno or 0)]
            written = [one for one in uses if _is_write(one, scope)]
            rest = [one for one in uses if one not in written]
            returned = bool(rest) and name_of in ignored and _only_returned(rest, scope)
            if written and (not rest or returned):
                yield f"`{name.id}` is a copy that is written to, and that nothing reads"


def _copies(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) in _COPIES


def _uses(scope: Scope, name: str) -> list[ast.Name]:
    nodes = (node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id == name)
    return [node for node in nodes if isinstance(node.ctx, ast.Load)]


def _is_write(use: ast.Name, scope: Scope) -> bool:
    """`x[..] = y`, `x[..] -= y`, `x.f_(y)` or `x.flag = y`, as a statement."""
    for node in ast.walk(scope):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            in_place = isinstance(called, ast.Attribute) and called.attr.endswith("_")
            targets = [called] if in_place else []
        for target in targets:
            if isinstance(target, ast.Subscript | ast.Attribute) and target.value is use:
                return True
    return False


def _only_returned(uses: Sequence[ast.Name], scope: Scope) -> bool:
    returned = [node.value for node in ast.walk(scope) if isinstance(node, ast.Return)]
    return all(any(one is value for value in returned) for one in uses)


def _ignored(tree: ast.Module) -> set[str]:
    """Functions whose result no call makes use of."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    named = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    used = {
        node.func.id for node in calls if isinstance(node.func, ast.Name) and id(node) not in alone
    }
    return named - used
