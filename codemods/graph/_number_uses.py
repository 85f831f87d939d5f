"""What becomes of a Python number that a repair turns into a tensor of no dimensions?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.graph._numeric_names import counterpart
from autofix.codemods.graph._operands import is_method
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import keyword
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import FLOATING, INTEGRAL, Kind, Value

_NO_TENSOR = frozenset(
    "round range divmod Fraction Decimal selu gelu rrelu glu alpha_dropout arange eye uniform_ "
    "normal_ rand randn randint scalar_tensor renorm quantile interpolate".split()
)
"""Functions that take numbers only and raise if they are given a tensor with a graph."""

_FINE = frozenset(
    "print str format repr float int bool abs max min sum isinstance append log add_scalar item "
    "info debug warning pow where add sub mul div multiply divide subtract true_divide lerp "
    "masked_fill masked_fill_ fill fill_ clamp clip clamp_min clamp_max maximum minimum tensor "
    "as_tensor new_tensor stack isnan isinf isfinite exp sqrt".split()
)


_PLAIN: dict[str, dict[str, int | None]] = {
    "leaky_relu": {"negative_slope": 1},
    "elu": {"alpha": 1},
    "celu": {"alpha": 1},
    "softplus": {"beta": 1, "threshold": 2},
    "hardtanh": {"min_val": 1, "max_val": 2},
    "threshold": {"threshold": 1, "value": 2},
    "softshrink": {"lambd": 1},
    "hardshrink": {"lambd": 1},
    "huber_loss": {"delta": 3},
    "smooth_l1_loss": {"beta": 5},
    "triplet_margin_loss": {"margin": 3, "p": 4},
    "margin_ranking_loss": {"margin": 3},
    "cosine_embedding_loss": {"margin": 3},
    "hinge_embedding_loss": {"margin": 2},
    "cross_entropy": {"label_smoothing": 7},
    "add": {"alpha": None},
    "sub": {"alpha": None},
    "addcmul": {"value": None},
    "addcdiv": {"value": None},
    "addmm": {"alpha": None, "beta": None},
    "addmv": {"alpha": None, "beta": None},
    "addbmm": {"alpha": None, "beta": None},
    "baddbmm": {"alpha": None, "beta": None},
    "layer_norm": {"eps": 4},
    "group_norm": {"eps": 4},
    "rms_norm": {"eps": 3},
    "batch_norm": {"momentum": 6, "eps": 7},
    "norm": {"p": 1},
    "normalize": {"p": 1, "eps": 3},
    "cdist": {"p": 2},
    "pairwise_distance": {"p": 2, "eps": 3},
    "cosine_similarity": {"eps": 3},
    "dropout": {"p": 1},
    "pad": {"value": 3},
    "logit": {"eps": 1},
    "full": {"fill_value": 1},
    "full_like": {"fill_value": 1},
    "new_full": {"fill_value": 2},
    "scaled_dot_product_attention": {"scale": 6, "dropout_p": 4},
}
"""By function, the arguments that are Python numbers, and their places: given a tensor they raise
if it has a graph, and read it as a number if it has none."""


def plain_argument(call: ast.Call, node: ast.expr, facts: Facts) -> str | None:
    """The name of the argument at `node`, if no tensor with a graph is taken there."""
    name = (last_name(call.func) or "").rstrip("_")
    method = is_method(call, facts)
    for word, position in _PLAIN.get(name, {}).items():
        if keyword(call, word) is node:
            return word
        at = call.args.index(node) if node in call.args else None
        if at is not None and at + method == position:
            return word
    return None


def needs_number(node: ast.expr, facts: Facts) -> bool:
    """Is the tensor `node` read as a number somewhere, by a function that takes only those?"""
    return any(
        isinstance(use.user, ast.Call) and plain_argument(use.user, use.node, facts) is not None
        for use in uses_in(facts).follow(node)
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands in the way of a tensor where there was a number."""

    refused: str | None = None
    """It would raise."""
    doubt: str | None = None
    """Something else may change."""


