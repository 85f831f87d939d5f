"""Run one call and write down what it did to its tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

Fn = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """A sample: what to call, with what. `names` are the positional names, receiver included."""

    fn: Fn
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...]

    def bound(self) -> dict[str, Any]:
        by_name = dict(zip(self.names, self.args, strict=False))
        if len(self.args) > len(self.names) and self.names:
            # `*dims`-like tails belong to the last name.
            by_name[self.names[-1]] = self.args[len(self.names) - 1 :]
        return by_name | self.kwargs


@dataclass(frozen=True)
class Run:
    """What was seen. `None` means that the call could not tell."""

    ret: str
    n: int | None = None
    shapes: frozenset[str] = frozenset()
    trivial: bool = True  # shapes too plain to tell the hypotheses apart
    has_dim: bool = False
    full_flag: bool = False  # an option such as `return_inverse=True` was given
    tensors_in: int = 0
    broadcasted: bool = False
    grad: bool | None = None
    zero_grad: bool | None = None
    dtype_in: torch.dtype | None = None
    dtypes_in: tuple[torch.dtype, ...] = ()
    dtype_out: torch.dtype | None = None
    dtype_arg: bool = False
    shares: bool | None = None
    identical: bool = False
    mutates: bool = False
    saves: frozenset[str] | None = None
    ndim_same: bool | None = None
    last: bool | None = None


def observe(call: Call, *, grad: bool = True, saves: bool = True) -> Run | None:
    """One run, or None where the call raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _observe(call, grad, saves)
    except Exception:
        return None


def _observe(call: Call, grad: bool, want_saves: bool) -> Run:
    leaves: list[torch.Tensor] = []

    def fresh(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        copy = value.detach().clone()
        if grad and (copy.is_floating_point() or copy.is_complex()):
            leaves.append(copy.requires_grad_())
            # Ops in place are refused on a leaf; a clone is not one.
            return copy.clone()
        return copy

    args, kwargs = tree_map(fresh, (call.args, call.kwargs))
    call = replace(call, args=args, kwargs=kwargs)
    tensors = _tensors((args, kwargs))
    before = [(t, t._version, t.shape) for t in tensors]
    storages = {name: _storages(value) for name, value in call.bound().items()}
    packed: list[torch.Tensor] = []

    def pack(t: torch.Tensor) -> torch.Tensor:
        packed.append(t)
        return t

    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = call.fn(*args, **kwargs)
    run = _classify(out)
    run = _shapes(run, call, before, out)
    run = _flow(run, out, before, leaves)
    if want_saves and leaves:
        run = replace(run, saves=_saved(call, storages, packed, out))
    return run


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor)]


def _storages(tree: Any) -> set[int]:
    found = set()
    for t in _tensors(tree):
        if t.layout is torch.strided and t.numel():
            found.add(t.untyped_storage().data_ptr())
    return found


_SIMPLE: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (torch.Size, "sizes"),
    (np.ndarray, "numpy"),
)


def _classify(out: Any) -> Run:
    if isinstance(out, torch.Tensor):
        return Run("tensor")
    if out is None:
        return Run("none")
    for kind, name in _SIMPLE:
        if isinstance(out, kind):
            return Run(name)
    if isinstance(out, int | float | complex):
        return Run("number")
    leaves = tree_leaves(out)
    if isinstance(out, tuple | list) and leaves and _tensors(out):
        only = all(isinstance(x, torch.Tensor) or x is None for x in leaves)
        return Run("tensors", n=len(out)) if only else Run("other")
    if isinstance(out, tuple) and all(isinstance(x, int) for x in out):
        return Run("sizes")
    if isinstance(out, list) and all(isinstance(x, int | float | complex) for x in leaves):
        return Run("list")
    return Run("other")


def _reduced(shape: Sequence[int], dim: Any, keepdim: bool) -> tuple[int, ...] | None:
    if isinstance(dim, str):
        return None
    dims = [dim] if isinstance(dim, int) else dim
    rank = max(len(shape), 1)
    gone = set(range(len(shape))) if not dims and dims != 0 else {d % rank for d in dims}
    if keepdim:
        return tuple(1 if i in gone else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in gone)


