"""Losses that were not one number, and what they are reduced to now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autofix.verify.judge.case import Case, Sign, Trace, Weight


def close(a: float, b: float, relative: float) -> bool:
    """Whether two values are the same."""
    if a != a or b != b:
        return a != a and b != b
    return a == b or abs(a - b) <= relative * max(abs(a), abs(b)) + relative * 1e-3


def alike(was: Sequence[Any], now: Sequence[Any], relative: float) -> bool:
    """The same for what is in two values: a sum may be small beside what it is the sum of."""
    (_, a, size, _), (_, b, other, _) = was, now
    return close(a, b, relative) or abs(a - b) <= relative * max(size, other)


OTHER = (
    "the original could not be differentiated, since its loss is not one number; it is reduced "
    "now by something else than its sum or mean, so there is no value to compare with"
)


SCALED = (
    "the gradient that is read is that of a mean, so it is smaller than the derivative of each "
    "value; which one is meant only its author knows"
)


def signs(case: Case) -> Iterator[Sign]:
    """A vector that could not be differentiated became its sum, and the program itself takes its
    mean: to show it, or to compare it."""
    plain = case.after.plain
    if plain is None or not case.reduced:
        return
    losses = [event["value"] for event in plain["events"] if event["kind"] == "backward"]
    for line, total, mean in plain["means"]:
        apart = not close(total, mean, 1e-3)
        if apart and any(close(total, value, 1e-5) for value in losses):
            where = f"line {line}" if line else "another file"
            text = (
                f"the loss is the sum of what {where} takes the mean of; which one is meant only "
                "its author knows"
            )
            yield Sign(Weight.DOUBT, "values", text)
            return


def hands_out(case: Case) -> bool:
    """Whether gradients are results by themselves: they are read, and nothing is trained."""
    plain = case.after.plain
    if plain is None or any(plain["optimizers"]):
        return False
    trained = any(leaf["moved"] for leaf in case.after.leaves)
    return not trained and any(read["found"] for read in plain["reads"])


def reduces(old: Trace, new: Trace) -> bool:
    """A vector that could not be differentiated became its sum or mean."""
    size = 1
    for length in old["shape"]:
        size *= length
    if size < 2 or new["shape"]:
        return False
    return any(close(old["value"] / part, new["value"], 1e-5) for part in (1, size, *old["shape"]))
