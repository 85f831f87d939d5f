"""Gradients against finite differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from autofix.verify.judge.case import Trace

STEP = 1e-6
"""The step of the child's finite differences; see `child/session.py`."""
CLOSE = 1e-4
APART = 1e-3
KINK = 2 * APART
"""How far the slopes on both sides may be apart: no side is then further from their mean than what
counts as another slope."""
FLOOR = 2e-7
"""The noise of a difference quotient of a loss about 1."""


class Fit(Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Slope:
    """The derivative of a loss in one direction, by autograd and by differences."""

    analytic: float
    numeric: float
    floor: float
    spread: float = 0.0
    """How far the slopes on both sides are apart: there may be small kinks."""

    @property
    def error(self) -> float:
        """Relative to the larger of both."""
        size = max(abs(self.analytic), abs(self.numeric))
        return 0.0 if size <= self.floor else abs(self.analytic - self.numeric) / size

    @property
    def fit(self) -> Fit:
        found = compared(self.analytic, self.numeric, self.floor)
        bent = abs(self.analytic - self.numeric) <= self.spread
        return Fit.UNKNOWN if found is Fit.NO and bent else found


def compared(a: float, b: float, floor: float) -> Fit:
    """Whether two slopes are the same; a little apart says nothing."""
    if a != a or b != b:
        return Fit.UNKNOWN
    gap, size = abs(a - b), max(abs(a), abs(b))
    if gap <= CLOSE * size + floor:
        return Fit.YES
    return Fit.NO if gap > APART * size + 10 * floor else Fit.UNKNOWN


def floor_of(trace: Trace, number: int, policy: str = "all") -> float:
    base = trace["base"]
    value = abs(base[number]["value"]) if number < len(base) else 1.0
    return FLOOR * max(1.0, value) / _scale(trace, policy)


def _scale(trace: Trace, policy: str) -> float:
    """How much of the step a quotient was taken over."""
    return float(trace["slopes"][policy]["scale"]) if policy in trace["slopes"] else 1.0


def numeric(trace: Trace, policy: str, number: int) -> list[float | None]:
    """The difference quotient of event `number` in each direction; None at a kink."""
    found = _sides(trace, policy, number)
    return [None if one is None else (one[0] + one[1]) / 2 for one in found]


def _sides(trace: Trace, policy: str, number: int) -> list[tuple[float, float] | None]:
    """The slopes on both sides in each direction; None at a kink."""
    slopes = trace["slopes"][policy]
    base = trace["base"]
    if slopes["diverged"] or number >= len(base):
        return [None] * len(slopes["pairs"])
    found: list[tuple[float, float] | None] = []
    for up, down in slopes["pairs"]:
        if number >= len(up) or number >= len(down):
            found.append(None)
            continue
        step = STEP * slopes["scale"]
        right = (up[number] - base[number]["value"]) / step
        left = (base[number]["value"] - down[number]) / step
        noise = 20 * floor_of(trace, number, policy)
        kink = abs(right - left) > KINK * max(abs(right), abs(left)) + noise
        found.append(None if kink or right != right else (right, left))
    return found


def slopes(analytic: Trace, differences: Trace, policy: str, number: int) -> Iterator[Slope]:
    """The usable directions of one event: gradients of one version, differences of another."""
    event = gradient(analytic, number)
    if event is None:
        return
    floor = floor_of(differences, number, policy)
    for a, sides in zip(event, _sides(differences, policy, number), strict=False):
        if sides is not None:
            right, left = sides
            yield Slope(a, (right + left) / 2, floor, abs(right - left))


def gradient(trace: Trace, number: int) -> Sequence[float] | None:
    """The analytic slopes of an event; None where there was no backward pass to the end."""
    events = trace["events"]
    if number >= len(events) or events[number]["raised"] is not None:
        return None
    found: Sequence[float] = events[number]["slopes"]
    return found


def fit(found: Sequence[Slope]) -> Fit:
    """All directions agree, or some are certainly off."""
    if any(slope.fit is Fit.NO for slope in found):
        return Fit.NO
    if len(found) < 2 or any(slope.fit is Fit.UNKNOWN for slope in found):
        return Fit.UNKNOWN
    return Fit.YES


def parted(before: Trace, after: Trace) -> int | None:
    """The event at which one version has left out more of what the program does to its weights
    by hand than the other: from there on the values that are seen do not compare."""
    pairs = zip(before["base"], after["base"], strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a["left_out"] != b["left_out"]), None)


def differ(before: Trace, after: Trace, number: int) -> bool | None:
    """Whether the gradients of an event differ between the versions; None if one has none."""
    old, new = gradient(before, number), gradient(after, number)
    if old is None or new is None:
        return None
    floor = floor_of(after, number) / 100
    fits = [compared(a, b, floor) for a, b in zip(old, new, strict=False)]
    return any(one is not Fit.YES for one in fits)