def outlook(facts: Facts, nodes: list[ast.expr], dtype: str | None) -> Outlook:
    """Follow the numbers `nodes`, through arithmetic too, until they meet tensors or leave sight.
    `dtype` is that of the tensor in their place."""
    todo, seen = list(nodes), set(nodes)
    doubt: str | None = None
    while todo and len(seen) < 200:
        for use in uses_in(facts).follow(todo.pop()):
            found = _at(use, dtype, facts)
            if found.refused is not None:
                return found
            doubt = doubt or found.doubt
            for further in _handed_on(use, facts):
                if further not in seen:
                    seen.add(further)
                    todo.append(further)
    return Outlook(doubt=doubt)


def _handed_on(use: Use, facts: Facts) -> Iterator[ast.expr]:
    """Numbers that are computed from the number: they become tensors as well."""
    match use.user:
        case ast.BinOp() | ast.UnaryOp():
            if facts.value(use.user).is_number:
                yield use.user
        case ast.AugAssign(target=ast.Name() as target, value=value) if value is use.node:
            if facts.value(target).kind & Kind.NUMBER:
                yield from uses_in(facts).names.loads(target)
        case ast.Call() if use.node in use.user.args:
            name = last_name(use.user.func)
            if name in ("abs", "max", "min", "sum") or _is_numeric(use.user, facts):
                yield use.user


def _is_numeric(node: ast.Call, facts: Facts) -> bool:
    return counterpart(facts.library_name(node.func) or "") is not None


def _at(use: Use, dtype: str | None, facts: Facts) -> Outlook:
    match use.user:
        case ast.BinOp(left=left, op=op, right=right):
            other = right if left is use.node else left
            return _beside(op, facts.value(other), dtype)
        case ast.AugAssign(target=target, op=op) if target is not use.node:
            return _beside(op, facts.value(target), dtype)
        case ast.Call() if not use.contained:
            return _passed(use.user, use.node, facts)
        case ast.Subscript() | ast.Slice() if not use.contained:
            return Outlook(refused="it is used as an index, and a tensor of floats cannot be one")
    return Outlook()


def _beside(op: ast.operator, other: Value, dtype: str | None) -> Outlook:
    if other.is_number or other.kind == Kind.NONE:
        if isinstance(op, (ast.Sub, ast.Mod, ast.FloorDiv)):
            return Outlook(doubt="where digits cancel, single precision gives other values")
        return Outlook()
    if not other.kind & Kind.TENSOR:
        return Outlook()
    narrow = dtype in ("float16", "bfloat16")
    if dtype == "float64" and other.dtype != "float64":
        wide = other.dtype in INTEGRAL or not other.shape
        return Outlook(doubt="beside it, a float64 tensor may widen the result" if wide else None)
    if other.dtype == "float64" and dtype != "float64":
        return Outlook(doubt="the tensor beside it is more precise than this one")
    if narrow and other.dtype in FLOATING - {dtype}:
        return Outlook(doubt="the tensor beside it is more precise than this one")
    if not narrow and other.dtype in ("float16", "bfloat16") and not other.shape:
        return Outlook(doubt="beside it, a tensor of half precision may be widened")
    return Outlook()


def _passed(call: ast.Call, node: ast.expr, facts: Facts) -> Outlook:
    name = last_name(call.func) or ""
    refuses = name in _NO_TENSOR or plain_argument(call, node, facts) is not None
    if refuses and not _is_in_file(call, facts):
        return Outlook(refused=f"`{name}` takes a number here, and no tensor with a graph")
    if name in _FINE or _is_in_file(call, facts) or _is_numeric(call, facts):
        return Outlook()
    return Outlook(doubt=f"`{name}` is given a tensor instead of a number")


def _is_in_file(call: ast.Call, facts: Facts) -> bool:
    return bool(facts.value(call.func).kind & (Kind.FUNCTION | Kind.CLASS | Kind.MODULE))
