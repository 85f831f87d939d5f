"""A sum or a list that a loop gathers, and of which every turn cuts what the turns before gave."""

from __future__ import annotations

import ast

from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in

_JOINING = frozenset({"cat", "concat", "concatenate", "stack", "vstack", "hstack", "add"})
_LOOKED_AT = frozenset({"item", "shape", "size", "numel", "dim", "ndim", "dtype"})


def is_gathered(node: ast.expr, source: ast.expr, demand: Demand, facts: Facts) -> bool:
    """`total = total.detach() + loss`, `outs = torch.cat([outs.data, out])` in a loop that reads
    the name for nothing else: no state that goes into the next turn, where such a stop would be
    truncated backpropagation, but results, of which only the last turn's have a gradient."""
    statement = facts.index.statement_of(node)
    loops = facts.index.loops_around(statement) if statement is not None else []
    if not isinstance(statement, ast.Assign) or not isinstance(source, ast.Name) or not loops:
        return False
    match statement.targets:
        case [ast.Name(id=name)] if name == source.id:
            pass
        case _:
            return False
    loop = loops[0]
    if loop.lineno <= demand.line <= (loop.end_lineno or 0):
        return False
    return _is_joined(node, statement, facts) and not _is_read(source, loop, facts)


def _is_joined(node: ast.expr, statement: ast.Assign, facts: Facts) -> bool:
    """Does it become part of the new value as it is?"""
    at: ast.AST = node
    while at is not statement:
        above = facts.index.parents[at]
        match above:
            case ast.BinOp(op=ast.Add()) | ast.List() | ast.Tuple() | ast.Assign():
                pass
            case ast.IfExp(test=test) if test is not at:
                pass
            case ast.Call(func=func) if last_name(func) in _JOINING:
                pass
            case ast.Attribute(attr=attr) if attr in _JOINING:
                pass
            case _:
                return False
        at = above
    return True


def _is_read(source: ast.Name, loop: ast.stmt, facts: Facts) -> bool:
    """Does the loop read the name for more than its next value, a report or a test?"""
    inside = set(ast.walk(loop))
    for load in uses_in(facts).names.all_loads(source):
        if load is source or load not in inside:
            continue
        above = facts.index.parents[load]
        if isinstance(above, ast.Attribute) and above.attr in _LOOKED_AT:
            continue
        if not isinstance(above, ast.Compare):
            return True
    return False
