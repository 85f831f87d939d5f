"""Values where paths meet: the least value that covers several, and whether one is news."""

from __future__ import annotations

from typing import Any

from autofix.flow.values import (
    COMPLEX,
    FLOATING,
    INTEGRAL,
    UNKNOWN,
    Dim,
    Either,
    Graph,
    Kind,
    Value,
)


def sequence(items: tuple[Value, ...] | None, elem: Value | None = None, **more: Any) -> Value:
    if items is not None:
        elem = join_all(items)
    return Value(Kind.SEQUENCE, items=items, elem=elem, **more)


def join_all(values: tuple[Value, ...] | list[Value]) -> Value | None:
    result: Value | None = None
    for value in values:
        result = value if result is None else join(result, value)
    return result


def _join_dims(a: tuple[Dim, ...] | None, b: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    if a == b:
        return a
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _join_dtype(a: str | None, b: str | None) -> str | None:
    if a == b:
        return a
    for family, name in ((FLOATING, "float"), (INTEGRAL, "int"), (COMPLEX, "complex")):
        if a in family and b in family:
            return name
    return None


def join(a: Value | None, b: Value | None) -> Value:
    """The least value that covers both."""
    if a is b or b is None:
        return a or UNKNOWN
    if a is None:
        return b
    if a.kind != b.kind:
        return _join_kinds(a, b)
    items = None
    if a.items is not None and b.items is not None and len(a.items) == len(b.items):
        items = tuple(join(x, y) for x, y in zip(a.items, b.items, strict=True))
    strongest = a if a.graph >= b.graph else b
    return Value(
        a.kind,
        strongest.graph,
        _join_dims(a.shape, b.shape),
        a.shape_id if a.shape_id == b.shape_id else None,
        _join_dtype(a.dtype, b.dtype),
        a.leaf or b.leaf,
        a.parameter and b.parameter,
        a.storage if a.storage == b.storage else a.storage | b.storage,
        a.cuts if a.cuts == b.cuts else a.cuts | b.cuts,
        strongest.why or a.why or b.why,
        items,
        a.assumed or b.assumed,
        a.computed or b.computed,
        items is None and (a.may_be_empty or b.may_be_empty),
        _join_elem(a, b),
        _join_entries(a.entries, b.entries),
        _join_ref(a, b),
        a.const if type(a.const) is type(b.const) and a.const == b.const else None,
        a.symbol if a.symbol == b.symbol else None,
        a.aliases if a.aliases == b.aliases and a.ref is b.ref else _join_aliases(a, b),
        _mixes(a, b),
    )


def _mixes(a: Value, b: Value) -> bool:
    if a.mixed or b.mixed or a.leaf == b.leaf:
        return a.mixed or b.mixed
    other = b if a.leaf else a
    return bool(other.cuts) and other.graph < Graph.YES


def _join_aliases(a: Value, b: Value) -> frozenset[int]:
    """Where one of two lists has no identity (a tuple, say), the other's would speak for both: one
    of which no contents are known, below zero, keeps what is joined here from being lost."""
    known = a.aliases | b.aliases
    if a.kind == Kind.MODULE:
        own = (getattr(value.ref, "identity", None) for value in (a, b))
        return known.union(identity for identity in own if identity is not None)
    if known and a.kind & (Kind.SEQUENCE | Kind.DICT) and not (a.aliases and b.aliases):
        return known | {-abs(min(known, key=abs))}
    return known


MANY = 8
"""Memory that one expression was seen to give, from which on no more is added to what is known."""


def covers(a: Value, b: Value) -> bool:
    """Would joining `b` into `a` teach nothing? Quick, and False when in doubt."""
    return (
        a.kind == b.kind
        and a.graph >= b.graph
        and (a.shape is None or a.shape == b.shape)
        and (a.shape_id is None or a.shape_id == b.shape_id)
        and (a.dtype is None or a.dtype == b.dtype)
        and a.leaf >= b.leaf
        and (a.mixed or not _mixes(a, b))
        and a.parameter <= b.parameter
        and a.assumed >= b.assumed
        and a.computed >= b.computed
        and (a.storage is b.storage or len(a.storage) >= MANY or a.storage >= b.storage)
        and (a.cuts is b.cuts or a.cuts >= b.cuts)
        and (a.ref is b.ref or a.ref == b.ref)
        and (a.const is None or (a.const == b.const and type(a.const) is type(b.const)))
        and (a.symbol is None or a.symbol == b.symbol)
        and a.items is b.items
        and a.elem is b.elem
        and a.entries is b.entries
        and (a.aliases is b.aliases or a.aliases >= b.aliases)
        and a.empty >= b.empty
    )


def _join_ref(a: Value, b: Value) -> Any:
    """Two objects of one class are as good as one, and so are two bindings of one method; of
    several that can be called, and of a few named tuples, each is known. Anything else that differs
    is not."""
    if a.ref is b.ref or a.ref == b.ref:
        return a.ref
    record = _record_class(a.ref)
    if record is not None and record is _record_class(b.ref):
        return _join_records(record, _choices(a), _choices(b))
    return a.ref if _alike(a.ref, b.ref) else _either(a, b)


def _record_class(ref: Any) -> Any:
    """The class of a named tuple, or of each of several that one may be."""
    first = ref.values[0].ref if isinstance(ref, Either) else ref
    info = getattr(first, "info", None)
    return info if info is not None and info.is_record else None


def _join_records(info: Any, a: tuple[Value, ...], b: tuple[Value, ...]) -> Any:
    """Each of them; of many, and where one may as well be None, any that is ever made."""
    found = {id(value.ref): value for value in (*b, *a)}
    if not a or not b or len(found) > FEW or id(info.any_of_them) in found:
        return info.any_of_them
    return Either(tuple(found.values()))


def _alike(a: Any, b: Any) -> bool:
    return a is not None and any(getattr(a, n, a) is getattr(b, n, b) for n in ("info", "node"))


_CALLABLE = (Kind.FUNCTION, Kind.LIBRARY, Kind.OBJECT, Kind.MODULE)
FEW = 3
"""Named tuples of one class that are told apart."""
MOST = 6
"""Functions that one name is followed to."""


def _either(a: Value, b: Value) -> Either | None:
    found: list[Value] = []
    for value in (*_choices(a), *_choices(b)):
        if not any(v.ref == value.ref or _alike(v.ref, value.ref) for v in found):
            found.append(value)
    known = _choices(a) and _choices(b) and len(found) <= MOST
    return Either(tuple(found)) if known else None


def _choices(value: Value) -> tuple[Value, ...]:
    if isinstance(value.ref, Either):
        return value.ref.values
    by_name = isinstance(value.ref, str) and value.kind != Kind.LIBRARY
    known = value.kind in _CALLABLE and value.ref is not None and not by_name
    return (value,) if known else ()


def _join_elem(a: Value, b: Value) -> Value | None:
    if a.elem is None or b.elem is None:
        return a.elem or b.elem
    return a.elem if a.elem is b.elem else join(a.elem, b.elem)


def _join_entries(
    a: dict[Any, Value] | None, b: dict[Any, Value] | None
) -> dict[Any, Value] | None:
    if a is None or b is None:
        return None
    if a is b:
        return a
    return {k: join(a.get(k), b.get(k)) for k in {**a, **b}}


def _join_kinds(a: Value, b: Value) -> Value:
    """Of two kinds: the tensor's knowledge is kept for the tensor, the sequence's for it."""
    strongest = a if a.graph >= b.graph else b
    tensor_like = [v for v in (a, b) if v.kind & Kind.TENSOR]
    shaped = tensor_like[0] if len(tensor_like) == 1 else strongest
    shape = _join_dims(a.shape, b.shape) if len(tensor_like) == 2 else shaped.shape
    dtype = _join_dtype(a.dtype, b.dtype) if len(tensor_like) == 2 else shaped.dtype
    # `model = None` and later an instance: the reference is still the only one there is.
    refs = [v.ref for v in (a, b) if v.ref is not None]
    either = len(refs) == 2 and not (a.kind | b.kind) & Kind.NONE
    ref = refs[0] if len(refs) == 1 and Kind.NONE in (a.kind, b.kind) else None
    ref = _either(a, b) if either else ref
    # `total = 0.0` and later a tensor: the number it can be is still that one.
    consts = list({repr(v.const): v.const for v in (a, b) if v.kind & Kind.NUMBER}.values())
    return Value(
        a.kind | b.kind,
        strongest.graph,
        shape,
        shaped.shape_id,
        dtype,
        a.leaf or b.leaf,
        False,
        a.storage | b.storage,
        a.cuts | b.cuts,
        strongest.why or a.why or b.why,
        None,
        a.assumed or b.assumed,
        a.computed or b.computed,
        a.may_be_empty or b.may_be_empty,
        _join_elem(a, b),
        a.entries if b.entries is None else b.entries if a.entries is None else None,
        ref,
        consts[0] if len(consts) == 1 else None,
        None,
        a.aliases | b.aliases,
        _mixes(a, b),
    )


def same(a: Value, b: Value) -> bool:
    """Nothing new in `b`: used to stop a loop's iteration (identities do not count)."""
    if a is b:
        return True
    if (
        a.kind != b.kind
        or a.graph != b.graph
        or a.shape != b.shape
        or a.dtype != b.dtype
        or a.cuts != b.cuts
        or a.const != b.const
        or (a.items is None) != (b.items is None)
    ):
        return False
    if a.elem is None or b.elem is None:
        return a.elem is b.elem
    return same(a.elem, b.elem)


def promote(a: str | None, b: str | None) -> str | None:
    """The dtype of a binary operation between two tensors of rank 1 and more."""
    if a == b:
        return a
    if a is None or b is None:
        return None
    for family in (COMPLEX, FLOATING):
        inside = [d for d in (a, b) if d in family]
        if len(inside) == 1:
            return inside[0]
        if len(inside) == 2:
            return "float64" if "float64" in inside else None
    return "int" if a in INTEGRAL and b in INTEGRAL else None
