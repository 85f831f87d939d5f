"""May a tensor get a new home under its name, or does someone else look at its memory?"""

from __future__ import annotations

import ast

from autofix.codemods.in_place._places import Place
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.writes import Write
from autofix.rewrite.liveness import read_later


def is_private(place: Place, write: Write, facts: Facts) -> bool:
    """Nothing but the name of the tensor refers to its memory and is read later."""
    if not isinstance(place.base, ast.Name) or write.escapes:
        return False
    name = place.base.id
    if write.handed or not _is_bound_here(name, place, facts):
        return False
    return not any(
        other != name and read_later(other, place.statement, facts) for other in write.names
    )


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
