"""A lifted number as an argument of a function of torch: as it is where a tensor is taken as well,
else in a form of equal value that takes one."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from autofix.codemods.graph._endpoints import CannotExpress, around
from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._number_uses import plain_argument
from autofix.codemods.graph._operands import is_method
from autofix.codemods.graph._stacking import exported_tensor
from autofix.codemods.graph._unwrapping import appended, argument_removed
from autofix.codemods.graph._way import OFF, Way
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments, argument, keyword
from autofix.flow.values import Value
from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift

_OPERANDS = frozenset(
    {"add", "sub", "mul", "div", "pow", "add_", "sub_", "mul_", "div_", "masked_fill", "fill_"}
    | {"multiply", "divide", "subtract", "true_divide", "where"}
)
"""Functions and methods that take a tensor for each of their numbers."""
_EITHER = {"lerp": (2, "weight"), "gumbel_softmax": (1, "tau")}
"""Those that take one in this place, as a function."""
_BOUNDS = ("clamp", "clip")
_BETWEEN = re.compile(r"[ \t]*,[ \t]*(max[ \t]*=[ \t]*)?")
_SCALED = {
    "add": ("alpha", 1, "other"),
    "sub": ("alpha", 1, "other"),
    "addcmul": ("value", 1, "tensor1"),
    "addcdiv": ("value", 1, "tensor1"),
    "addmm": ("alpha", 1, "mat1"),
    "baddbmm": ("alpha", 1, "batch1"),
}
"""The keyword that takes a plain number, and the operand that it multiplies."""
_SPREAD = frozenset({"linspace", "logspace", "full", "full_like", "new_full"})
_DISTRIBUTIONS = frozenset(
    {"Normal", "Laplace", "Gumbel", "Beta", "Gamma", "Exponential", "Poisson", "Bernoulli"}
    | {"Uniform", "Cauchy", "HalfNormal", "HalfCauchy", "LogNormal", "StudentT", "Pareto"}
    | {"Weibull", "Geometric", "Chi2", "ContinuousBernoulli", "VonMises", "Kumaraswamy"}
    | {"FisherSnedecor", "Logistic", "InverseGamma"}
)
"""Distributions whose arguments are numbers or tensors."""


def into_torch(lift: Lift, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
    """A number that a function of torch or a method of a tensor is given."""
    name = last_name(call.func) or ""
    if form != Form.NUMBER:
        return OFF
    if name in _BOUNDS:
        return _bound(lift, node, call)
    if name in _DISTRIBUTIONS and node in all_arguments(call):
        return _joined(lift, Value())
    if mixed:
        return OFF
    if name.rstrip("_") in _SCALED and keyword(call, _SCALED[name.rstrip("_")][0]) is node:
        return _scaled(lift, node, call, name.rstrip("_"))
    if name in _SPREAD:
        return _spread(lift, node, call, name)
    if name == "leaky_relu" and argument(call, 1, "negative_slope") is node:
        return _prelu(lift, node, call)
    if name == "softplus" and keyword(call, "beta") is node:
        return _softplus(lift, node, call)
    word = plain_argument(call, node, lift.facts)
    if word is not None:
        raise CannotLift(f"`{word}` of `{name}` is a plain number: write it out in operations")
    if name in _OPERANDS and node in call.args:
        return _joined(lift, lift.facts.value(call.args[0]))
    position, either = _EITHER.get(name, (0, ""))
    method = is_method(call, lift.facts)
    if either and argument(call, position - method, either) is node:
        return _joined(lift, lift.facts.value(call))
    return OFF


def _joined(lift: Lift, partner: Value, *edits: Edit) -> Way:
    lift.partners.append(partner)
    return Way(True, edits)


def _bound(lift: Lift, node: ast.expr, call: ast.Call) -> Way:
    """A bound of `clamp`, which takes two numbers or two tensors: one of each need two calls."""
    method = is_method(call, lift.facts)
    low, high = argument(call, 1 - method, "min"), argument(call, 2 - method, "max")
    if node not in (low, high):
        return OFF
    if low is None or high is None or (_is_lifted(lift, low) and _is_lifted(lift, high)):
        return _joined(lift, Value())
    other = high if node is low else low
    if lift.facts.value(other).is_tensor:
        return _joined(lift, Value())
    if (last_name(call.func) or "").endswith("_"):
        return OFF
    facts = lift.facts
    begin, stop = facts.source.span(low)[1], facts.source.span(high)[0]
    if not _BETWEEN.fullmatch(facts.source.text[begin:stop]):
        raise CannotLift("a bound is a number, the other would be a tensor: `clamp` takes no such")
    edits = [Edit(begin, stop, ").clamp(max=")]
    if low in call.args:
        at = facts.source.span(low)[0]
        edits.insert(0, Edit(at, at, "min="))
    return _joined(lift, Value(), *edits)


def _is_lifted(lift: Lift, node: ast.expr) -> bool:
    """Is the number computed from the one that is lifted?"""
    return any(cut is lift.export.cut for cut in lift.facts.cuts_before(node)) or (
        lift.export.whole in ast.walk(node)
    )


def _scaled(lift: Lift, node: ast.expr, call: ast.Call, name: str) -> Way:
    """`torch.add(a, b, alpha=node)`: `torch.add(a, b * node)`."""
    word, position, operand = _SCALED[name]
    method = is_method(call, lift.facts)
    scaled = argument(call, position - method, operand)
    text = _text(lift, node)
    if scaled is None or text is None:
        raise CannotLift(f"`{word}=` takes a plain number")
    edits = appended(lift.facts, scaled, f" * {text}")
    lift.moved = lift.moved or node is lift.export.whole
    return _joined(lift, Value(), *edits, *argument_removed(lift.facts, call, word))


def _text(lift: Lift, node: ast.expr) -> str | None:
    """What the number will be written as in another place, where that is a name."""
    if node is not lift.export.whole:
        return lift.facts.source.segment(node) if isinstance(node, ast.Name) else None
    source = lift.export.read
    if not isinstance(source, (ast.Name, ast.Attribute)):
        return None
    after = "" if lift.facts.value(source).shape == () else ".reshape(())"
    return lift.facts.source.segment(source) + after


def _spread(lift: Lift, node: ast.expr, call: ast.Call, name: str) -> Way:
    """`torch.full(size, node)`, `torch.linspace(0, node, n)`."""
    if exported_tensor(node, lift.facts) is not None:
        return OFF  # AG109 sees it where it stands
    ends = [argument(call, at, word) for at, word in ((0, "start"), (1, "end"))]
    if name.endswith("space") and all(e is not None and _is_lifted(lift, e) for e in ends):
        raise CannotLift("both ends are computed from the number: write them as tensors")
    dtype = lift.facts.value(lift.export.read).dtype
    try:
        edits = around(call, node, name, dtype, lift.facts)
    except CannotExpress as reason:
        raise CannotLift(str(reason)) from reason
    return _joined(lift, Value(), *edits)


def _prelu(lift: Lift, node: ast.expr, call: ast.Call) -> Way:
    """`F.leaky_relu(x, node)` is `F.prelu(x, node)`, which learns its slope."""
    if len(call.args) + len(call.keywords) > 2:
        raise CannotLift("`leaky_relu` takes a plain number for its slope")
    end = lift.facts.source.span(call.func)[1]
    edits = [Edit(end - len("leaky_relu"), end, "prelu")]
    if node not in call.args:
        at = lift.facts.source.text.rfind("negative_slope", 0, lift.facts.source.span(node)[0])
        edits.append(Edit(at, at + len("negative_slope"), "weight"))
    return _joined(lift, Value(), *edits)


def _softplus(lift: Lift, node: ast.expr, call: ast.Call) -> Way:
    """`F.softplus(x, beta=node)` is `F.softplus(x * node) / node`."""
    text = _text(lift, node)
    if text is None or len(call.args) != 1 or len(call.keywords) != 1:
        raise CannotLift("`beta` of `softplus` is a plain number: write it out in operations")
    at = lift.facts.source.span(call)
    bound = isinstance(lift.facts.index.parents.get(call), (ast.BinOp, ast.UnaryOp, ast.Attribute))
    lift.moved = lift.moved or node is lift.export.whole
    edits = [
        *([Edit(at[0], at[0], "(")] if bound else []),
        *appended(lift.facts, call.args[0], f" * {text}"),
        *argument_removed(lift.facts, call, "beta"),
        Edit(at[1], at[1], f" / {text}" + (")" if bound else "")),
    ]
    return _joined(lift, Value(), *edits)
