"""What each public torch operation does to a value: a typed view of `torch_api.json`.

The table is generated from an installed torch (`tools/generate_torch_api.py`), so that reading it
needs none. Entries become objects on first use: a file mentions a few dozen of the 1,700.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Op:
    """One function, method or attribute.

    ret        tensor, tensors (several of them), number, bool, none, sizes, list, numpy, other
    n          how many tensors, where that never varies
    shape      that of the first tensor (same); of all tensors broadcast; of a reduction over `dim`
               (reduce); 0-d (scalar); 0-d unless `reduction="none"` (loss); None: unknown
    rank       against the first tensor's, where the shape is unknown: same, +1, -1, -2
    binary     `max(a, b)`: with a second tensor, a pointwise op and no reduction
    dtype      the first tensor's (same; of a complex number's parts, real); bool; an integer
               (int64); a float, also from integers; what all tensors promote to; complex; or
               decided by an argument, be it a dtype or another tensor (arg)
    grad       False: the result never carries a graph. True: it does if a float argument does
    zero_grad  it carries one through which only zeros flow
    alias      shares memory with an argument (view, maybe); is the first, changed in place (self)
    saves      the values that the backward formula holds: `self` is the first argument, others go
               by their names, `result` is the result
    """

    ret: str = "tensor"
    n: int | None = None
    shape: str | None = None
    grad: bool = True
    zero_grad: bool = False
    dtype: str = "same"
    alias: str | None = None
    args: tuple[str, ...] = ()  # positional names; a method's leave out `self`
    creates: bool = False  # makes a tensor without being given one
    saves: tuple[str, ...] = ()
    ret_dim: str | None = None  # what it returns instead, given a dimension
    ret_flag: tuple[str, ...] = ()  # options that make it return several tensors
    dim_required: bool = False
    rank: str | None = None
    binary: bool = False
    out: bool = False  # takes `out=`
    widen: bool = False  # bool and small integers come out as int64
    saves_for: tuple[tuple[str, tuple[str, ...]], ...] = ()  # where `saves` depends on who needs

    def saved(self, needed: Collection[str]) -> frozenset[str]:
        """What is held if only the arguments in `needed` carry a graph."""
        if not needed:
            return frozenset()
        if not self.saves_for:
            return frozenset(self.saves)
        return frozenset(s for name, held in self.saves_for if name in needed for s in held)


@dataclass(frozen=True, slots=True)
class ModuleOp:
    """A class of `torch.nn`; `ret`, `shape` and `rank` are those of calling an instance."""

    params: bool = False
    ret: str = "tensor"
    n: int | None = None
    shape: str | None = None  # same, last (all but the last dimension), scalar
    rank: str | None = None
    container: bool = False
    reduction: bool = False  # takes `reduction=`; with "none" it is not a scalar
    ret_flag: tuple[str, ...] = ()


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
    return table


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return tuple((key, tuple(names)) for key, names in value.items())
    return value


def _spec(section: str, name: str) -> dict[str, Any] | None:
    spec = _table()[section].get(name)
    return None if spec is None else {key: _frozen(value) for key, value in spec.items()}


@functools.cache
def function(name: str) -> Op | None:
    """By full name: `torch.nn.functional.relu`."""
    spec = _spec("functions", name)
    return None if spec is None else Op(**spec)


@functools.cache
def method(name: str) -> Op | None:
    """A method of `torch.Tensor`, by its bare name."""
    spec = _spec("methods", name)
    return None if spec is None else Op(**spec)


_BY_NAME_ONLY = frozenset(
    "a alpha axis aweights correction decimals from fweights generator include_self interpolation "
    "keepdims layout memory_format out pin_memory requires_grad rounding_mode sparse_grad stable "
    "x x1 x2".split()
)
"""Arguments that the table, which tells the places of arguments, does not have."""


@functools.cache
def argument_names() -> frozenset[str]:
    """What operations and methods call their arguments: `plot(x, color="red")` is none of them."""
    specs = (spec for kind in ("functions", "methods") for spec in _table()[kind].values())
    return _BY_NAME_ONLY.union(*(spec.get("args", ()) for spec in specs))


@functools.cache
def property_(name: str) -> Op | None:
    """An attribute of `torch.Tensor`."""
    spec = _spec("properties", name)
    return None if spec is None else Op(**spec)


@functools.cache
def module(name: str) -> ModuleOp | None:
    """By full name: `torch.nn.Linear`."""
    spec = _spec("modules", name)
    return None if spec is None else ModuleOp(**spec)


@functools.cache
def function_of_module(name: str) -> Op | None:
    """What a class of `torch.nn` without weights computes: `gelu` for `GELU`."""
    return function(f"torch.nn.functional.{_by_letters().get(name.lower())}")


def inplace_position(name: str) -> int | None:
    """Where the class of `torch.nn` takes `inplace` among its positional arguments."""
    function = function_of_module(name)
    if function is None or "inplace" not in function.args:
        return None
    taken = [arg for arg in function.args[1:] if arg != "training"]
    return taken.index("inplace")


@functools.cache
def _by_letters() -> dict[str, str]:
    prefix = "torch.nn.functional."
    names = (name[len(prefix) :] for name in _table()["functions"] if name.startswith(prefix))
    return {name.replace("_", ""): name for name in names if not name.endswith("_")}


def is_optimizer(name: str) -> bool:
    return name in _table()["optimizers"]


def is_scheduler(name: str) -> bool:
    return name in _table()["schedulers"]
