"""Branches of one flag: what a constructor makes in one of them is not there in the other."""

from __future__ import annotations

import ast

from autofix.flow.class_table import ClassTable, How, attribute_of, self_name
from autofix.flow.facts import Facts

_Side = tuple[str, bool]
"""The attribute that a branch asks for, and what it is there."""


def made_on_other_side(facts: Facts, table: ClassTable, node: ast.stmt, attribute: str) -> bool:
    """`if self.split: self.w = a @ b`, where the constructor said `if not split: self.w =
    nn.Parameter(w)`."""
    stores = [s for s in table.own(attribute, How.ASSIGNED) if s.method.name == "__init__"]
    if not stores:
        return False
    flags = _names_of_flags(stores[0].method)
    opposite = {(name, not held) for name, held in _sides(facts, node, {})}
    return all(opposite & _sides(facts, store.statement, flags) for store in stores)


def _names_of_flags(constructor: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """The arguments that a constructor keeps under a name, and these names."""
    me, found = self_name(constructor), {}
    for statement in constructor.body:
        match statement:
            case ast.Assign(targets=[target], value=ast.Name(id=given)):
                name = attribute_of(target, me)
                if name is not None:
                    found[given] = name
    return found


def _sides(facts: Facts, node: ast.AST, flags: dict[str, str]) -> set[_Side]:
    found: set[_Side] = set()
    inner: ast.AST = node
    for owner in facts.index.ancestors(node):
        if isinstance(owner, ast.If):
            side = _side(owner.test, inner in owner.body, flags)
            if side is not None:
                found.add(side)
        inner = owner
    return found


def _side(test: ast.expr, held: bool, flags: dict[str, str]) -> _Side | None:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _side(inner, not held, flags)
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name, held
        case ast.Name(id=name) if name in flags:
            return flags[name], held
    return None
