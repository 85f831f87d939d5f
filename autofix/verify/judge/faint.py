"""A stop that the change has put in, and that keeps back too little for a slope to show."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name

NOISE = 1e-13
"""Relative to the loss: what two sums in another order may differ by, many times over."""


def signs(case: Case) -> Iterator[Sign]:
    """Weights of an optimizer that get nothing at all, where the original came to no gradient."""
    if case.before.raised is None or any(leaf["gradient"] for leaf in case.before.leaves):
        return
    for old, new in case.exact():
        if _kinds(new) <= _kinds(old) or not _told(new):
            continue
        stopped = {(tuple(shape), *rest) for _, kept in new["stops"] for shape, *rest in kept}
        reached = {at for event in new["events"] for at in event["reached"]}
        dead = [
            leaf
            for at, leaf in enumerate(new["leaves"])
            if leaf["held"] and at not in reached and key(leaf) in stopped
        ]
        if dead:
            names = listed([name(leaf) for leaf in dead])
            text = f"{names} gets no gradient: the changed lines stop it, as they did not before"
            yield Sign(Weight.REST, "gradient", text)
            return


def _kinds(trace: Trace) -> set[str]:
    """The kinds of stops in the changed lines."""
    return {called for _, called, _ in trace["live"]}


def _told(trace: Trace) -> bool:
    """Whether the losses are others where what is stopped is held."""
    if not {"spans", "none"} <= trace["slopes"].keys():
        return False
    both = (trace["slopes"][policy]["pairs"] for policy in ("spans", "none"))
    return any(
        abs(a - b) > NOISE * max(abs(a), abs(b), 1e-3)
        for free, held in zip(*both, strict=False)
        for side, other in zip(free, held, strict=False)
        for a, b in zip(side, other, strict=False)
    )
