"""What attributes are set to, where that is done once."""

from __future__ import annotations

import ast
from typing import TypeGuard

from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in


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
