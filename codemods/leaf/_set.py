"""What names and attributes are set to, where that is done once."""

from __future__ import annotations

import ast
from typing import TypeGuard

from autofix.flow.facts import Facts
from autofix.flow.syntax import argument
from autofix.flow.uses import uses_in


def given_to(
    facts: Facts, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, name: str
) -> ast.expr | None:
    """What a call gives for an argument of a function, its default if nothing."""
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    bound = facts.index.class_of(function) is not None and names[:1] in (["self"], ["cls"])
    at = names.index(name) - bound if name in names else len(call.args)
    given = argument(call, at, name)
    if given is not None or any(k.arg is None for k in call.keywords):
        return given
    return _default(function, name)


def stored_once(facts: Facts, node: ast.Attribute, owner: str, attr: str) -> ast.expr | None:
    """What an attribute of a class or of its objects is set to, if that is done once."""
    cls = facts.index.class_of(node)
    found: list[ast.expr | None] = []
    if owner in ("self", "cls") or (cls is not None and owner == cls.name):
        assert cls is None or isinstance(cls, ast.ClassDef)
        for statement in cls.body if cls is not None else ():
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == attr:
                    found.append(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=value) if name == attr:
                    found.append(value)
    for store in uses_in(facts).names.stored.get(attr, ()):
        mine = isinstance(store.value, ast.Name) and store.value.id == owner
        if mine and facts.index.class_of(store) is cls:
            parent = facts.index.parents.get(store)
            found.append(parent.value if isinstance(parent, ast.Assign) else None)
    return found[0] if len(found) == 1 else None


def declares(statement: ast.stmt, name: str) -> TypeGuard[ast.AnnAssign]:
    """`name: type`, perhaps with a value"""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=declared)):
            return declared == name
    return False


def _default(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    args = function.args
    named = [*args.posonlyargs, *args.args]
    pairs = dict(zip((a.arg for a in reversed(named)), reversed(args.defaults), strict=False))
    pairs |= {
        a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None
    }
    return pairs.get(name)
