"""Whether the statements of a turn run more than once."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import Graphs
from autofix.flow.class_table import Method
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in

_DEPTH = 3
_MADE = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)


def is_repeated(graphs: Graphs, turn: ast.stmt | None) -> bool:
    """Does the turn run again, as that of a loop does, or a function that others call?"""
    if turn is not None:
        return True
    if isinstance(graphs.scope, ast.Module):
        return False
    return _is_called_again(graphs.facts, graphs.scope, _DEPTH)


def _is_called_again(facts: Facts, function: Method, depth: int) -> bool:
    calls = uses_in(facts).calls_of(function)
    if not calls or not depth:
        return True
    if len(calls) > 1:
        return True
    if facts.index.loops_around(calls[0]) or _is_comprised(facts, calls[0]):
        return True
    around = facts.index.function_of(calls[0])
    if around is None or around is function or _is_made_for_it(facts, calls[0], around):
        return False
    return _is_called_again(facts, around, depth - 1)


def _is_made_for_it(facts: Facts, call: ast.Call, around: Method) -> bool:
    """`Trainer().step(x)`, or `step(x)` of what the function has just made"""
    part = call.func
    while isinstance(part, ast.Attribute):
        part = part.value
    if not isinstance(part, ast.Name):
        return True
    arguments = {a.arg for a in ast.walk(around.args) if isinstance(a, ast.arg)}
    return part.id in facts.index.bound_names(around) - arguments


def _is_comprised(facts: Facts, call: ast.Call) -> bool:
    return any(isinstance(n, _MADE) for n in facts.index.ancestors(call))
