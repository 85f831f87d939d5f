"""What a function mode does not see: constructors, and a stop inside of a function of torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

import torch

from .current import current
from .tensors import Tensor


def _patch_constructors() -> None:
    """In float64 runs `torch.FloatTensor` has to be double as well."""
    meta: Any = type(torch.autograd.Variable)
    original = meta.__call__ if "__call__" in vars(meta) else type.__call__

    def call(cls: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        result = original(cls, *args, **kwargs)
        if session is None or not args or not isinstance(args[0], Tensor):
            return result
        if session.mode.frozen and args[0].requires_grad and not args[0].is_leaf:
            session.opaque.add("`Variable` starts a new graph")
        return result

    meta.__call__ = call


def _patch_arrays() -> None:
    """`torch.from_numpy` is not among what a mode sees."""
    original = torch.from_numpy

    @wraps(original)
    def from_numpy(array: Any) -> Any:
        session, result = current(), original(array)
        wide = session is not None and session.mode.frozen and result.is_floating_point()
        return result.double() if wide else result

    torch.from_numpy = from_numpy  # type: ignore[assignment]


def _patch_gumbel() -> None:
    """A mode sees one call of `gumbel_softmax`, but its hard form stops a gradient inside."""
    original = torch.nn.functional.gumbel_softmax

    @wraps(original)
    def gumbel_softmax(
        logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
    ) -> Tensor:
        soft: Tensor = original(logits, tau, False, eps, dim)
        if not hard:
            return soft
        picked = torch.zeros_like(logits).scatter_(dim, soft.max(dim, keepdim=True)[1], 1.0)
        return picked - soft.detach() + soft

    torch.nn.functional.gumbel_softmax = gumbel_softmax


def set_precision(wide: bool) -> None:
    """Float64 by default, and in the constructors that name a type."""
    torch.set_default_dtype(torch.float64 if wide else torch.float32)
    if not hasattr(torch, "_autofix_float_tensor"):
        torch._autofix_float_tensor = torch.FloatTensor  # type: ignore[attr-defined]
    torch.FloatTensor = (  # type: ignore[misc]
        torch.DoubleTensor if wide else torch._autofix_float_tensor  # type: ignore[attr-defined, assignment]
    )


def _patch_loader() -> None:
    """Loader workers would be processes that nothing watches; autocast would lose digits."""
    loader = torch.utils.data.DataLoader
    original = loader.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs["num_workers"] = 0
        for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context"):
            kwargs.pop(name, None)
        original(self, *_without_workers(args), **kwargs)

    loader.__init__ = init  # type: ignore[method-assign]


def _without_workers(args: Sequence[Any]) -> Sequence[Any]:
    return args[:5]


def install() -> None:
    _patch_constructors()
    _patch_arrays()
    _patch_gumbel()
    _patch_loader()
