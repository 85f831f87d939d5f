"""Run one call and write down what it did to its tensors."""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves, tree_map

from torch_api.signatures import Signature

Fn = Callable[..., Any]
FIRST = "self"  # what the table calls the first argument, whatever its name


@dataclass(frozen=True)
class Call:
    """A sample: what to call, with what."""

    fn: Fn
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    signature: Signature

    def bound(self) -> list[tuple[str, Any]]:
        names = self.signature.bind(self.args, self.kwargs)
        return [*zip(names, self.args, strict=True), *self.kwargs.items()]

    def differentiable(self) -> list[str]:
        """Names of the arguments that hold tensors which can require grad."""
        return [
            label
            for label, value in _labelled(self.bound())
            if any(t.is_floating_point() or t.is_complex() for t in _tensors(value))
        ]


@dataclass(frozen=True)
class Run:
    """What was seen. `None`: this call could not tell."""

    ret: str
    n: int | None = None
    plain: bool = True  # no keyword arguments
    bare: bool = False  # nothing but the first argument
    flags: frozenset[str] = frozenset()  # options given as True
    tensors_in: int = 0
    shapes: frozenset[str] = frozenset()  # the hypotheses that hold
    telling: bool = False  # shapes rich enough to tell the hypotheses apart
    has_dim: bool = False
    binary: bool = False  # `max(a, b)`: a tensor as `other`
    filled: bool = True  # the first tensor has elements (`cat` passes over empty ones)
    rank_in: int = 0
    rank_out: int | None = None
    last: bool | None = None  # all but the last dimension kept
    grad: bool | None = None
    zero_grad: bool | None = None
    dtype_in: torch.dtype | None = None
    dtype_out: torch.dtype | None = None
    promoted: bool = False  # the result's dtype is what all tensors given promote to
    dtype_arg: bool = False
    shares: bool | None = None
    identical: bool = False
    mutates: bool = False
    saves: frozenset[str] = frozenset()


