"""A probe for programs of which something else than a gradient is claimed.

``claim(lambda: ...)`` in a ``<case>.probe.py`` (see :mod:`gradient_probe`) takes a check that is to
fail for the program as written and to hold for the repaired one: a parameter is frozen, a weight
moves in a step, a loop runs to its end. A check that raises has failed. The claim is put in the
form of a leaf, which gets its gradient only where the check holds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from gradient_probe import Forward


def claim(check: Callable[[], bool]) -> tuple[Forward, list[torch.Tensor]]:
    leaf = torch.ones(2, requires_grad=True)

    def forward() -> torch.Tensor:
        loss = (leaf**2).sum()
        return loss if _holds(check) else loss.detach()

    return forward, [leaf]


def _holds(check: Callable[[], bool]) -> bool:
    with torch.enable_grad():
        try:
            return check()
        except Exception:
            return False
