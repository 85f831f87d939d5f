"""Losses in double precision that a change rounds on the way."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.verify.judge.case import Case, Sign, Weight

_SAME, _ROUNDED, _OTHER = 1e-13, 1e-10, 1e-4
"""Relative: by how much a sum in another order differs at most, what is rounded to `float32` at
least, and what is another value."""


def signs(case: Case) -> Iterator[Sign]:
    """The loss of the original is what it is with everything in `float64`, and that of the
    rewritten version is no more: something narrower has come in."""
    if not (case.before.events and case.after.events and case.before.exact):
        return
    exact = case.before.exact[0]
    a, b = case.before.events[0], case.after.events[0]
    if exact["seed"] != (case.before.plain or exact)["seed"] or not exact["base"]:
        return
    if any(one["dtype"] != "float64" or one["kind"] != "backward" for one in (a, b)):
        return
    wide, was, now = exact["base"][0]["value"], a["value"], b["value"]
    size = abs(wide)
    if abs(was - wide) <= _SAME * size and _ROUNDED * size < abs(now - was) < _OTHER * size:
        text = (
            "the loss is in double precision, and something on the way to it "
            f"is rounded now: it differs by {abs(now - was) / size:.0e} of its size"
        )
        yield Sign(Weight.DOUBT, "values", text)
