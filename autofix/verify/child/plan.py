"""What the executions of one job share: the changed places, and how far the leaves are moved."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from .mode import Mode
from .tensors import Tensor

STEP = 1e-6
"""The size of a finite difference, in float64."""


class Plan:
    """What the executions of one job share: the changed places and the directions."""

    def __init__(self, spans: list[list[int]], regions: list[list[int]]) -> None:
        self.spans = spans
        """Line, column, end line, end column of expressions that the change is about."""
        self.regions = regions
        """First and last lines of statements; whatever runs below them belongs to the change."""
        self.scales: dict[int, tuple[tuple[Any, ...], float]] = {}
        """Leaf index -> the key that its direction is drawn by, and the size of the direction."""

    def shift(self, index: int, shape: tuple[int, ...], mode: Mode) -> Tensor | None:
        if index not in self.scales or mode.direction is None:
            return None
        key, scale = self.scales[index]
        return direction(key, shape, mode.direction) * (scale * STEP * mode.sign)


def direction(key: tuple[Any, ...], shape: tuple[int, ...], number: int) -> Tensor:
    """A random direction that both versions draw alike for the same leaf."""
    text = repr((key, number)).encode()
    seed = sum(byte * 257**place for place, byte in enumerate(hashlib.sha1(text).digest()[:7]))
    generator = torch.Generator().manual_seed(seed % (2**62))
    return torch.randn(shape, generator=generator, dtype=torch.float64)
