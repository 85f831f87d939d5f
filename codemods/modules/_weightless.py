"""Parts of a container of which none has weights, whichever it is."""

from __future__ import annotations

import ast

from autofix.codemods.modules._elsewhere import parts_of
from autofix.codemods.modules._kept import Kept
from autofix.flow.class_table import weighted
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in


def has_no_weights(facts: Facts, kept: Kept) -> bool:
    """`{n: nn.BCELoss() if n in binary else nn.MSELoss() for n in names}`"""
    parts = parts_of(facts, kept)
    return bool(parts) and all(_is_weightless(facts, part) for part in parts)


def _is_weightless(facts: Facts, part: ast.expr) -> bool:
    if weighted(facts.value(part)) is False:
        return True
    match part:
        case ast.IfExp(body=one, orelse=other):
            return _is_weightless(facts, one) and _is_weightless(facts, other)
        case ast.Subscript(value=many):
            return weighted(facts.value(many)) is False
        case ast.Name():
            values = [facts.index.parents.get(s) for s in uses_in(facts).names.stores(part)]
            return bool(values) and all(
                isinstance(one, ast.Assign) and _is_weightless(facts, one.value) for one in values
            )
    return False
