"""Which types of floats there are, and what changes one for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from . import tensors
from .tensors import Tensor

MOST = 300
"""Of so many calls it is noted what they return."""
PARTS = 20


def name_of(tensor: Tensor) -> str:
    """A type of floats; nothing for other types, which no gradient reaches."""
    return str(tensor.dtype)[6:] if tensor.is_floating_point() else ""


@dataclass
class Dtypes:
    """What one execution has seen of types."""

    known: set[str] = field(default_factory=set)
    converted: set[tuple[str, str]] = field(default_factory=set)
    """From what to what something with a graph was turned, or met something wider."""
    taken: set[str] = field(default_factory=set)
    """The types of what was taken out of a graph."""
    returned: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """What modules return: types by the class of the module, and by place and shape."""

    def look(self, given: Sequence[Tensor], result: Any) -> None:
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return
        now = name_of(result)
        self.known.add(now)
        for one in given:
            if one.dtype is not result.dtype and one.requires_grad and one.is_floating_point():
                self.converted.add((name_of(one), now))

    def leave(self, given: Sequence[Tensor]) -> None:
        self.taken.update(name_of(one) for one in given if one.requires_grad)

    def hand_out(self, module: torch.nn.Module, result: Any) -> None:
        if len(self.returned) >= MOST:
            return
        called = type(module).__qualname__
        found = [result] if isinstance(result, Tensor) else list(tensors.inside(result))
        for place, one in enumerate(found[:PARTS]):
            if one.is_floating_point():
                where = f"{place} {tuple(one.shape)}"
                self.returned.setdefault((called, where), set()).add(name_of(one))

    def told(self) -> dict[str, Any]:
        return {
            "known": sorted(self.known),
            "converted": sorted(map(list, self.converted)),
            "taken": sorted(self.taken),
            "returned": [[*where, sorted(found)] for where, found in self.returned.items()],
        }
