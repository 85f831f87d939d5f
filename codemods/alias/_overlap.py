"""Do the turns of a loop look at the same elements of a tensor again?"""

from __future__ import annotations

import ast

from autofix.codemods.alias._read_again import is_run_by
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.walk import walk

_ONLY_SHOWN = frozenset({"print", "range", "len", "log", "info", "set_description", "append"})


def is_another_part(
    facts: Facts,
    loop: ast.stmt,
    name: ast.Name,
    bound: ast.arg | ast.Name,
    function: FunctionNode | None,
) -> bool | None:
    """Whether the part that a turn takes only overlaps with that of the turn before. None if each
    turn takes a part of its own, False if all turns take the same, or some at random."""
    targets = loop.target if isinstance(loop, (ast.For, ast.AsyncFor)) else None
    if targets is None:
        return False
    varies = _derived(loop, {n.id for n in walk(targets) if isinstance(n, ast.Name)})
    if not isinstance(bound, ast.arg) and loop in facts.index.ancestors(bound):
        if bound in walk(targets):
            return None
        statement = facts.index.statement_of(bound)
        value = getattr(statement, "value", getattr(statement, "iter", None))
        if value is None or not _names(value) & varies:
            return False
        return True if _overlaps(loop, value) else None
    calls = [call for call in calls_in(loop) if last_name(call.func) not in _ONLY_SHOWN]
    mine = [call for call in calls if function is not None and is_run_by(facts, call, function)]
    given = [argument for call in mine or calls for argument in all_arguments(call)]
    used = [g for g in given if _names(g) & varies]
    if not used:
        return False
    return True if all(_overlaps(loop, g) for g in used) else None


def _derived(loop: ast.stmt, names: set[str]) -> set[str]:
    """What a turn computes from these, with them."""
    found = set(names)
    while True:
        new = {
            n.id
            for node in walk(loop)
            if isinstance(node, (ast.Assign, ast.For)) and node is not loop
            for source in [node.value if isinstance(node, ast.Assign) else node.iter]
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if _names(source) & found
            for n in walk(target)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        if new <= found:
            return found
        found |= new


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


def _overlaps(loop: ast.stmt, value: ast.expr) -> bool:
    """`series[t - 6 : t]` in `for t in range(6, n):`"""
    match loop:
        case ast.For(target=ast.Name(id=at), iter=ast.Call(func=ast.Name(id="range"), args=bounds)):
            step = _number(bounds[2]) if len(bounds) > 2 else 1
        case _:
            return False
    parts = [n for n in walk(value) if isinstance(n, ast.Slice)]
    for part in parts:
        width = _width(part, at)
        if step is not None and width is not None and width > step:
            return True
    return False


def _width(part: ast.Slice, at: str) -> float | None:
    """How many elements `t - 6 : t` and `t : t + k` are; a name stands for more than one."""
    low, high = part.lower, part.upper
    match low, high:
        case ast.Name(id=a), ast.BinOp(op=ast.Add(), left=ast.Name(id=b), right=size) if a == b:
            pass
        case ast.BinOp(op=ast.Sub(), left=ast.Name(id=a), right=size), ast.Name(id=b) if a == b:
            pass
        case _:
            return None
    return _number(size, 2.0) if a == at else None


def _number(node: ast.expr, otherwise: float | None = None) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    return otherwise
