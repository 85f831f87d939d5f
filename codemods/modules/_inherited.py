"""Containers that a base class in another file makes, for derived classes to fill."""

from __future__ import annotations

import ast

from autofix.flow.class_table import ClassTable, Store
from autofix.flow.unit import is_foreign
from autofix.flow.walk import walk

_LOOKING = frozenset({"len", "enumerate", "zip", "range", "reversed", "iter", "list"})
_REGISTERING = frozenset(
    {"add_module", "register_module", "register_parameter", "setattr", "__setattr__"}
    | {"parameters", "named_parameters", "_modules", "_parameters"}
)
_FILLING = frozenset({"append", "extend", "items", "values", "keys"})


def only_run_through(table: ClassTable, root: Store) -> bool:
    """Do the base classes of other files nothing with the container but to go through it? (They may
    register what it holds, or hand it to an optimizer.)"""
    for owner in table.lineage:
        if not is_foreign(owner):
            continue
        parents = {child: node for node in walk(owner) for child in ast.iter_child_nodes(node)}
        for node in walk(owner):
            if isinstance(node, (ast.Attribute, ast.Name)) and _name(node) in _REGISTERING:
                return False
            if node is root.node or _name(node) != root.attribute:
                continue
            if isinstance(node, ast.Attribute) and not _is_looked_at(node, parents):
                return False
    return True


def _name(node: ast.AST) -> str | None:
    return getattr(node, "attr", None) or getattr(node, "id", None)


def _is_looked_at(node: ast.Attribute, parents: dict[ast.AST, ast.AST]) -> bool:
    match parents.get(node):
        case ast.For(iter=source) | ast.comprehension(iter=source):
            return source is node
        case ast.Subscript(value=owner, ctx=ast.Load()):
            return owner is node
        case ast.Attribute(attr=name):
            return name in _FILLING
        case ast.Call(func=ast.Name(id=name)):
            return name in _LOOKING
    return False
