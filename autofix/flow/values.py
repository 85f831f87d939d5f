"""What the analysis knows of a value: a small lattice, joined where paths meet.

A :class:`Value` is immutable by convention (not frozen: many are made for each function, and
``object.__setattr__`` would triple their cost).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from itertools import count
from operator import attrgetter
from typing import Any


class Graph(IntEnum):
    """Does the value carry an autograd graph (a ``grad_fn``, or a leaf that requires grad)?

    ``YES``: on some path that this file shows, it surely does. ``MAYBE``: nothing says it does
    not. Joining takes the larger: a cut on one path is a cut."""

    NO = 0
    MAYBE = 1
    YES = 2


class Kind:
    """Bits of what a value can be. A value met on two paths has the bits of both."""

    TENSOR = 1
    NUMBER = 2
    STRING = 4
    NONE = 8
    SEQUENCE = 16
    DICT = 32
    MODULE = 64  # an instance of a torch.nn.Module
    OBJECT = 128  # an instance of another class of this file
    CLASS = 256  # a class of this file
    FUNCTION = 512  # a function, method or lambda of this file
    NUMPY = 1024
    LIBRARY = 2048  # a dotted name that leads out of this file: module, function or class
    OPTIMIZER = 4096
    OTHER = 8192  # known, and none of the above: a dtype, a device, a shape entry, a file ...
    UNKNOWN = 16384


@dataclass(frozen=True, slots=True)
class Why:
    """One step of the chain that a user can read: what happened, where, and what came before."""

    text: str
    line: int
    before: Why | None = None

    def steps(self, most: int = 6) -> tuple[str, ...]:
        """The chain, oldest step first; the middle of a long one is left out."""
        chain: list[str] = []
        step: Why | None = self
        while step is not None:
            chain.append(f"{step.text} (line {step.line})")
            step = step.before
        chain.reverse()
        return tuple(chain if len(chain) <= most else [*chain[:2], "...", *chain[2 - most :]])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an imported name comes from, if that is a file of the project."""

    path: str
    name: str | None = None
    """None: the module itself."""


Dim = int | str | None
"""A size: a number, a symbol that stands for one unknown number, or not known."""

_fresh = count(1)


def fresh() -> int:
    """A number never given before: the identity of a storage, a shape or an unknown number."""
    return next(_fresh)


EMPTY: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Value:
    """Everything known of one value. Absent knowledge is ``None``."""

    kind: int = Kind.UNKNOWN
    graph: Graph = Graph.NO
    shape: tuple[Dim, ...] | None = None
    shape_id: int | None = None
    """Two tensors of unknown shape with the same id have the same shape."""
    dtype: str | None = None
    """A torch dtype name; ``default`` is the default float; ``float``, ``int`` are a family."""
    leaf: bool = False
    """A leaf tensor that requires grad, or may be one."""
    parameter: bool = False
    """Made by ``nn.Parameter``, or a copy of the reference to one."""
    storage: frozenset[int] = EMPTY
    """The memory it may share: two values that share none are no aliases."""
    cuts: frozenset[int] = EMPTY
    """The places where a graph was cut on the way here."""
    why: Why | None = None
    items: tuple[Value, ...] | None = None
    """The elements of a sequence of known length."""
    assumed: bool = False
    """What it is was told by an annotation or by how it is used, not by what it is made from."""
    computed: bool = False
    """Arithmetic was done on the way from where its graph began: it is more than a part of it."""
    empty: bool = False
    """A sequence that may be empty although something is known of its elements."""
    elem: Value | None = None
    """What any element of a sequence, value of a dict or entry of a container module can be."""
    entries: dict[Any, Value] | None = None
    """The values of a dict with known keys."""
    ref: Any = None
    """A dotted name (LIBRARY), a function, a class, or an instance's attributes."""
    const: Any = None
    """The value of a number, string or bool that is written in the source; the `Origin` of a name
    that leads to another file of the project."""
    symbol: str | None = None
    """The identity of a number that is not known."""
    aliases: frozenset[int] = field(default=EMPTY)
    """Identities of a mutable list or dict, so that a store through one name reaches another."""

    @property
    def is_tensor(self) -> bool:
        return self.kind == Kind.TENSOR

    @property
    def may_be_tensor(self) -> bool:
        return bool(self.kind & (Kind.TENSOR | Kind.UNKNOWN))

    @property
    def is_number(self) -> bool:
        return self.kind == Kind.NUMBER

    @property
    def may_be_empty(self) -> bool:
        return self.empty or self.items == ()

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def is_scalar(self) -> bool:
        """A 0-d tensor."""
        return self.kind == Kind.TENSOR and self.shape == ()

    @property
    def is_single(self) -> bool:
        """A tensor of exactly one element, of any rank."""
        return (
            self.kind == Kind.TENSOR and self.shape is not None and all(d == 1 for d in self.shape)
        )

    def but(self, **changes: Any) -> Value:
        new = Value(*_FIELDS_OF(self))
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    def key(self, depth: int = 4) -> tuple[Any, ...]:
        """What decides how a function treats this value; two equal keys, one evaluation."""
        below = depth - 1
        return (
            self.kind,
            self.graph,
            self.shape,
            self.dtype,
            self.leaf,
            self.storage,
            self.cuts,
            None if self.items is None or not below else tuple(v.key(below) for v in self.items),
            None if self.elem is None or not below else self.elem.key(below),
            self.ref if isinstance(self.ref, str) else id(self.ref),
            self.const if isinstance(self.const, (int, float, str, bool)) else None,
            self.symbol,
        )


