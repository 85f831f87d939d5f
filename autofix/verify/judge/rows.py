"""Rows that share one memory, because a tensor was expanded, and are written to."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.verify.judge.case import Case, Sign, Weight


def signs(case: Case) -> Iterator[Sign]:
    """Where the original writes into rows that share one memory, the values are to be those which
    it has if each of its expanded tensors is copied first."""
    old = case.before.events
    meant = apart(case)
    if meant is None or not case.after.events:
        return
    if case.before.raised is None and (not old or _near(old[0]["value"], meant)):
        return
    new = case.after.events[0]
    if not _near(meant, new["value"]):
        text = (
            f"with rows of their own the loss in line {new['line']} is {meant:.6g}, and it is "
            f"{new['value']:.6g} now"
        )
        yield Sign(Weight.LOSS, "values", text)


def apart(case: Case) -> float | None:
    """The original's first loss if each of its expanded tensors is copied first."""
    meant = case.before.apart
    if meant is None or meant["raised"] is not None or not meant["events"]:
        return None
    return float(meant["events"][0]["value"])


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-3 * max(abs(one), abs(other))
