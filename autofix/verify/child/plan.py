"""What the executions of one job share: the changed places, and how far the leaves are moved."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Any

import torch

from .mode import Mode
from .tensors import SMALL, Tensor

STEP = 1e-6
"""The size of a finite difference, in float64."""
FAR = 0.03
"""By how much of their size leaves are moved to another point."""


class Plan:
    """What the executions of one job share: the changed places and the directions."""

    def __init__(self, spans: list[list[int]], regions: list[list[int]]) -> None:
        self.spans = spans
        """Line, column, end line, end column of expressions that the change is about."""
        self.regions = regions
        """First and last lines of statements; whatever runs below them belongs to the change."""
        self.scales: dict[int, tuple[tuple[Any, ...], float]] = {}
        """Leaf index -> the key that its direction is drawn by, and the size of the direction."""

        self.padded: dict[int, int] = {}
        """Leaf index -> the row of an embedding that is never trained, whatever it is used for."""

    def shift(self, index: int, value: Tensor, mode: Mode) -> Tensor | None:
        """By how much a leaf is moved that begins with these values."""
        if index not in self.scales or mode.direction is None:
            return None
        moved = self.direction(index, tuple(value.shape), mode.direction)
        if not mode.far:
            return moved * (STEP * mode.sign)
        scale = self.scales[index][1]
        size = float(value.square().mean().sqrt()) if value.numel() else 0.0
        return moved / scale * (FAR * (size or 1.0)) if scale else None

    def direction(self, index: int, shape: tuple[int, ...], number: int) -> Tensor:
        key, scale = self.scales[index]
        found = direction(key, shape, number) * scale
        if index in self.padded:
            found[self.padded[index]] = 0.0
        return found

    def note_padding(self, index: int, padding_idx: int | None) -> None:
        if padding_idx is not None:
            self.padded[index] = padding_idx


def direction(key: tuple[Any, ...], shape: tuple[int, ...], number: int) -> Tensor:
    """A random direction that both versions draw alike for the same leaf."""
    small = math.prod(shape) <= SMALL
    return (_kept_direction if small else _direction)(key, shape, number)


def _direction(key: tuple[Any, ...], shape: tuple[int, ...], number: int) -> Tensor:
    text = repr((key, number)).encode()
    seed = sum(byte * 257**place for place, byte in enumerate(hashlib.sha1(text).digest()[:7]))
    with torch.inference_mode(False):
        generator = torch.Generator().manual_seed(seed % (2**62))
        return torch.randn(shape, generator=generator, dtype=torch.float64)


_kept_direction = lru_cache(maxsize=256)(_direction)
