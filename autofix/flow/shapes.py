"""Ranks and sizes, as far as they can be followed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autofix.flow.joins import sequence
from autofix.flow.syntax import is_none
from autofix.flow.values import INTEGRAL, Dim, Kind, Value, fresh, number

if TYPE_CHECKING:
    from autofix.flow.frame import Frame

Shape = tuple[Dim, ...]


def dim_value(dim: Dim) -> Value:
    """A size, as the number it is when it is read."""
    if isinstance(dim, int):
        return number(dim)
    return number(None, dim if isinstance(dim, str) else f"d{fresh()}")


def as_dim(value: Value) -> Dim:
    """A number, as the size it gives a tensor made with it."""
    if isinstance(value.const, int) and not isinstance(value.const, bool):
        return value.const
    return value.symbol if value.is_number else None


def size(value: Value, axis: int) -> Value:
    """`value.size(axis)`."""
    if value.shape is not None:
        return (
            dim_value(value.shape[axis])
            if -len(value.shape) <= axis < len(value.shape)
            else number()
        )
    if value.shape_id is None:
        return number()
    return number(None, f"s{value.shape_id}.{axis}")


def sizes(value: Value) -> Value:
    """`value.shape`: known entries where the rank is known, else entries named by position."""
    if value.shape is not None:
        return sequence(tuple(dim_value(d) for d in value.shape))
    named = {axis: size(value, axis) for axis in range(-3, 6)} if value.shape_id else None
    return Value(Kind.SEQUENCE, elem=number(), entries=dict(named) if named else None)


def broadcast_dims(a: Shape, b: Shape) -> Shape:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    ones: list[Dim] = [1] * (len(longer) - len(shorter))
    padded = [*ones, *shorter]
    result: list[Dim] = []
    for x, y in zip(longer, padded, strict=True):
        if x == y or y == 1:
            result.append(x)
        elif x == 1:
            result.append(y)
        else:  # one is not known: a number other than 1 wins
            result.append(x if isinstance(x, int) else y if isinstance(y, int) else None)
    return tuple(result)


def broadcast(values: Sequence[Value]) -> Shape | None:
    """The shape of an elementwise operation; numbers do not count."""
    shape: Shape | None = ()
    for value in values:
        if value.kind & ~(Kind.TENSOR | Kind.NUMBER):
            return None
        if value.kind == Kind.NUMBER:
            continue
        if value.shape is None:
            return None
        assert shape is not None
        shape = broadcast_dims(shape, value.shape)
    return shape


def kept_shape_id(values: Sequence[Value]) -> int | None:
    """The identity of an unknown shape that an elementwise operation keeps."""
    unknown = {v.shape_id for v in values if v.kind != Kind.NUMBER and v.shape is None}
    known = [v for v in values if v.kind != Kind.NUMBER and v.shape is not None]
    if len(unknown) == 1 and all(v.shape == () for v in known):
        return unknown.pop()
    return None


def matmul(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None or not a or not b:
        return None
    if len(a) == 1 and len(b) == 1:
        return ()
    if len(a) == 1:
        return (*b[:-2], b[-1])
    if len(b) == 1:
        return a[:-1]
    return (*broadcast_dims(a[:-2], b[:-2]), a[-2], b[-1])


def transposed(shape: Shape | None) -> Shape | None:
    if shape is None or len(shape) < 2:
        return shape
    return (*shape[:-2], shape[-1], shape[-2])


def index(shape: Shape | None, node: ast.expr, frame: Frame) -> Shape | None:
    """The shape of `x[node]`."""
    parts = list(node.elts) if isinstance(node, ast.Tuple) else [node]
    if shape is None:
        return None
    if len(parts) == 1 and (chosen := _chosen(shape, frame.program.values.get(parts[0]))):
        return chosen
    used = sum(not is_none(p) and not _is_ellipsis(p) for p in parts)
    result: list[Dim] = []
    left = list(shape)
    for part in parts:
        if _is_ellipsis(part):
            keep = len(left) - (used - _consumed(parts, part))
            if keep < 0:
                return None
            result += left[:keep]
            left = left[keep:]
        elif is_none(part):
            result.append(1)
        elif not left:
            return None
        elif isinstance(part, ast.Slice):
            result.append(_sliced(left.pop(0), part, frame))
        else:
            value = frame.program.values.get(part)
            if value is None or not (
                value.is_number or (value.is_scalar and value.dtype != "bool")
            ):
                return None
            left.pop(0)
    return (*result, *left)


def _chosen(shape: Shape, index: Value | None) -> Shape | None:
    """The shape of `x[index]` with a tensor of indices, or a mask."""
    if index is None or not index.is_tensor or not index.shape or not shape:
        return None
    if index.dtype == "bool":
        return (None, *shape[len(index.shape) :]) if len(index.shape) <= len(shape) else None
    return (*index.shape, *shape[1:]) if index.dtype in INTEGRAL else None


def _consumed(parts: list[ast.expr], until: ast.expr) -> int:
    before = parts[: parts.index(until)]
    return sum(not is_none(p) for p in before)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def _sliced(dim: Dim, part: ast.Slice, frame: Frame) -> Dim:
    if part.lower is None and part.upper is None and part.step is None:
        return dim
    low, high, step = (
        frame.program.values[p].const if p is not None else None
        for p in (part.lower, part.upper, part.step)
    )
    if isinstance(dim, int) and all(
        p is None or isinstance(c, int)
        for p, c in ((part.lower, low), (part.upper, high), (part.step, step))
    ):
        return len(range(*slice(low, high, step).indices(dim)))
    if isinstance(low, int) and isinstance(high, int) and step is None and high - low == 1:
        return 1 if low >= 0 else None
    return None


def axis(value: int, rank: int) -> int | None:
    """A dimension counted from the front; None if it is out of range."""
    return value % rank if -rank <= value < rank else None


def reduced(shape: Shape | None, dims: Sequence[int] | None, keepdim: bool) -> Shape | None:
    """The shape after a reduction over `dims` (all, if None)."""
    if dims is None:
        return () if not keepdim else None if shape is None else (1,) * len(shape)
    if shape is None:
        return None
    axes = {axis(d, len(shape)) for d in dims}
    if None in axes:
        return None
    if keepdim:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)
