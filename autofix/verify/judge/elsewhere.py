"""Whether both versions are the same function: the values at one point may be equal by chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import isfinite

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key
from autofix.verify.judge.slopes import Fit, compared, differ, floor_of, numeric, parted

FAR_APART = 1e-6
"""Relative, in float64: what differs by less may come from rounding."""
FLAT = 1e-9
"""A slope of less is none: the quotient of equal values is zero."""


def signs(case: Case, most: int | None) -> Iterator[Sign]:
    """`most`: values compare up to so many backward passes."""
    for old, new in case.exact():
        ends = len(new["events"]) if most is None else most - 1
        apart = parted(old, new)
        known = range(ends if apart is None else min(ends, apart))
        number = next((n for n in known if differ(old, new, n)), 0)
        if not _aligned(old, new, number) or case.reduced:
            continue
        far = _far(old, new, number)
        if far is not None:
            text = (
                "the rewritten code is another function: with other weights its loss is "
                f"{far[1]:.6g} where the original's is {far[0]:.6g}"
            )
            yield Sign(Weight.LOSS, "values", text)
            return
        for policy, weight, said in _WAYS if case.alone else _WAYS[:1]:
            both = _apart(old, new, policy, number)
            if both is not None:
                text = (
                    f"{said} its loss changes by {both[1]:.4g} where the original's changes by "
                    f"{both[0]:.4g}"
                )
                yield Sign(weight, "values", text)
                return


_WAYS = (
    ("all", Weight.LOSS, "the rewritten code is another function: beside the given point"),
    (
        "spans",
        Weight.REST,
        "not what the original's changed lines stop is let through now: but for other stops",
    ),
)


def _apart(old: Trace, new: Trace, policy: str, number: int) -> tuple[float, float] | None:
    """The slopes of both versions beside the given point, if they are not the same."""
    if policy not in old["slopes"]:
        return None
    if old["slopes"][policy]["scale"] != new["slopes"][policy]["scale"]:
        return None  # one of them has kinks
    if policy == "spans" and _held(new) > _held(old):
        return None  # what it lets through is stopped elsewhere, as it could not be before
    before, after = (numeric(trace, policy, number)[:1] for trace in (old, new))
    if not before or not after or before[0] is None or after[0] is None:
        return None
    fits = compared(before[0], after[0], floor_of(new, number))
    return (before[0], after[0]) if fits is Fit.NO else None


def _far(old: Trace, new: Trace, number: int) -> tuple[float, float] | None:
    """The losses of both versions at another point, if they are not the same."""
    if number >= min(len(old["far"]), len(new["far"])):
        return None
    a, b = float(old["far"][number]), float(new["far"][number])
    size = max(abs(a), abs(b), abs(new["base"][number]["value"]))
    return (a, b) if isfinite(size) and abs(a - b) > FAR_APART * size else None


def _held(trace: Trace) -> int:
    """How many stops stand outside of the changed lines."""
    counts: list[int] = [one[2] for one in trace["exits"]]
    counts += [-one[2] for one in trace["live"]]
    return sum(counts)


def _aligned(old: Trace, new: Trace, number: int) -> bool:
    """Whether the same leaves were moved in both, and led to the same kind of event."""
    if old["values_only"] != new["values_only"] or old["aimed"] != new["aimed"]:
        return False
    if number >= min(len(old["base"]), len(new["base"])):
        return False
    begun = {key(leaf): leaf["turn"] for leaf in old["leaves"]}
    if any(begun.get(key(leaf), leaf["turn"]) != leaf["turn"] for leaf in new["leaves"]):
        return False  # a leaf is moved when it is used first
    if _mistaken(old, new):
        return False
    return same_kind(old["base"][number], new["base"][number])


def _mistaken(old: Trace, new: Trace) -> bool:
    """Whether a leaf may go by the name of another one: there are more of its values in one version
    than in the other, and it is trained in one of them alone."""
    counts = [Counter(key(leaf)[:2] for leaf in one["leaves"]) for one in (old, new)]
    held = {key(leaf): leaf["held"] for leaf in old["leaves"]}
    return any(
        counts[0][where[:2]] != counts[1][where[:2]] and held.get(where, has) != has
        for where, has in ((key(leaf), leaf["held"]) for leaf in new["leaves"])
    )


def other_steps(case: Case) -> bool:
    """Whether the steps of one version use gradients of earlier passes, or throw some away, and
    those of the other do not: what follows is other by that."""
    first, second = (
        [sum(leaf[name] for leaf in side.leaves) for name in ("stale", "lost")]
        for side in (case.before, case.after)
    )
    return first != second


def same_kind(a: Trace, b: Trace) -> bool:
    """A function's result stands for a loss only where no backward pass was called."""
    return bool((a["kind"] == "returned") == (b["kind"] == "returned"))


def flat(case: Case) -> bool:
    """Whether the original's loss has no slope at all, though nothing in it is held, and the
    rewritten one's has: it jumps, or depends on nothing."""
    found = [
        [numeric(one, "all", 0) if "all" in one["slopes"] else [] for one in two]
        for two in case.exact()
    ]
    return bool(found) and all(
        bool(old and new)
        and all(slope is not None and abs(slope) < FLAT for slope in old)
        and any(slope is not None and abs(slope) >= FLAT for slope in new)
        for old, new in found
    )
