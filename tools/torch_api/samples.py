"""Where sample calls come from: torch's own test inputs, else a few probes."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy  # noqa: F401  without it `op_db` silently leaves operations out
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import BinaryUfuncInfo, OpInfo
from torch.utils._pytree import tree_map

from torch_api.observe import Call, Fn
from torch_api.probes import PROBES, SIBLINGS
from torch_api.signatures import Signature

SAMPLES = 40  # per operation, of the main dtype
OTHERS = 6  # per other dtype
OTHER_DTYPES = (torch.float64, torch.int64, torch.int32, torch.bool, torch.complex64)
NAMESPACES = ("torch.", "torch.nn.functional.", "torch.linalg.", "torch.special.", "torch.fft.")
# Operations of these have no OpInfo, and share names with unrelated ones that do.
APART = ("torch.nn.init.", "torch.nn.utils.", "torch.autograd.")


@functools.cache
def _index() -> dict[str, list[OpInfo]]:
    index: dict[str, list[OpInfo]] = {}
    for op in op_db:
        if "jiterator" in op.name:
            continue
        for name in (op.name, *(a.name for a in op.aliases)):
            index.setdefault("torch." + name, []).append(op)
    return index


def infos(key: str) -> list[OpInfo]:
    """OpInfos for `torch.x` or method `x`; else those of the same operation elsewhere."""
    if key.startswith(APART):
        return []
    index = _index()
    name = key.removeprefix("torch.Tensor.")
    spellings = ["torch."]
    if name == key:
        where, _, name = key.rpartition(".")
        spellings = [where + "."]
    spellings += [n for n in NAMESPACES if n not in spellings]
    for stem in dict.fromkeys((name, SIBLINGS.get(name, name), name.rstrip("_") or name)):
        for spelling in spellings:
            if spelling + stem in index:
                return index[spelling + stem]
    return []


def binary(key: str) -> bool:
    return any(isinstance(op, BinaryUfuncInfo) for op in infos(key))


class _Catch(TorchFunctionMode):
    """The arguments with which one function is called: OpInfo wraps many ops in a lambda."""

    def __init__(self, key: str, fn: Fn) -> None:
        self.key, self.fn = key, fn
        self.caught: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.caught is None and (func is self.fn or _is(func, self.key)):
            self.caught = (tuple(args), dict(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _is(func: Any, key: str) -> bool:
    try:
        return resolve_name(func) == key
    except Exception:
        return False


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def _from_info(op: OpInfo, key: str, fn: Fn, dtype: torch.dtype, limit: int) -> Iterator[Any]:
    if dtype not in op.dtypes and dtype is not torch.float32:
        return
    _seed()
    wrapped = op.op is not fn and getattr(op.op, "__name__", "") in ("<lambda>", "wrapper_set_seed")
    try:
        inputs = op.sample_inputs("cpu", dtype, requires_grad=False)
        for sample in itertools.islice(inputs, limit):
            args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
            if wrapped:
                with _Catch(key, fn) as catch:
                    try:
                        op.op(*args, **kwargs)
                    except Exception:
                        continue
                if catch.caught is not None:
                    args, kwargs = catch.caught
            yield args, kwargs
    except Exception:
        return


def calls(key: str, fn: Fn, signature: Signature) -> Iterator[Call]:
    for make in PROBES.get(key, ()):
        args, kwargs = make()
        yield Call(fn, args, kwargs, signature)
    for op in infos(key):
        for dtype, limit in ((torch.float32, SAMPLES), *((d, OTHERS) for d in OTHER_DTYPES)):
            for args, kwargs in _from_info(op, key, fn, dtype, limit):
                yield Call(fn, args, kwargs, signature)


def _map(call: Call, change: Any) -> Call:
    args, kwargs = tree_map(change, (call.args, call.kwargs))
    return replace(call, args=args, kwargs=kwargs)


def transposed(call: Call) -> Call:
    """The same values in another memory order: an op that is a view only by luck copies here."""

    def swap(t: Any) -> Any:
        if isinstance(t, torch.Tensor) and t.dim() >= 2 and t.layout is torch.strided:
            return t.transpose(0, -1).contiguous().transpose(0, -1)
        return t

    return _map(call, swap)


def cast(call: Call, dtype: torch.dtype, *, only_first: bool = False) -> Call | None:
    """The call with its float tensors made another dtype; None where that changes nothing."""
    seen = [0]

    def change(t: Any) -> Any:
        if not isinstance(t, torch.Tensor) or not t.is_floating_point():
            return t
        seen[0] += 1
        return t if only_first and seen[0] > 1 else t.to(dtype)

    changed = _map(call, change)
    return changed if seen[0] > only_first else None


def variants(call: Call) -> Iterator[Call]:
    """The call with other shapes. Samples are often all square, or all of one rank, and would
    then agree with more than is true; a variant that runs says more, one that raises says nothing.
    """
    if any("pivots" in name.lower() for name, _ in call.bound()):
        return  # LAPACK trusts them: out of range, they write outside of the tensor
    lift, drop = (lambda t: t[None]), (lambda t: t[0] if t.dim() else t)
    for change in (lift, drop):
        yield _map(call, _nth(change, lambda n: True))
        yield _map(call, _nth(change, lambda n: n == 0))
    yield _map(call, _nth(lift, lambda n: n > 0))
    for dim in (0, 1, -1):
        yield _map(call, _nth(lambda t, d=dim: t.narrow(d, 0, t.shape[d] - 1), lambda n: n == 0))


def _nth(change: Any, wanted: Any) -> Any:
    seen = itertools.count()

    def apply(t: Any) -> Any:
        if not isinstance(t, torch.Tensor) or not wanted(next(seen)):
            return t
        try:
            return change(t)
        except (IndexError, RuntimeError):
            return t

    return apply
