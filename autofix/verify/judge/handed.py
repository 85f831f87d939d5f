"""What the functions with changes return: a loss may use no more than a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autofix.verify.judge.case import Case, Sign, Weight
from autofix.verify.judge.reductions import close

_SAME = 1e-3
"""Relative, in the precision of the program."""


def signs(case: Case) -> Iterator[Sign]:
    old, new = case.before.plain, case.after.plain
    if old is None or new is None:
        return
    for name in sorted(old["handed"].keys() & new["handed"].keys()):
        for before, after in zip(old["handed"][name], new["handed"][name], strict=False):
            found = _apart(case, name, before, after)
            if found is not None:
                yield found
                return


def _apart(case: Case, name: str, before: Any, after: Any) -> Sign | None:
    """How two calls differ in what they return, one by one; what has become a number, or a tensor,
    or another kind of container says nothing."""
    (begun, first, _), (ended, second, _) = before, after
    if len(first) != len(second):
        return None
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    for a, b in both:
        if a[0] != b[0] and not (case.reduced and not b[0]):
            text = f"`{name}` returned shape {tuple(a[0])} and returns shape {tuple(b[0])} now"
            alone = {change.unit for change in case.changes if not change.imports} == {name}
            return Sign(Weight.LOSS if alone else Weight.DOUBT, "values", text)
    if begun or ended:
        return None  # a step may have moved the weights
    for a, b in both:
        if not (close(a[1], b[1], _SAME) or abs(a[1] - b[1]) <= _SAME * max(a[2], b[2])):
            text = f"`{name}` returns other values now than before"
            return Sign(Weight.DOUBT, "values", text)
    return None