# Twice as fast as `dataclasses.replace`, which matters: values are changed all the time.
_FIELDS_OF = attrgetter(*(f.name for f in fields(Value)))

FLOATING = frozenset({"default", "float", "float16", "bfloat16", "float32", "float64"})
INTEGRAL = frozenset({"int", "int8", "int16", "int32", "int64", "uint8", "bool"})
COMPLEX = frozenset({"complex", "complex32", "complex64", "complex128"})

UNKNOWN = Value(graph=Graph.MAYBE)
NONE = Value(Kind.NONE)
STRING = Value(Kind.STRING)
OTHER = Value(Kind.OTHER)
NUMBER = Value(Kind.NUMBER)
NUMPY = Value(Kind.NUMPY)


def tensor(
    graph: Graph,
    shape: tuple[Dim, ...] | None = None,
    dtype: str | None = None,
    **more: Any,
) -> Value:
    """A tensor with memory of its own unless `storage` says otherwise."""
    more.setdefault("storage", frozenset({fresh()}))
    if shape is None:
        more.setdefault("shape_id", fresh())
    return Value(Kind.TENSOR, graph, shape, dtype=dtype, **more)


def number(const: Any = None, symbol: str | None = None, **more: Any) -> Value:
    if const is None and symbol is None:
        symbol = f"n{fresh()}"
    return Value(Kind.NUMBER, const=const, symbol=symbol, **more)


def sequence(items: tuple[Value, ...] | None, elem: Value | None = None, **more: Any) -> Value:
    if items is not None:
        elem = join_all(items)
    return Value(Kind.SEQUENCE, items=items, elem=elem, **more)


def library(name: str) -> Value:
    return Value(Kind.LIBRARY, ref=name)


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
        _join_ref(a.ref, b.ref),
        a.const if type(a.const) is type(b.const) and a.const == b.const else None,
        a.symbol if a.symbol == b.symbol else None,
        a.aliases if a.aliases == b.aliases else a.aliases | b.aliases,
    )


def covers(a: Value, b: Value) -> bool:
    """Would joining `b` into `a` teach nothing? Quick, and False when in doubt."""
    return (
        a.kind == b.kind
        and a.graph >= b.graph
        and (a.shape is None or a.shape == b.shape)
        and (a.shape_id is None or a.shape_id == b.shape_id)
        and (a.dtype is None or a.dtype == b.dtype)
        and a.leaf >= b.leaf
        and a.parameter <= b.parameter
        and a.assumed >= b.assumed
        and a.computed >= b.computed
        and (a.storage is b.storage or len(a.storage) >= 8 or a.storage >= b.storage)
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


def _join_ref(a: Any, b: Any) -> Any:
    """Two objects of one class are as good as one, and so are two bindings of one method;
    anything else that differs is not known."""
    if a is b or a == b:
        return a
    alike = any(getattr(a, n, a) is getattr(b, n, b) for n in ("info", "node")) and a is not None
    return a if alike else None


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
    ref = refs[0] if len(refs) == 1 and Kind.NONE in (a.kind, b.kind) else None
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
