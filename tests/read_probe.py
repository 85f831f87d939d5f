"""A probe for programs that read a gradient themselves.

``reading(module, "START", module.run)`` in a ``<case>.probe.py`` (see :mod:`gradient_probe`) takes
the list of numbers ``START`` of the program for the leaf. ``run()`` computes with it and returns
the loss and the ``.grad`` that the program has read, or None if there was none to read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gradient_probe import Forward

Run = Callable[[], tuple[torch.Tensor, torch.Tensor | None]]


class _Read(torch.autograd.Function):
    """The loss, with the gradient that the program has read for its derivative."""

    @staticmethod
    def forward(ctx: Any, loss: torch.Tensor, leaf: torch.Tensor, grad: Any) -> torch.Tensor:
        ctx.grad = grad
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        return None, None if ctx.grad is None else slope * ctx.grad, None


def reading(module: Any, name: str, run: Run) -> tuple[Forward, list[torch.Tensor]]:
    leaf = torch.tensor(getattr(module, name), requires_grad=True)

    def forward() -> torch.Tensor:
        setattr(module, name, leaf.tolist())
        with torch.enable_grad():
            loss, grad = run()
        result: torch.Tensor = _Read.apply(loss.detach(), leaf, grad)
        return result

    return forward, [leaf]
