"""Shapes of the operations whose result depends on more than the shape of one input.

Each rule gets the first tensor, the arguments, and the position of the first argument after that
tensor (0 for a method, 1 for a function).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autofix.flow import shapes
from autofix.flow.values import Dim, Kind, Value

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

Shape = tuple[Dim, ...]
Rule = Callable[[Value | None, "Arguments", int], Shape | None]


def _shape(first: Value | None) -> Shape | None:
    return None if first is None else first.shape


def _integer(value: Value | None) -> int | None:
    return value.const if value is not None and isinstance(value.const, int) else None


def _dims(given: Arguments, start: int, *names: str) -> list[Value] | None:
    """`(2, 3)`, `((2, 3),)` or `size=(2, 3)`."""
    for name in (*names, "size", "shape", "dims"):
        if name in given.keywords:
            value = given.keywords[name]
            return None if value.items is None else list(value.items)
    values = given.values[start:]
    if not given.exact:
        return None
    if len(values) == 1 and values[0].kind & Kind.SEQUENCE:
        return None if values[0].items is None else list(values[0].items)
    return values


def _created(first: Value | None, given: Arguments, start: int) -> Shape | None:
    dims = _dims(given, start - 1 if start else 0)
    if dims is None or not _are_sizes(dims):
        return None
    return tuple(shapes.as_dim(d) for d in dims)


def _are_sizes(dims: list[Value]) -> bool:
    """Each is one number. Of a single argument that is not known, it may be a whole shape."""
    if len(dims) == 1:
        return dims[0].is_number
    return all(d.kind & (Kind.NUMBER | Kind.UNKNOWN) for d in dims)


def _new(first: Value | None, given: Arguments, start: int) -> Shape | None:
    return _created(first, given, start + 1)


def _full(first: Value | None, given: Arguments, start: int) -> Shape | None:
    size = given.get(0, "size")
    if size is None or size.items is None:
        return None
    return tuple(shapes.as_dim(d) for d in size.items)


def _viewed(first: Value | None, given: Arguments, start: int) -> Shape | None:
    dims = _dims(given, start)
    if dims is None or not _are_sizes(dims):
        return None
    result = [shapes.as_dim(d) for d in dims]
    return tuple(None if d == -1 else d for d in result)


def _unsqueezed(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape, dim = _shape(first), _integer(given.get(start, "dim"))
    if shape is None or dim is None:
        return None
    at = shapes.axis(dim, len(shape) + 1)
    return None if at is None else (*shape[:at], 1, *shape[at:])


def _squeezed(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape = _shape(first)
    if shape is None:
        return None
    argument = given.get(start, "dim")
    if argument is None:
        known = all(isinstance(d, int) for d in shape)
        return tuple(d for d in shape if d != 1) if known else None
    dim = _integer(argument)
    at = None if dim is None else shapes.axis(dim, len(shape))
    if at is None or not isinstance(shape[at], int):
        return None
    return shape if shape[at] != 1 else (*shape[:at], *shape[at + 1 :])


def _swapped(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape = _shape(first)
    a, b = _integer(given.get(start, "dim0")), _integer(given.get(start + 1, "dim1"))
    if shape is None or a is None or b is None:
        return None
    i, j = shapes.axis(a, len(shape)), shapes.axis(b, len(shape))
    if i is None or j is None:
        return None
    result = list(shape)
    result[i], result[j] = result[j], result[i]
    return tuple(result)


def _permuted(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape, dims = _shape(first), _dims(given, start)
    if shape is None or dims is None or len(dims) != len(shape):
        return None
    order = [_integer(d) for d in dims]
    if None in order:
        return None
    return tuple(shape[i] for i in order if i is not None)


def _flattened(first: Value | None, given: Arguments, start: int) -> Shape | None:
    low = given.get(start, "start_dim")
    if low is None or low.const == 0:
        return (None,) if given.get(start + 1, "end_dim") is None else None
    shape = _shape(first)
    at = _integer(low)
    if shape is None or at is None or given.get(start + 1, "end_dim") is not None:
        return None
    return (*shape[:at], None)


def _raveled(first: Value | None, given: Arguments, start: int) -> Shape | None:
    return (None,)


def _stacked(first: Value | None, given: Arguments, start: int) -> Shape | None:
    parts = given.get(0, "tensors")
    if parts is None or parts.elem is None or parts.elem.shape is None:
        return None
    dim = given.get(1, "dim")
    at = 0 if dim is None else _integer(dim)
    shape = parts.elem.shape
    if at is None:
        return None
    position = shapes.axis(at, len(shape) + 1)
    if position is None:
        return None
    count = len(parts.items) if parts.items is not None else None
    return (*shape[:position], count, *shape[position:])


def _concatenated(first: Value | None, given: Arguments, start: int) -> Shape | None:
    parts = given.get(0, "tensors")
    if parts is None or parts.elem is None or parts.elem.shape is None:
        return None
    dim = given.get(1, "dim")
    at = 0 if dim is None else _integer(dim)
    shape = list(parts.elem.shape)
    position = None if at is None or not shape else shapes.axis(at, len(shape))
    if position is None:
        return None
    each = [p.shape[position] if p.shape else None for p in parts.items or ()]
    known = bool(each) and all(isinstance(d, int) for d in each)
    shape[position] = sum(d for d in each if isinstance(d, int)) if known else None
    return tuple(shape)


def _multiplied(first: Value | None, given: Arguments, start: int) -> Shape | None:
    other = given.get(start, "other", "mat2", "vec", "tensor")
    return shapes.matmul(_shape(first), _shape(other))


def _transposed(first: Value | None, given: Arguments, start: int) -> Shape | None:
    return shapes.transposed(_shape(first))


def _ranged(first: Value | None, given: Arguments, start: int) -> Shape | None:
    if len(given.values) == 1 and given.values[0].is_number:
        return (shapes.as_dim(given.values[0]),)
    return (None,)


def _steps(first: Value | None, given: Arguments, start: int) -> Shape | None:
    steps = given.get(2, "steps")
    return (shapes.as_dim(steps) if steps is not None else 100,)


def _eye(first: Value | None, given: Arguments, start: int) -> Shape | None:
    n, m = given.get(0, "n"), given.get(1, "m")
    if n is None:
        return None
    return (shapes.as_dim(n), shapes.as_dim(m if m is not None else n))


def _expanded(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape, dims = _shape(first), _dims(given, start)
    if dims is None:
        return None
    sizes = [shapes.as_dim(d) for d in dims]
    if -1 in sizes:
        if shape is None or len(shape) > len(sizes):
            return None
        padded: list[Dim] = [None] * (len(sizes) - len(shape)) + list(shape)
        sizes = [old if new == -1 else new for new, old in zip(sizes, padded, strict=True)]
    return tuple(sizes)


def _diagonal(first: Value | None, given: Arguments, start: int) -> Shape | None:
    shape = _shape(first)
    if shape is None or len(shape) not in (1, 2) or given.get(start, "diagonal") is not None:
        return None
    if len(shape) == 1:
        return (shape[0], shape[0])
    low = [d for d in shape if isinstance(d, int)]
    return (min(low) if len(low) == 2 else None,)


def _outer(first: Value | None, given: Arguments, start: int) -> Shape | None:
    other = given.get(start, "vec2", "other")
    a, b = _shape(first), _shape(other)
    return (a[0], b[0]) if a and b else None


def _unknown(first: Value | None, given: Arguments, start: int) -> Shape | None:
    return None


def _of_rank(rank: int) -> Rule:
    """A product that takes and gives this rank only."""

    def shape(first: Value | None, given: Arguments, start: int) -> Shape | None:
        found = _multiplied(first, given, start)
        return found if found is not None and len(found) == rank else (None,) * rank

    return shape


def _distances(first: Value | None, given: Arguments, start: int) -> Shape | None:
    a, b = _shape(first), _shape(given.get(start, "x2"))
    if a is None or b is None or len(a) != len(b) or len(a) < 2:
        return None
    return (*shapes.broadcast_dims(a[:-2], b[:-2]), a[-2], b[-2])


def _gathered(first: Value | None, given: Arguments, start: int) -> Shape | None:
    return _shape(given.get(start + 1, "index"))


def _compared(first: Value | None, given: Arguments, start: int) -> Shape | None:
    """Without the dimension along which the vectors lie: 1 if nothing is said."""
    a, b = _shape(first), _shape(given.get(start, "x2"))
    dim = given.get(start + 1, "dim")
    at = 1 if dim is None else _integer(dim)
    if a is None or b is None or at is None:
        return None
    return shapes.reduced(shapes.broadcast_dims(a, b), [at], False)


def _drawn(first: Value | None, given: Arguments, start: int) -> Shape | None:
    """`randint(high, size)` or `randint(low, high, size)`."""
    size = given.keywords.get("size")
    if size is None:
        listed = [v for v in given.values[1:3] if v.kind & Kind.SEQUENCE]
        size = listed[0] if len(listed) == 1 else None
    return tuple(map(shapes.as_dim, size.items)) if size is not None and size.items else None


def _one_dimension(first: Value | None, given: Arguments, start: int) -> Shape | None:
    """As many elements as the data says."""
    return (None,)


SHAPE_RULES: dict[str, Rule] = {
    **dict.fromkeys(("zeros", "ones", "rand", "randn", "empty"), _created),
    **dict.fromkeys(("new_zeros", "new_ones", "new_empty"), _new),
    **dict.fromkeys(("full", "new_full"), _full),
    **dict.fromkeys(("view", "reshape", "resize"), _viewed),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _swapped),
    **dict.fromkeys(("stack",), _stacked),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenated),
    **dict.fromkeys(("matmul", "mv", "dot", "vdot", "inner"), _multiplied),
    "mm": _of_rank(2),
    "bmm": _of_rank(3),
    "cdist": _distances,
    "gather": _gathered,
    "cosine_similarity": _compared,
    **dict.fromkeys(("t",), _transposed),
    **dict.fromkeys(("outer", "ger"), _outer),
    **dict.fromkeys(("linspace", "logspace"), _steps),
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "permute": _permuted,
    "flatten": _flattened,
    "ravel": _raveled,
    "arange": _ranged,
    "randperm": _ranged,
    "eye": _eye,
    "expand": _expanded,
    "diag": _diagonal,
    "repeat": _unknown,
    "randint": _drawn,
    **dict.fromkeys(("bincount", "histc", "masked_select"), _one_dimension),
}
