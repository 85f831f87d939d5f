"""Which arguments an `__init__` hands on to that of its base class, by their names."""

from __future__ import annotations

import ast

from autofix.codemods.modules._initialiser import base_calls, base_initialiser, own_initialiser
from autofix.flow.class_table import ClassTable, Method
from autofix.flow.facts import Facts
from autofix.flow.syntax import all_arguments


def handed_on(base: ast.FunctionDef | None, method: Method) -> str | None:
    """The arguments for the `__init__` of the base class; None if they cannot be told.

    One with a default is handed on as well: who takes an argument of the same name means it."""
    if base is None:
        return ""
    spec, own = base.args, method.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)][1:]
    needed = names[: len(names) - len(spec.defaults)] if spec.defaults else list(names)
    keyword_only = [a.arg for a in spec.kwonlyargs]
    pairs = zip(keyword_only, spec.kw_defaults, strict=True)
    needed += [name for name, default in pairs if default is None]
    mine = {a.arg for a in (*own.args, *own.kwonlyargs)}
    rest = _unread(own.kwarg, method)
    if any(name not in mine for name in needed) and not rest:
        return None
    given: list[str] = []
    for at, name in enumerate((*names, *keyword_only)):
        if name in mine:
            bare = at == len(given) and at < len(names)
            given.append(name if bare else f"{name}={name}")
    if rest and (names or keyword_only or spec.kwarg):
        given.append(f"**{rest}")
    return ", ".join(given)


def _unread(spec: ast.arg | None, method: Method) -> str | None:
    """The name of a `**kwargs` that the method makes no use of itself."""
    if spec is None:
        return None
    names = (node.id for node in ast.walk(method) if isinstance(node, ast.Name))
    return None if spec.arg in names else spec.arg


def gets_arguments(facts: Facts, table: ClassTable, base: ast.FunctionDef) -> bool:
    """Does another class of this file hand arguments to the same `__init__` of a base class?"""
    for other in list(facts.program.classes.values()):
        if other.node is table.node or base in other.node.body:
            continue
        method = own_initialiser(other.node)
        if method is None or base_initialiser(facts.class_table(other.node)) is not base:
            continue
        calls = (call.node for call in base_calls(facts, method))
        if any(isinstance(call, ast.Call) and all_arguments(call) for call in calls):
            return True
    return False
