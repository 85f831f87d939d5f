"""What each public torch operation does to a value: a typed view of `torch_api.json`.

The table is generated from an installed torch (`tools/generate_torch_api.py`), so that reading it
needs none. Entries become objects on first use: a file mentions a few dozen of the 1,700.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Op:
    """One function, method or attribute. Fields: `docs/torch-api.md` or the generator's notes."""

    ret: str = "tensor"  # tensor, tensors, number, bool, none, sizes, list, numpy, other
    n: int | None = None  # how many tensors, when that never varies
    shape: str | None = None  # same, broadcast, reduce, scalar, loss; None: unknown
    grad: bool = True  # False: the result never carries a graph
    zero_grad: bool = False  # carries a graph through which only zeros flow
    dtype: str = "same"  # same, bool, int64, float, promote, complex, arg
    alias: str | None = None  # view, maybe, self
    args: tuple[str, ...] = ()  # positional names; a method's leave out `self`
    creates: bool = False  # makes a tensor without being given one
    saves: tuple[str, ...] = ()  # forward values that the backward formula holds
    saves_for: Mapping[str, list[str]] = field(default_factory=dict)  # ... for each input
    ret_dim: str | None = None  # what it returns instead when a dimension is given
    dim_required: bool = False
    out: bool = False
    widen: bool = False  # bool and small integers come out as int64


@dataclass(frozen=True, slots=True)
class ModuleOp:
    """A class of `torch.nn`; `ret`, `shape` and `rank` are those of calling an instance."""

    params: bool = False
    ret: str = "tensor"
    n: int | None = None
    shape: str | None = None  # same, last (all but the last dimension), scalar
    rank: str | None = None  # same
    container: bool = False
    reduction: bool = False  # takes `reduction=`; with "none" it is not a scalar


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
    return table


def _op(section: str, name: str) -> Op | None:
    spec = _table()[section].get(name)
    if spec is None:
        return None
    tuples = {key: tuple(spec[key]) for key in ("args", "saves") if key in spec}
    return Op(**{**_known(spec, Op), **tuples})


def _known(spec: dict[str, Any], kind: type) -> dict[str, Any]:
    """Without what a newer table says and nothing here asks for."""
    names = {f.name for f in fields(kind)}
    return {key: value for key, value in spec.items() if key in names}


@functools.cache
def function(name: str) -> Op | None:
    """By full name: `torch.nn.functional.relu`."""
    return _op("functions", name)


@functools.cache
def method(name: str) -> Op | None:
    """A method of `torch.Tensor`, by its bare name."""
    return _op("methods", name)


@functools.cache
def property_(name: str) -> Op | None:
    """An attribute of `torch.Tensor`."""
    return _op("properties", name)


@functools.cache
def module(name: str) -> ModuleOp | None:
    """By full name: `torch.nn.Linear`."""
    spec = _table()["modules"].get(name)
    return None if spec is None else ModuleOp(**_known(spec, ModuleOp))


def is_optimizer(name: str) -> bool:
    return name in _table()["optimizers"]


def is_scheduler(name: str) -> bool:
    return name in _table()["schedulers"]


def torch_version() -> str:
    """The version of torch that the table was made from."""
    version: str = _table()["torch"]
    return version
