"""What the changed statements compute, and whether it stays as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

from . import tensors
from .tensors import Tensor

HITS = 3
MANY = 400


@dataclass
class Seen:
    """One time that a changed statement ran, with the tensors of its value."""

    digests: List[str]
    held: List[Tuple[Tensor, Tensor]] = field(default_factory=list)
    """Tensors and copies of what they held."""

    def changed(self) -> int:
        return sum(not _same(tensor, kept) for tensor, kept in self.held)


@dataclass
class Probes:
    """Called by the instrumented program; see `program.PROBE`."""

    hits: Dict[int, int] = field(default_factory=dict)
    seen: Dict[int, List[Seen]] = field(default_factory=dict)
    session: Any = None

    def __call__(self, number: int, value: Any = None) -> Any:
        self.hits[number] = self.hits.get(number, 0) + 1
        session = self.session
        if session is not None and session.mode.name == "plain" and not session.paused:
            session.paused = True
            try:
                self._note(number, value)
            finally:
                session.paused = False
        return value

    def _note(self, number: int, value: Any) -> None:
        known = self.seen.setdefault(number, [])
        if len(known) >= HITS:
            return
        found = [tensor for _, tensor in tensors.deep(value)][:MANY]
        found = [tensor for tensor in found if tensor.numel() <= 1_000_000]
        held = [(tensor, tensors.plain(tensor)) for tensor in found]
        known.append(Seen([tensors.digest(kept) for _, kept in held], held))

    def summary(self) -> Dict[str, Any]:
        return {
            str(number): {
                "tensors": sum(len(one.held) for one in seen),
                "changed": sum(one.changed() for one in seen),
                "digests": [one.digests[:8] for one in seen],
            }
            for number, seen in self.seen.items()
        }


def _same(tensor: Tensor, kept: Tensor) -> bool:
    import torch

    now = tensors.plain(tensor)
    return now.shape == kept.shape and bool(torch.equal(now.nan_to_num(), kept.nan_to_num()))
