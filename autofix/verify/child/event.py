"""What is seen of one backward pass."""

from __future__ import annotations

from dataclasses import dataclass, field

from .tensors import Tensor

INNER = "inner"
"""The kind of a pass whose gradients are part of a loss."""


@dataclass
class Event:
    """One backward pass, or the return of the called function that stands for one."""

    kind: str
    line: int
    value: float
    shape: list[int]
    requires_grad: bool
    dtype: str = ""
    nodes: int = 0
    outdated: bool = False
    """It goes again through a graph of the pass before, though what that was made of has moved."""
    left_out: int = 0
    """How many steps that the program takes by hand were left out before it."""
    spent: bool = False
    """A step has used something that it gave."""
    wasted: bool = False
    """Something that it gave was thrown away."""
    raised: str | None = None
    gradients: dict[int, Tensor] = field(default_factory=dict)
