"""Reads that lead to no tensor: what they get stays the number or array that it was."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._unwrapping import appended, wrapped
from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift

_TESTS = (ast.If, ast.While, ast.Assert, ast.IfExp, ast.BoolOp)


def kept(lift: Lift, load: ast.expr, form: Form, mixed: bool) -> list[Edit]:
    """What this read gets stays a number or array, if that makes a difference to it."""
    if lift.leads_on(load, form, mixed):
        return []
    parent = lift.facts.index.parents.get(load)
    match parent:
        case ast.Expr() | ast.Attribute(attr="append" | "extend"):
            return []
        case ast.Attribute(attr="shape" | "ndim"):
            return []
        case ast.Call(func=ast.Name(id="float" | "len" | "int")):
            return []
        case ast.FormattedValue(conversion=-1) if form == Form.NUMBER and not _is_parameter(lift):
            return []  # a tensor of one element is formatted as its number
        case ast.AugAssign(target=target) if target is load:
            return []
    if form == Form.NUMBER and (
        isinstance(parent, _TESTS)
        or (
            isinstance(parent, ast.Compare)
            and isinstance(lift.facts.index.parents.get(parent), _TESTS)
        )
    ):
        return []
    if form == Form.NUMBERS:
        raise CannotLift("a list of the numbers is used as such, too")
    if form == Form.NUMBER and mixed:
        return wrapped(lift.facts, load, "float")
    return appended(lift.facts, load, lift.export.how)


def _is_parameter(lift: Lift) -> bool:
    """A parameter takes no format of a number."""
    return lift.facts.value(lift.export.read).parameter
