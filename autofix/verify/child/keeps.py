"""What becomes of the tensors that a changed statement keeps: whether they are used while they are
as they were taken, or later; and copies of them, as they may have been meant."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from . import tensors
from .tensors import DEPTH, Tensor


@dataclass
class Keeps:
    """The tensors that changed statements have kept, by their ids."""

    fresh: dict[int, int] = field(default_factory=dict)
    """How often they were used as they were taken, by the number of the change."""
    stale: dict[int, int] = field(default_factory=dict)
    """The same after something had changed them."""
    _known: dict[int, tuple[Tensor, Tensor, int]] = field(default_factory=dict)

    def note(self, number: int, held: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Tensors, and what they hold."""
        for tensor, kept in held:
            self._known[id(tensor)] = (tensor, kept, number)

    def take(self, given: Iterable[Any], *, whole: bool = True) -> None:
        """Something is computed from these; not `whole`: they are perhaps only looked at."""
        for one in given if self._known else ():
            known = self._known.get(id(one))
            if known is None:
                continue
            tensor, kept, number = known
            if self.stale.get(number, 0):
                continue
            if not same(tensor, kept):
                self.stale[number] = 1
            elif whole:
                self.fresh[number] = self.fresh.get(number, 0) + 1


def same(tensor: Tensor, kept: Tensor) -> bool:
    now = tensors.plain(tensor)
    return now.shape == kept.shape and bool(torch.equal(now.nan_to_num(), kept.nan_to_num()))


def copied(value: Any, depth: int = DEPTH) -> Any:
    """A value in memory of its own. Objects of the program stay what they are."""
    if isinstance(value, Tensor):
        if tensors.node_of(value) is not None:
            return value.clone()
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, torch.nn.Module) and depth == DEPTH:
        return copy.deepcopy(value)  # one that is listed beside copies is the one in use
    if depth and type(value) in (list, tuple):
        return type(value)(copied(one, depth - 1) for one in value)
    if depth and isinstance(value, dict):
        found = copy.copy(value)
        for key, one in value.items():
            found[key] = copied(one, depth - 1)
        return found
    return value
