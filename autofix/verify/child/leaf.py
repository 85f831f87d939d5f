"""What is known of one leaf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from . import tensors
from .tensors import Tensor


@dataclass
class Leaf:
    """A tensor that requires grad, from the moment that something differentiable used it."""

    tensor: Tensor
    index: int
    key: tuple[Any, ...]
    name: str
    line: int
    module: str | None
    """The class of the outermost module whose forward has used it."""
    value: Tensor
    """As it was when last looked at."""
    start: tuple[float, float]
    """The sum of what it held when it was first used, and that of the sizes."""
    single: str = ""
    """The digest of the same as `float32` has it."""
    derived: bool = False
    """It was computed from what requires grad, behind a cut. It is nothing that could be trained,
    and its gradient says nothing of what it was computed from."""
    turn: int = 0
    """How many backward passes, or calls, were over when it was first used."""
    bare: bool = False
    """Nothing has been done with it but to take its values out of autograd."""
    gradient: bool = False
    state: str = "clean"
    passed: bool = False
    """A step of another optimizer went by while it had a gradient."""
    mixed: bool = False
    """Its gradient holds what a step has used already, and something new."""
    moved: bool = False
    moves: int = 0
    moves_then: int = 0
    """The same at the backward pass before."""
    stale: int = 0
    read: bool = False
    """The program has read its gradient since it was given."""
    lost: int = 0
    clipped: bool = False
    """Its gradient was clipped after the step that has used it."""
    late_clips: int = 0
    """How often that came to nothing."""
    pending: list[Any] = field(default_factory=list)
    """The passes that have given it what no step has used yet."""

    def changed(self) -> bool:
        now = tensors.plain(self.tensor)
        if now.shape == self.value.shape and torch.equal(now, self.value):
            return False
        self.value = now
        return True

    def spend(self) -> None:
        """A step uses the gradient."""
        if self.state == "pending":
            self.stale += self.mixed
            for event in self.pending:
                event.spent = True
            self.pending.clear()
            self.state, self.passed = "used", False

    def clear(self, *, searching: bool) -> None:
        """Its gradient is gone."""
        if self.state == "pending" and not (searching or self.read):
            self.lost += 1
            for event in self.pending:
                event.wasted = True
        self.late_clips += self.clipped and self.state == "used"
        self.clipped = False
        self.pending.clear()
        self.state, self.mixed, self.passed = "clean", False, False
