"""Where an attribute or a property of a class is read in its own file."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.flow.index import FUNCTIONS, FunctionNode, is_property
from autofix.flow.objects import Instance
from autofix.flow.reaching import Names

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


def attribute_reads(facts: Facts, names: Names, target: ast.Attribute) -> list[ast.Attribute]:
    """Where `self.x` of the same class is read, and `.x` of its instances."""
    index = facts.index
    owner = index.class_of(target)
    mine: list[ast.Attribute] = []
    for read in names.attributes.get(target.attr, ()):
        if ast.dump(read.value) == ast.dump(target.value):
            if index.class_of(read) is owner:
                mine.append(read)
        elif owner is None or not isinstance(read.value, (ast.Name, ast.Attribute)):
            continue
        elif _is_instance(facts, read.value, owner):
            mine.append(read)
    return mine


def property_reads(
    facts: Facts, names: Names, function: FunctionNode | None
) -> list[ast.Attribute]:
    """Where the property that `function` computes is read: of `self` in the same class, or of one
    of its instances."""
    if not isinstance(function, FUNCTIONS) or not is_property(function):
        return []
    owner = facts.index.class_of(function)
    me = ast.dump(ast.Name(function.args.args[0].arg if function.args.args else "", ast.Load()))
    return [
        read
        for read in names.attributes.get(function.name, ())
        if owner is not None
        and (
            (ast.dump(read.value) == me and facts.index.class_of(read) is owner)
            or _is_instance(facts, read.value, owner)
        )
    ]


def _is_instance(facts: Facts, node: ast.expr, owner: ast.ClassDef) -> bool:
    ref = facts.value(node).ref
    return isinstance(ref, Instance) and any(i.node is owner for i in ref.info.lineage)
