"""Weights that an object holds, and of which a function updates only its own name."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._update_forms import loop_around, pairs_of
from autofix.flow.facts import Facts
from autofix.flow.syntax import calls_in, is_true
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.statements import remove_statement


def held_elsewhere(facts: Facts, statement: ast.stmt, target: ast.expr) -> bool:
    """`w = self.coef["w"]` before a loop with `w = w - lr * w.grad` in it, nothing that puts the
    new tensor back, and nothing that goes on with it: then all is trained for nobody."""
    loop = loop_around(facts, statement)
    if not isinstance(target, ast.Name) or loop is None:
        return False
    held = [h for h in _bound(facts, target) if h is not None]
    if len(held) != 1 or not isinstance(held[0], (ast.Attribute, ast.Subscript)):
        return False
    text, function = ast.unparse(held[0]), facts.index.function_of(statement)
    if function is None or facts.index.function_of(held[0]) is not function:
        return False
    if any(calls_in(held[0])):
        return False
    for load in uses_in(facts).names.all_loads(target):
        if loop not in facts.index.ancestors(load):
            return False  # it is handed on behind the loop
        parent = facts.index.parents.get(load)
        if isinstance(parent, ast.Assign) and parent.value is load:
            return False  # `self.coef["w"] = w`
        if isinstance(parent, (ast.Tuple, ast.List, ast.Dict)):
            return False
    others = (n for n in facts.index.body_nodes(function) if isinstance(n, ast.expr))
    return not any(
        isinstance(n, (ast.Attribute, ast.Subscript))
        and isinstance(n.ctx, ast.Store)
        and ast.unparse(n) == text
        for n in others
    )


def _bound(facts: Facts, target: ast.Name) -> list[ast.expr | None]:
    """What the name is bound to but by the updates of it."""
    found: list[ast.expr | None] = []
    for store in uses_in(facts).names.stores(target):
        statement = facts.index.statement_of(store)
        pairs = pairs_of(statement) if statement is not None else []
        values = [value for one, value in pairs if one is store]
        if not values:
            return []
        if not any(isinstance(n, ast.Name) and n.id == target.id for n in ast.walk(values[0])):
            found.append(values[0])
    return found


def without_flags(facts: Facts, name: str, statement: ast.stmt) -> list[Edit]:
    """The edits that remove `w.requires_grad = True`, which a leaf does not need."""
    function = facts.index.function_of(statement)
    found: list[Edit] = []
    for node in facts.index.body_nodes(function) if function is not None else ():
        match node:
            case ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")]):
                told = is_true(node.value)
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=owner, attr="requires_grad_"), args=[])
            ):
                told = True
            case _:
                continue
        if told and ast.unparse(owner) == name:
            edit = remove_statement(facts, node)
            found += [edit] if edit is not None else []
    return found
