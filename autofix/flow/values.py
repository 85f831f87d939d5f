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
UNSEEN = frozenset({0})
"""The cut of what looks like a constant, and may have got a graph from code that is not seen."""


@dataclass(frozen=True, slots=True)
class Either:
    """The reference of a value that is one of several functions or objects to be called."""

    values: tuple[Value, ...]


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
    mixed: bool = False
    """A leaf on one path, and on another a constant that is none, of which its cuts may tell."""

    @property
    def is_tensor(self) -> bool:
        return self.kind == Kind.TENSOR

    @property
    def is_tensor_or_number(self) -> bool:
        """A tensor on some paths at least, and a number on all others."""
        return bool(self.kind & Kind.TENSOR) and not self.kind & ~(Kind.TENSOR | Kind.NUMBER)

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
    def has_no_elements(self) -> bool:
        """A tensor in which there is nothing that could learn, whatever it requires."""
        return self.shape is not None and 0 in self.shape

    @property
    def is_single(self) -> bool:
        """A tensor of exactly one element, of any rank."""
        return (
            self.kind == Kind.TENSOR and self.shape is not None and all(d == 1 for d in self.shape)
        )

    @property
    def inner(self) -> tuple[Value, ...]:
        """What is in a container, as far as that is known."""
        listed = (*(self.items or ()), *(self.entries or {}).values())
        return listed if self.elem is None or self.items is not None else (*listed, self.elem)

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
            None
            if self.entries is None or not below
            else tuple((k, v.key(below)) for k, v in self.entries.items()),
            self.ref,
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


def library(name: str) -> Value:
    return Value(Kind.LIBRARY, ref=name)
