"""Writes behind the back of autograd into what a graph was computed of, and types that clash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from . import tensors
from .tensors import Tensor

BARES = ("data.get", "detach", "detach_")


@dataclass
class Veiled:
    """What one execution has done behind the back of autograd, in the changed lines."""

    writes: int = 0
    mixed: int = 0
    """How often a tensor that requires grad met one with another type of floats, in any line."""
    _bare: dict[int, Tensor] = field(default_factory=dict)
    """Results of the program that were taken out of their graphs, by their memory."""

    def look(self, kind: str, given: Sequence[Tensor]) -> None:
        """Types that meet."""
        if len(given) > 1 and kind not in ("copy_", "to", "type_as"):
            found = {one.dtype for one in given if one.is_floating_point()}
            self.mixed += len(found) > 1 and any(one.requires_grad for one in given)

    def concerns(self, kind: str, given: Tensor) -> bool:
        """Whether the values of something inside of a graph are taken, or written to."""
        inside = tensors.node_of(given) is not None
        if kind in BARES:
            return inside
        if inside:
            return not torch.is_grad_enabled()
        return self.known(given)

    def known(self, given: Tensor) -> bool:
        """Whether a changed line has taken it out of its graph."""
        return not given.requires_grad and tensors.storage(given) in self._bare

    def note(self, kind: str, result: object) -> None:
        """The same is done by one of the changed lines."""
        if kind not in BARES:
            self.writes += 1
        elif isinstance(result, Tensor):
            # It is kept: no other tensor must get its memory.
            self._bare[tensors.storage(result)] = result
