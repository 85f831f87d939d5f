"""Calls on a row, made into calls on all rows: the right `dim`, and `keepdim=True`."""

from __future__ import annotations

import ast
from collections.abc import Callable

from autofix.codemods.in_place._row_operations import ALONG, REDUCE
from autofix.codemods.in_place._row_value import RowValue
from autofix.flow.syntax import is_none, is_true
from autofix.model import Edit


class NotVectorisedError(Exception):
    """The call has no form for all rows at once that is known to be equal."""


_ORDER = {
    "std": ("dim", "unbiased", "keepdim"),
    "var": ("dim", "unbiased", "keepdim"),
    "norm": ("p", "dim", "keepdim"),
    "vector_norm": ("ord", "dim", "keepdim"),
    "softmax": ("dim",),
    "log_softmax": ("dim",),
    "softmin": ("dim",),
    "cumsum": ("dim",),
    "cumprod": ("dim",),
    "logcumsumexp": ("dim",),
    "normalize": ("p", "dim", "eps"),
}
_EXTRA = frozenset(
    {"correction", "eps", "p", "ord", "unbiased", "dim", "keepdim", "axis", "_stacklevel"}
)
_NAMED = {"max": "amax", "min": "amin"}
_NO_SEVERAL = frozenset(
    {"prod", "median", "item", "tolist", "numel", "size", "dim", "dot", "matmul", "mv"}
)


def call_edits(
    call: ast.Call, value: RowValue, row: str, torch: Callable[[str], str]
) -> list[Edit]:
    """What changes in the text of a call beside its operands. An edit of the whole call replaces
    it, operands included."""
    facts = value.facts
    dotted = facts.library_name(call.func)
    name = dotted.rpartition(".")[2] if dotted else getattr(call.func, "attr", "")
    if name not in REDUCE and name not in ALONG:
        return []
    if "#" in facts.source.segment(call) or name in _NO_SEVERAL:
        raise NotVectorisedError
    method = isinstance(call.func, ast.Attribute) and dotted is None
    order = (
        ("ord", "dim", "keepdim")
        if dotted == "torch.linalg.norm"
        else _ORDER.get(name, ("dim", "keepdim"))
    )
    given = _given(call, order, method)
    if name in ALONG:
        return _along(call, name, given, value)
    dim = given.get("dim")
    if dim is None or is_none(dim):
        if dim is not None or "keepdim" in given:
            raise NotVectorisedError
        return _over_all(call, name, dotted, given, value, row, torch)
    return _over_some(call, name, dim, given.get("keepdim"), value)


def _given(call: ast.Call, order: tuple[str, ...], method: bool) -> dict[str, ast.expr]:
    positional = call.args if method else call.args[1:]
    if len(positional) > len(order) or any(isinstance(a, ast.Starred) for a in call.args):
        raise NotVectorisedError
    if order[:2] == ("dim", "unbiased") and positional and _is_bool(positional[0]):
        order = order[1:]
    given = dict(zip(order, positional, strict=False))
    for keyword in call.keywords:
        if keyword.arg not in _EXTRA:
            raise NotVectorisedError
        given["dim" if keyword.arg == "axis" else keyword.arg] = keyword.value
    return given


def _is_bool(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _along(call: ast.Call, name: str, given: dict[str, ast.expr], value: RowValue) -> list[Edit]:
    dim = given.get("dim")
    if dim is not None:
        return _replaced(dim, [_axis(_integers(dim), value)], value)
    if name == "normalize" and (value.row_rank or 0) > 1:
        return [_added(call, f"dim={value.axes[1]}", value)]
    raise NotVectorisedError


def _axis(dims: list[int], value: RowValue) -> int:
    rank = value.row_rank or 0
    if len(dims) != 1 or not -rank <= dims[0] < rank:
        raise NotVectorisedError
    return value.axes[dims[0]]


def _integers(node: ast.expr) -> list[int]:
    try:
        found = ast.literal_eval(node)
    except ValueError:
        raise NotVectorisedError from None
    several = list(found) if isinstance(found, (tuple, list)) else [found]
    if not several or not all(type(d) is int for d in several):
        raise NotVectorisedError
    return several


def _replaced(node: ast.expr, axes: list[int], value: RowValue) -> list[Edit]:
    """Write the dimensions; one that counts from the end and still means the same stays."""
    if len(axes) == 1:
        old = _integers(node)[0]
        if old < 0 and old + (value.rank or 0) == axes[0]:
            return []
    start, end = value.facts.source.span(node)
    return [Edit(start, end, str(axes[0]) if len(axes) == 1 else str(tuple(axes)))]


def _over_some(
    call: ast.Call, name: str, dim: ast.expr, keep: ast.expr | None, value: RowValue
) -> list[Edit]:
    """A reduction of some dimensions of the row."""
    rank = value.row_rank or 0
    dims = _integers(dim)
    if name in _NAMED or any(not -rank <= d < rank for d in dims):
        raise NotVectorisedError
    places = sorted(d % rank for d in dims)
    edits = _replaced(dim, [value.axes[p] for p in places], value)
    if keep is not None and not _is_bool(keep):
        raise NotVectorisedError
    if is_true(keep):
        return edits
    if places != list(range(len(places))):
        raise NotVectorisedError  # without keepdim, what is left would line up otherwise
    if keep is not None:
        start, end = value.facts.source.span(keep)
        return [*edits, Edit(start, end, "True")]
    return [*edits, _added(call, "keepdim=True", value)]


def _over_all(
    call: ast.Call,
    name: str,
    dotted: str | None,
    given: dict[str, ast.expr],
    value: RowValue,
    row: str,
    torch: Callable[[str], str],
) -> list[Edit]:
    """A reduction of the whole row to one number."""
    axes = value.axes
    where = f"dim={axes[0] if len(axes) == 1 else axes}, keepdim=True"
    source = value.facts.source
    if name in ("norm", "vector_norm") and len(axes) > 1 and dotted != "torch.linalg.vector_norm":
        order = given.get("p", given.get("ord"))
        if dotted == "torch.linalg.norm" and order is not None:
            raise NotVectorisedError  # of a matrix, another norm
        if order is not None and not isinstance(order, ast.Constant):
            raise NotVectorisedError
        if isinstance(order, ast.Constant) and not isinstance(order.value, (int, float)):
            raise NotVectorisedError
        operand = call.args[0] if dotted else getattr(call.func, "value", call)
        if not value.is_row(operand):
            raise NotVectorisedError
        power = f", {source.segment(order)}" if order is not None else ""
        start, end = source.span(call)
        return [Edit(start, end, f"{torch('linalg.vector_norm')}({row}{power}, {where})")]
    edits = [_added(call, where, value)]
    first = next((a for a in call.args if _is_bool(a)), None)
    if first is not None:
        at = source.span(first)[0]
        edits.append(Edit(at, at, "unbiased="))
    if name in _NAMED:
        if given:
            raise NotVectorisedError
        end = source.span(call.func)[1]
        edits.append(Edit(end - len(name), end, _NAMED[name]))
        if isinstance(call.func, ast.Name):
            raise NotVectorisedError
    return edits


def _added(call: ast.Call, text: str, value: RowValue) -> Edit:
    """One more argument at the end of a call."""
    end = value.facts.source.span(call)[1] - 1
    before = value.facts.source.text[:end].rstrip()
    comma = "" if before.endswith("(") else " " if before.endswith(",") else ", "
    return Edit(end, end, comma + text)
