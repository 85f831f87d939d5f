"""How a program is executed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """How a program is executed."""

    name: str
    """`plain`: as it stands. `exact`: in float64, with no step taken. `base`: the same without
    backward passes. `shifted`: as `base`, with the leaves moved, for finite differences."""
    seed: int = 0
    live: str = "spans"
    """Which exits stay open in a shifted run: those in the changed `spans`, `none` or `all`."""
    direction: int | None = None
    sign: float = 0.0
    far: bool = False
    """The leaves are moved by a part of their size: to see the values of another point."""
    apart: bool = False
    """What is expanded is copied, so that each row has a place of its own."""
    healed: bool = False
    """What the changed statements keep is copied, and what is asked in vain for its gradient keeps
    it: the original as it was meant."""
    brief: bool = False
    """The first few backward passes are enough."""
    values_only: bool = False
    """Without autograd, for a program whose forward pass autograd forbids."""

    @property
    def frozen(self) -> bool:
        """No optimizer takes a step."""
        return self.name != "plain"

    @property
    def forward_only(self) -> bool:
        return self.name in ("base", "shifted")
