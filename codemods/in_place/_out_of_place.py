"""Repairs at the write: the same operation, with a new tensor as its result."""

from __future__ import annotations

import ast
import re

from autofix.codemods.in_place._places import Place, flag_of
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.joins import promote
from autofix.flow.syntax import all_arguments
from autofix.model import Edit
from autofix.rewrite.liveness import read_later
from autofix.rewrite.statements import insert_above

_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_TIGHT = (
    ast.Name,
    ast.Constant,
    ast.Call,
    ast.Attribute,
    ast.Subscript,
    ast.Tuple,
    ast.List,
    ast.JoinedStr,
)
_PRODUCTS = (ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.MatMult, ast.Pow)
_NO_TWIN = frozenset(
    "zero_ fill_ copy_ normal_ uniform_ random_ bernoulli_ exponential_ cauchy_ geometric_ "
    "log_normal_ set_ resize_ detach_ requires_grad_ share_memory_ squeeze_ unsqueeze_ t_ "
    "transpose_ swapdims_ swapaxes_".split()
)
"""In-place methods without one that gives a new tensor instead."""


def out_of_place(place: Place, facts: Facts) -> list[Edit]:
    """The edits that bind the name of the tensor to a new one."""
    assert isinstance(place.base, ast.Name)
    node = place.node
    if isinstance(node, ast.Call):
        return _call(node, place, facts)
    if isinstance(place.target, ast.Subscript):
        name = place.base.id
        return [insert_above(facts, place.statement, f"{name} = {name}.clone()")]
    assert isinstance(node, ast.AugAssign)
    return _augmented(node, place.base.id, facts)


def _augmented(node: ast.AugAssign, name: str, facts: Facts) -> list[Edit]:
    sign = _SIGNS.get(type(node.op))
    if sign is None:
        raise DeclinedError("the operator has no form that is surely equal")
    _check_dtype(node.target, node.value, facts)
    text = facts.source.text
    after, start = facts.source.span(node.target)[1], facts.source.span(node.value)[0]
    between = text[after:start]
    found = re.search(re.escape(sign) + "=", between)
    if found is None:
        raise DeclinedError("the operator was not found in the text")
    edits = [Edit(after + found.start(), after + found.end(), f"= {name} {sign}")]
    if "(" not in between and not _binds_tighter(node.value, node.op):
        end = facts.source.span(node.value)[1]
        edits += [Edit(start, start, "("), Edit(end, end, ")")]
    return edits


def _binds_tighter(value: ast.expr, op: ast.operator) -> bool:
    """May the expression stand to the right of `op` without parentheses?"""
    if isinstance(value, _TIGHT):
        return True
    if isinstance(value, ast.UnaryOp):
        return not isinstance(value.op, ast.Not)
    if not isinstance(value, ast.BinOp):
        return False
    if isinstance(value.op, ast.Pow):
        return True
    return isinstance(op, (ast.Add, ast.Sub)) and isinstance(value.op, _PRODUCTS)


def _check_dtype(target: ast.expr, value: ast.expr, facts: Facts) -> None:
    """`x += y` keeps the dtype of x, `x + y` may not."""
    mine, other = facts.value(target), facts.value(value)
    if not other.is_tensor or mine.dtype is None or other.dtype is None:
        return
    if mine.dtype != other.dtype and promote(mine.dtype, other.dtype) != mine.dtype:
        if other.is_scalar:
            return
        raise DeclinedError("the dtype of a new tensor could be another one")


def _call(node: ast.Call, place: Place, facts: Facts) -> list[Edit]:
    assert isinstance(place.base, ast.Name)
    name = place.base.id
    if place.target is not place.base:  # `x[0].mul_(2)`
        return [insert_above(facts, place.statement, f"{name} = {name}.clone()")]
    edits = _without_in_place(node, place.base, facts)
    outer = _chain(node, facts)
    match place.statement:
        case ast.Expr(value=value) if value is outer:
            start = facts.source.span(place.statement)[0]
            return [Edit(start, start, f"{name} = "), *edits]
        case ast.Assign(targets=[ast.Name(id=bound)], value=value) if (
            value is outer and bound == name
        ):
            return edits
    if read_later(name, place.statement, facts) or _read_beside(place, facts):
        raise DeclinedError(f"`{name}` is read again, changed")
    return edits


def _chain(node: ast.Call, facts: Facts) -> ast.expr:
    """`x.mul_(2).add_(1)`: the last call of those that give x itself."""
    outer: ast.expr = node
    while True:
        attribute = facts.index.parents.get(outer)
        call = facts.index.parents.get(attribute) if attribute is not None else None
        if not (isinstance(attribute, ast.Attribute) and isinstance(call, ast.Call)):
            return outer
        op = torch_api.method(attribute.attr)
        if call.func is not attribute or op is None or op.alias != "self":
            return outer
        outer = call


def _read_beside(place: Place, facts: Facts) -> bool:
    """Is the tensor mentioned in the same statement, outside of the call?"""
    inside = set(ast.walk(place.node))
    assert isinstance(place.base, ast.Name)
    return any(
        isinstance(n, ast.Name) and n.id == place.base.id and n not in inside
        for n in ast.walk(place.statement)
    )


def _without_in_place(node: ast.Call, base: ast.Name, facts: Facts) -> list[Edit]:
    flag = flag_of(node)
    if flag is not None:
        return [drop_argument(node, flag, facts)]
    name = last_name(node.func) or ""
    twin = name[:-1]
    is_method = isinstance(node.func, ast.Attribute) and node.func.value is base
    end = facts.source.span(node.func)[1]
    if is_method and name not in _NO_TWIN and torch_api.method(twin) is not None:
        for argument in node.args[:1]:
            _check_dtype(base, argument, facts)
        return [Edit(end - 1, end, "")]
    if not is_method and isinstance(node.func, ast.Attribute):
        dotted = facts.library_name(node.func)
        if dotted is not None and torch_api.function(dotted[:-1]) is not None:
            return [Edit(end - 1, end, "")]
    at = facts.source.span(base)[1]
    return [Edit(at, at, ".clone()")]


def drop_argument(node: ast.Call, value: ast.expr, facts: Facts) -> Edit:
    """The edit that takes one argument out of a call, with the comma that goes with it."""
    text = facts.source.text
    start, value_end = facts.source.span(value)
    name = next((k.arg for k in node.keywords if k.value is value), None)
    if name is not None:
        start = text.rindex(name, 0, start)
    others = [o for o in all_arguments(node) if o is not value]
    before = [o for o in others if facts.source.span(o)[0] < start]
    if before:
        return Edit(max(facts.source.span(o)[1] for o in before), value_end, "")
    after = re.match(r"\s*,\s*", text[value_end:])
    return Edit(start, value_end + (after.end() if after else 0), "")
