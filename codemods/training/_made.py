"""Statements after which an optimizer is there."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from autofix.codemods.training._made_by import held_by_maker, held_by_method
from autofix.flow.facts import Facts
from autofix.flow.handles import Handles, Scope
from autofix.flow.index import last_name, root_name
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import all_arguments
from autofix.flow.turns import held_by_call


@dataclass(frozen=True)
class Made:
    """`opt = Adam(model.parameters())`, `trainer = Trainer(model)`, `self.set_up()`"""

    statement: ast.Assign | ast.AnnAssign | ast.Expr
    call: ast.Call
    target: ast.Name | ast.Attribute
    held: Handles
    plain: bool
    """The call itself makes the optimizer."""
    besides: frozenset[str] = frozenset()
    """Attributes that are set with it."""


def made_here(node: ast.stmt, later: Sequence[ast.stmt], facts: Facts) -> Made | None:
    """What a statement makes of which later ones may touch something."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name())) as call):
            found = held_by_method(call, facts)
            if found is None or not _is_touched(call, later):
                return None
            target, held, stores = found
            besides = frozenset(s.attribute for s in stores) - {target.attr}
            return Made(node, call, target, held, False, besides)
        case (
            ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=ast.Call() as call)
            | ast.AnnAssign(target=ast.Name() | ast.Attribute() as target, value=ast.Call() as call)
        ):
            plain = (last_name(call.func) or "")[:1].isupper() and optimizer_class(call, facts)
            if not plain and not _is_touched(call, later):
                return None
            made_by = held_by_call if plain else held_by_maker
            known = made_by(call, Scope(facts.index.function_of(node)), facts)
            return Made(node, call, target, known, bool(plain)) if known else None
    return None


def _is_touched(call: ast.Call, later: Sequence[ast.stmt]) -> bool:
    """By the syntax alone: is anything that a call is given set or called with further down?"""
    parts = (n for one in [call.func, *all_arguments(call)] for n in ast.walk(one))
    given = {n.id for n in parts if isinstance(n, ast.Name)}
    for node in (n for statement in later for n in ast.walk(statement)):
        if isinstance(node, ast.Call):
            touched = {root_name(node.func), *map(root_name, all_arguments(node))}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            touched = {root_name(node)}
        else:
            continue
        if given & touched:
            return True
    return False
