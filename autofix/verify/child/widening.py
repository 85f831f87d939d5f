"""Ask for float64 where a program asks for a narrower type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .tensors import Tensor

_NARROW = (torch.float32, torch.float16, torch.bfloat16)
_WIDEN = frozenset("float half bfloat16".split())


def widened(func: Any, kind: str, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Ask for float64 where the program asks for a narrower type."""
    if kind in _WIDEN:
        return torch.Tensor.double, args[:1], {}
    if kind == "type" and len(args) > 1:
        names = {"torch.FloatTensor": torch.float64, "torch.HalfTensor": torch.float64}
        args = (args[0], names.get(args[1], args[1]) if isinstance(args[1], str) else args[1])
    if kwargs.get("dtype") in _NARROW:
        kwargs = {**kwargs, "dtype": torch.float64}
    if any(isinstance(one, torch.dtype) for one in args):
        args = tuple(torch.float64 if _is_narrow(one) else one for one in args)
    if kind in ("from_numpy", "as_tensor", "tensor", "load"):
        return _doubled(func), args, kwargs
    return func, args, kwargs


def _is_narrow(value: Any) -> bool:
    return isinstance(value, torch.dtype) and value in _NARROW


def _doubled(func: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        return result.double() if isinstance(result, Tensor) and result.dtype in _NARROW else result

    return call
