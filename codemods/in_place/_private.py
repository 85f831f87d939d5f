"""May a tensor get a new home under its name, or does someone else look at its memory?"""

from __future__ import annotations

import ast

from autofix.codemods.in_place._places import Place
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.unit import is_foreign
from autofix.flow.writes import Write
from autofix.rewrite.liveness import read_later


def is_private(place: Place, write: Write, facts: Facts) -> bool:
    """Nothing but the name of the tensor refers to its memory and is read later."""
    if not isinstance(place.base, ast.Name) or write.escapes:
        return False
    name = place.base.id
    if not _is_bound_here(name, place, facts):
        return False
    if (write.handed or write.held) and not _is_left_by_callers(place, write, facts):
        return False
    return not any(
        other != name and read_later(other, place.statement, facts) for other in write.names
    )


def _is_left_by_callers(place: Place, write: Write, facts: Facts) -> bool:
    """Are all callers known, and does none of them read again what it has handed over?"""
    function = facts.index.function_of(place.statement)
    if function is None or not facts.knows_callers(function):
        return False
    return not any(is_foreign(call) or _reads_again(name, call, facts) for call, name in write.held)


def _reads_again(name: str, call: ast.AST, facts: Facts) -> bool:
    """May a name that a caller hands over be read after the call, or by another turn of it?"""
    statement = facts.index.statement_of(call)
    between = facts.index.ancestors(call)
    if statement is None or any(isinstance(n, _REPEATED) for n in between if n is not statement):
        return True
    inside = set(ast.walk(call))
    mine = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
    if any(isinstance(n.ctx, ast.Load) and n not in inside for n in mine):
        return True
    for loop in facts.index.loops_around(statement):
        stored = (n for n in ast.walk(loop) if isinstance(n, ast.Name) and n.id == name)
        if not any(isinstance(n.ctx, ast.Store) for n in stored):
            return True
    bound = isinstance(statement, ast.Assign) and any(n in statement.targets for n in mine)
    return not bound and read_later(name, statement, facts)


_REPEATED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def _is_bound_here(name: str, place: Place, facts: Facts) -> bool:
    """Is the name a variable of this very function (or of the module, outside of functions)?"""
    function = facts.index.function_of(place.statement)
    owner = facts.index.parents.get(place.statement)
    if function is None:
        return not any(
            isinstance(o, ast.ClassDef) for o in facts.index.ancestors(place.statement)
        ) and not isinstance(owner, FUNCTIONS)
    nodes = facts.index.body_nodes(function)
    if any(isinstance(n, (ast.Global, ast.Nonlocal)) and name in n.names for n in nodes):
        return False
    return any(
        isinstance(n, ast.Name)
        and n.id == name
        and isinstance(n.ctx, ast.Store)
        and facts.index.function_of(n) is function
        for n in nodes
    ) or any(isinstance(n, ast.arg) and n.arg == name for n in ast.walk(function.args))
