"""Where sample calls come from: torch's own test inputs, else a few probes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo
from torch_api.observe import Call, Fn
from torch_api.probes import PROBES, SIBLINGS

SAMPLES = 40  # per operation, of the main dtype
OTHERS = 5  # per other dtype
OTHER_DTYPES = (torch.float64, torch.int64, torch.int32, torch.bool, torch.complex64)
NAMESPACES = ("torch.", "torch.nn.functional.", "torch.linalg.", "torch.special.", "torch.fft.")


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
    index = _index()
    name = key.removeprefix("torch.Tensor.")
    if name == key:
        where, _, name = key.rpartition(".")
        spellings = [where + "."]
    else:
        spellings = ["torch."]
    spellings += [n for n in NAMESPACES if n not in spellings]
    for stem in dict.fromkeys((name, name.rstrip("_") or name, SIBLINGS.get(name, name))):
        for spelling in spellings:
            if spelling + stem in index:
                return index[spelling + stem]
    return []


class _Catch(TorchFunctionMode):
    """The arguments with which `target` is called: OpInfo wraps many ops in a lambda."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.caught: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.caught is None and _names(func, self.key):
            self.caught = (tuple(args), dict(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _names(func: Any, key: str) -> bool:
    try:
        return resolve_name(func) == key
    except Exception:
        return False


def _from_info(op: OpInfo, key: str, fn: Fn, dtype: torch.dtype, limit: int) -> Iterator[Any]:
    if dtype not in op.dtypes and dtype is not torch.float32:
        return
    torch.manual_seed(0)
    wrapped = op.op is not fn and getattr(op.op, "__name__", "") in ("<lambda>", "wrapper_set_seed")
    try:
        inputs = op.sample_inputs("cpu", dtype, requires_grad=False)
        for sample in itertools.islice(inputs, limit):
            args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
            if wrapped:
                with _Catch(key) as catch:
                    try:
                        op.op(*args, **kwargs)
                    except Exception:
                        continue
                if catch.caught is not None:
                    args, kwargs = catch.caught
            yield args, kwargs
    except Exception:
        return


def _transposed(tree: Any) -> Any:
    """The same values in another memory order: an op that is a view only by luck copies here."""

    def swap(t: Any) -> Any:
        if isinstance(t, torch.Tensor) and t.dim() >= 2 and t.layout is torch.strided:
            return t.transpose(0, -1).contiguous().transpose(0, -1)
        return t

    return torch.utils._pytree.tree_map(swap, tree)


def calls(key: str, fn: Fn, names: tuple[str, ...]) -> Iterator[tuple[Call, torch.dtype]]:
    """Sample calls of one callable with the dtype they were made for."""
    for make in PROBES.get(key, ()):
        args, kwargs = make()
        yield Call(fn, args, kwargs, names), torch.float32
    for op in infos(key):
        for dtype, limit in ((torch.float32, SAMPLES), *((d, OTHERS) for d in OTHER_DTYPES)):
            for count, (args, kwargs) in enumerate(_from_info(op, key, fn, dtype, limit)):
                yield Call(fn, args, kwargs, names), dtype
                if dtype is torch.float32 and count < 8:
                    args, kwargs = _transposed((args, kwargs))
                    yield Call(fn, args, kwargs, names), dtype


def mixed(call: Call) -> Call | None:
    """The call with every floating tensor after the first made float64: does it promote?"""
    seen = [0]

    def cast(t: Any) -> Any:
        if not isinstance(t, torch.Tensor) or not t.is_floating_point():
            return t
        seen[0] += 1
        return t.to(torch.int64) if seen[0] == 1 else t

    args, kwargs = torch.utils._pytree.tree_map(cast, (call.args, call.kwargs))
    return Call(call.fn, args, kwargs, call.names) if seen[0] > 1 else None
