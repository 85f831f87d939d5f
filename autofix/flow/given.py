"""What a call gives to the arguments of a function, by the syntax."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope, handles
from autofix.flow.index import FunctionNode
from autofix.flow.syntax import argument
from autofix.flow.uses import uses_in

_DEPTH = 4
"""Functions that hand an argument on."""


def given_to(facts: Facts, function: FunctionNode, call: ast.Call, name: str) -> ast.expr | None:
    """What a call gives for an argument of a function: the object for `self`, the default if it
    gives nothing. None if that is not to be seen."""
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    bound = facts.index.class_of(function) is not None and names[:1] in (["self"], ["cls"])
    at = names.index(name) - bound if name in names else len(call.args)
    if at < 0:
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    given = argument(call, at, name)
    if given is not None or any(k.arg is None for k in call.keywords):
        return given
    return _default(function, name)


def stands_for(facts: Facts, node: ast.expr, depth: int = _DEPTH) -> Handles | None:
    """The objects that an expression refers to, of an argument what the calls of this file give.
    None if its name is bound to something else first."""
    function = facts.index.function_of(node)
    if isinstance(node, ast.Name) and function is not None and depth:
        names = (a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg))
        given = [given_to(facts, function, call, node.id) for call in calls_of(facts, function)]
        if node.id in names and uses_in(facts).names.stores(node):
            return None
        if node.id in names and given:
            found = [stands_for(facts, one, depth - 1) for one in given if one is not None]
            return NOBODY.union(*(one for one in found if one is not None))
    return handles(node, Scope(function), facts)


def calls_of(facts: Facts, function: FunctionNode) -> list[ast.Call]:
    """The calls in this file that run a function; of `__init__` those of its class."""
    owner = facts.index.class_of(function)
    if owner is not None and getattr(function, "name", "") == "__init__":
        return list(uses_in(facts).names.calls.get(owner.name, ()))
    return uses_in(facts).calls_of(function)


def _default(function: FunctionNode, name: str) -> ast.expr | None:
    args = function.args
    named = [*args.posonlyargs, *args.args]
    pairs = dict(zip((a.arg for a in reversed(named)), reversed(args.defaults), strict=False))
    pairs |= {
        a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None
    }
    return pairs.get(name)