def observe(call: Call, needs: Sequence[str] = ()) -> Run | None:
    """One run in which the arguments named in `needs` require grad; None where it raises."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _observe(call, needs)
    except Exception:
        return None


def observe_most(call: Call) -> Run | None:
    """With as many arguments requiring grad as the call puts up with.

    Targets and weights are often refused; a list of integers never needs asking.
    """
    names = call.differentiable()
    for needs in dict.fromkeys((tuple(names), tuple(names[:1]), ())):
        run = observe(call, needs)
        if run is not None:
            return run
    return None


def _observe(call: Call, needs: Sequence[str]) -> Run:
    leaves: list[torch.Tensor] = []

    def fresh(value: Any, wanted: bool) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        copy = value.detach().clone()
        if wanted and (copy.is_floating_point() or copy.is_complex()):
            leaves.append(copy.requires_grad_())
            # Ops in place are refused on a leaf; a clone is not one.
            return copy.clone()
        return copy

    values = [
        tree_map(lambda v, w=label in needs: fresh(v, w), value)
        for label, value in _labelled(call.bound())
    ]
    count = len(call.args)
    kwargs = dict(zip(call.kwargs, values[count:], strict=True))
    call = replace(call, args=tuple(values[:count]), kwargs=kwargs)
    before = [(t, t._version, t.shape) for t in _tensors(values)]
    storages = [(label, _storages(value)) for label, value in _labelled(call.bound())]
    packed: list[torch.Tensor] = []

    def pack(t: torch.Tensor) -> torch.Tensor:
        packed.append(t)
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = call.fn(*call.args, **call.kwargs)
    run = _shapes(_classify(out), call, before, out)
    run = _flow(run, out, before, leaves)
    return replace(run, saves=_saved(storages, packed, out) if leaves else frozenset())


def _labelled(bound: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name if i else FIRST, value) for i, (name, value) in enumerate(bound)]


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor)]


def _storages(tree: Any) -> set[int]:
    return {
        t.untyped_storage().data_ptr()
        for t in _tensors(tree)
        if t.layout is torch.strided and t.numel()
    }


_SIMPLE: tuple[tuple[type, str], ...] = (
    (torch.Tensor, "tensor"),
    (type(None), "none"),
    (bool, "bool"),
    (torch.Size, "sizes"),
    (np.ndarray, "numpy"),
    (PackedSequence, "other"),
)


def _classify(out: Any) -> Run:
    for kind, name in _SIMPLE:
        if isinstance(out, kind):
            return Run(name)
    if isinstance(out, int | float | complex):
        return Run("number")
    leaves = tree_leaves(out)
    if isinstance(out, tuple | list) and not out:
        raise ValueError("empty: of what, nobody knows")
    if isinstance(out, tuple | list) and _tensors(out):
        only = all(isinstance(x, torch.Tensor) or x is None for x in leaves)
        return Run("tensors", n=len(out)) if only else Run("other")
    if isinstance(out, tuple) and all(isinstance(x, int) for x in out):
        return Run("sizes")
    if isinstance(out, list) and all(isinstance(x, int | float | complex) for x in leaves):
        return Run("list")
    return Run("other")


def _reduced(shape: Sequence[int], dim: Any, keepdim: bool) -> tuple[int, ...] | None:
    dims = [dim] if isinstance(dim, int) else dim
    if dims and not all(isinstance(d, int) for d in dims):
        return None
    rank = max(len(shape), 1)
    gone = {d % rank for d in dims} if dims else set(range(rank))
    if keepdim:
        return tuple(1 if i in gone else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in gone)


def _options(run: Run, call: Call) -> tuple[Run, dict[str, Any]]:
    bound = dict(call.bound())
    dim = bound.get("dim", bound.get("axis"))
    run = replace(
        run,
        plain=not call.kwargs,
        bare=len(bound) == 1,
        has_dim=dim is not None,
        binary=isinstance(bound.get("other"), torch.Tensor),
        dtype_arg=isinstance(bound.get("dtype"), torch.dtype),
        flags=frozenset(k for k, v in bound.items() if v is True),
    )
    keepdim = bound.get("keepdim", bound.get("keepdims", False)) is True
    mean = bound.get("reduction", "mean") not in ("none", 0)
    return run, {"dim": dim, "keepdim": keepdim, "mean": mean}


def _shapes(run: Run, call: Call, before: list[tuple[Any, int, Any]], out: Any) -> Run:
    run, option = _options(run, call)
    results = [t for t in _tensors(out) if t.layout is torch.strided]
    run = replace(run, tensors_in=len(before))
    if results:
        run = replace(run, dtype_out=results[0].dtype)
    if not results or not before:
        return run
    first = before[0][2]
    try:
        wide: Any = torch.broadcast_shapes(*(shape for _, _, shape in before))
    except RuntimeError:
        wide = None
    less = _reduced(first, option["dim"], option["keepdim"])
    holds = {
        "same": all(t.shape == first for t in results),
        "broadcast": all(t.shape == wide for t in results),
        "scalar": all(t.dim() == 0 for t in results),
        # An empty `dim` means all to some and none to others (`all`): nobody writes it.
        "reduce": option["dim"] in ((), []) or all(tuple(t.shape) == less for t in results),
        "loss": all(t.dim() == 0 for t in results) if option["mean"] else True,
    }
    ranks = {t.dim() for t in results}
    return replace(
        run,
        shapes=frozenset(h for h, held in holds.items() if held),
        telling=any(s > 1 for s in first),
        filled=0 not in first,
        rank_in=len(first),
        rank_out=ranks.pop() if len(ranks) == 1 else None,
        last=bool(first) and results[0].shape[:-1] == first[:-1],
        dtype_in=before[0][0].dtype,
        promoted=results[0].dtype
        == functools.reduce(torch.promote_types, (t.dtype for t, _, _ in before)),
    )


def _flow(run: Run, out: Any, before: list[tuple[Any, int, Any]], leaves: list[Any]) -> Run:
    results = _tensors(out)
    if before:
        first, version, _ = before[0]
        given: set[int] = set().union(*(_storages(t) for t, _, _ in before))
        strided = [t for t in results if t.layout is torch.strided and t.numel()]
        run = replace(
            run,
            mutates=first._version != version,
            identical=bool(results) and results[0] is first,
            shares=all(_storages(t) <= given for t in strided) if strided and given else None,
        )
    if not leaves or not results:
        return run
    graph = [t for t in results if t.requires_grad]
    return replace(run, grad=bool(graph), zero_grad=_zero(graph, leaves) if graph else None)


def _zero(results: list[torch.Tensor], leaves: list[torch.Tensor]) -> bool | None:
    if not any(t.numel() for t in results) or not any(t.numel() for t in leaves):
        return None
    generator = torch.Generator().manual_seed(1)
    try:
        weights = [torch.rand(t.shape, generator=generator).to(t.dtype) for t in results]
        grads = torch.autograd.grad(results, leaves, weights, allow_unused=True)
    except RuntimeError:
        return None
    return not any(g is not None and bool((g != 0).any()) for g in grads)


def _saved(storages: list[tuple[str, set[int]]], packed: list[Any], out: Any) -> frozenset[str]:
    """Names of the values whose storage the backward formula holds.

    Storages are compared, not tensors: a saved view shares its version counter with its base, so
    a write to either breaks the backward.
    """
    held = _storages(packed)
    found = {label for label, mine in storages if mine & held}
    given: set[int] = set().union(*(mine for _, mine in storages))
    return frozenset(found | ({"result"} if (_storages(out) - given) & held else set()))
