"""Layers whose weights are not to learn."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.modules import identity
from autofix.flow.roles import constructors
from autofix.flow.syntax import is_false, keyword
from autofix.flow.uses import uses_in


def is_frozen(facts: Facts, part: ast.expr) -> bool:
    """`vgg[:9]` of a model that is not to learn: kept out of the checkpoints, it may be."""
    if identity(facts.value(part)) & facts.program.frozen:
        return True
    stopped = _flagged_off(facts, part) if isinstance(part, ast.Name) else set()
    return "weight" in stopped and ("bias" in stopped or _has_no_bias(facts, part))


def _flagged_off(facts: Facts, name: ast.Name) -> set[str]:
    """`weight` of `layer.weight.requires_grad = False`"""
    found = set()
    for load in uses_in(facts).names.all_loads(name):
        weight = facts.index.parents.get(load)
        flag = facts.index.parents.get(weight) if isinstance(weight, ast.Attribute) else None
        match flag, facts.index.statement_of(load):
            case ast.Attribute(attr="requires_grad"), ast.Assign(value=value) if is_false(value):
                found.add(getattr(weight, "attr", ""))
            case ast.Attribute(attr="requires_grad_"), ast.Expr(value=ast.Call(args=[value])) if (
                is_false(value)
            ):
                found.add(getattr(weight, "attr", ""))
    return found


def _has_no_bias(facts: Facts, part: ast.expr) -> bool:
    made = constructors(part, facts)
    return bool(made) and all(is_false(keyword(call, "bias")) for call in made)
