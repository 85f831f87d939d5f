"""May a statement be run later, behind others, without any of them telling the difference?"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode
from autofix.flow.stages import callee
from autofix.flow.syntax import calls_in
from autofix.flow.unit import is_foreign
from autofix.flow.uses import ADDING
from autofix.flow.walk import walk

_CHANGING = ADDING | {"pop", "popleft", "remove", "clear", "insert", "put"}


def may_change_places(statement: ast.stmt, others: Sequence[ast.stmt], facts: Facts) -> bool:
    """Does neither what a statement does nor what the others do leave anything behind, in a
    variable, an attribute or a container, that the other side reads?"""
    mine, theirs = _parts([statement], facts), _parts(others, facts)
    return not (_written(mine) & _named(theirs) or _written(theirs) & _named(mine))


def _parts(statements: Sequence[ast.stmt], facts: Facts) -> list[ast.AST]:
    """The statements, and the functions of this file that they call. Their own variables are
    nobody's business: only what they declare `global` or `nonlocal` counts among their names."""
    found: list[ast.AST] = [n for one in statements for n in walk(one)]
    for function in run_by(statements, facts):
        shared = {
            name
            for n in walk(function)
            if isinstance(n, (ast.Global, ast.Nonlocal))
            for name in n.names
        }
        bound = facts.index.bound_names(function) - shared
        found += [n for n in walk(function) if not (isinstance(n, ast.Name) and n.id in bound)]
    return found


def run_by(statements: Sequence[ast.stmt], facts: Facts) -> list[FunctionNode]:
    found: list[FunctionNode] = []
    todo: list[ast.AST] = list(statements)
    for one in todo:  # grows while it is read
        for call in calls_in(one):
            known = callee(call.func, facts)
            if known is not None and known[0] not in found and not is_foreign(known[0]):
                found.append(known[0])
                todo.append(known[0])
    return found


def _written(nodes: Sequence[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Subscript(value=owner, ctx=ast.Store()):
                found |= _named([owner])
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in _CHANGING:
                found |= _named([owner])
    return found - {"grad"}


def _named(nodes: Sequence[ast.AST]) -> set[str]:
    names = {n.id for n in nodes if isinstance(n, ast.Name)}
    return names | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