def _shapes(run: Run, call: Call, before: list[tuple[Any, int, Any]], out: Any) -> Run:
    bound = call.bound()
    run = replace(
        run,
        tensors_in=len(before),
        dtype_arg=isinstance(bound.get("dtype"), torch.dtype),
        full_flag=any(v is True and k.startswith(("return_", "compute_")) for k, v in bound.items()),
    )
    results = [t for t in _tensors(out) if t.layout is torch.strided]
    if not results:
        return run
    if not before:
        return replace(run, shapes=frozenset(), dtype_out=results[0].dtype)
    holds = {"same", "broadcast", "scalar", "reduce", "loss"}
    first = before[0][2]
    dim = bound.get("dim", bound.get("axis"))
    dim = None if isinstance(dim, bool) else dim  # `std(x, True)` is `unbiased`
    keepdim = bound.get("keepdim", bound.get("keepdims", False)) is True
    try:
        wide: Any = torch.broadcast_shapes(*(shape for _, _, shape in before))
    except RuntimeError:
        wide = None
    try:
        less: Any = _reduced(first, dim, keepdim)
    except TypeError:
        less = None
    mean = bound.get("reduction", "mean") not in ("none", 0)
    for t in results:
        expected = {
            "same": t.shape == first,
            "broadcast": t.shape == wide,
            "scalar": t.dim() == 0,
            "reduce": tuple(t.shape) == less,
            "loss": t.dim() == 0 if mean else True,
        }
        holds = {h for h in holds if expected[h]}
    return replace(
        run,
        shapes=frozenset(holds),
        trivial=len(first) == 0 or all(s <= 1 for s in first),
        has_dim=dim is not None,
        broadcasted=wide is not None and wide != first,
        dtype_in=before[0][0].dtype,
        dtypes_in=tuple(t.dtype for t, _, _ in before),
        dtype_out=results[0].dtype,
        ndim_same=results[0].dim() == len(first),
        last=bool(first) and results[0].shape[:-1] == first[:-1],
    )


def _flow(run: Run, out: Any, before: list[tuple[Any, int, Any]], leaves: list[Any]) -> Run:
    results = _tensors(out)
    if before:
        first, version, _ = before[0]
        run = replace(
            run,
            mutates=first._version != version,
            identical=bool(results) and results[0] is first,
        )
        if results and first.layout is torch.strided and first.numel():
            mine = _storages(first)
            strided = [t for t in results if t.layout is torch.strided and t.numel()]
            if strided:
                run = replace(run, shares=all(_storages(t) <= mine for t in strided))
    if not leaves or not results:
        return run
    graph = [t for t in results if t.requires_grad]
    return replace(run, grad=bool(graph), zero_grad=_zero(graph, leaves) if graph else None)


def _zero(results: list[torch.Tensor], leaves: list[torch.Tensor]) -> bool | None:
    if not any(t.numel() for t in results) or all(t.is_complex() for t in results):
        return None
    generator = torch.Generator().manual_seed(1)
    weights = [torch.rand(t.shape, generator=generator, dtype=torch.float64) for t in results]
    try:
        total = sum((t * w.to(t.dtype)).real.sum() for t, w in zip(results, weights, strict=True))
        grads = torch.autograd.grad(total, leaves, allow_unused=True)  # type: ignore[arg-type]
    except RuntimeError:
        return None
    return not any(g is not None and bool((g != 0).any()) for g in grads)


def _saved(call: Call, storages: dict[str, set[int]], packed: list[Any], out: Any) -> frozenset[str]:
    """Names of the values whose storage the backward formula holds.

    Storages are compared, not tensors: a saved view shares its version counter with its base, so
    a write to either breaks the backward.
    """
    held = _storages(packed)
    first = call.names[0] if call.names else None
    found = {("self" if n == first else n) for n, mine in storages.items() if mine & held}
    given: set[int] = set().union(*storages.values())
    if (_storages(out) - given) & held:
        found.add("result")
    return frozenset(found)
