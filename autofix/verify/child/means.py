"""The means that a program takes: a loss that is their sum may be meant otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import tensors
from .tensors import Tensor

_MOST = 8
"""So many are noted of one line."""
_LARGEST = 1_000_000


@dataclass
class Means:
    """What one execution has taken the mean of: line, sum and mean."""

    taken: list[tuple[int, float, float]] = field(default_factory=list)
    _lines: Counter[int] = field(default_factory=Counter)

    def note(self, line: int, given: Sequence[Tensor], result: Any) -> None:
        if len(given) != 1 or not isinstance(result, Tensor) or result.numel() != 1:
            return
        count = given[0].numel()
        if 1 < count <= _LARGEST and tensors.is_float(given[0]) and self._lines[line] < _MOST:
            self._lines[line] += 1
            total = float(tensors.plain(given[0]).sum())
            self.taken.append((line, total, total / count))
