"""What the functions with changes return: a loss may use no more than a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autofix.verify.judge.case import Case, Sign, Weight
from autofix.verify.judge.reductions import alike

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
    (begun, first), (ended, second) = before, after
    if len(first) != len(second):
        return None
    pairs = zip(first, second, strict=True)
    both = [(a, b) for a, b in pairs if a[0] is not None and b[0] is not None]
    for a, b in both:
        if a[0] != b[0] and not (case.reduced and not b[0]):
            text = f"`{name}` returned shape {tuple(a[0])} and returns shape {tuple(b[0])} now"
            alone = {change.unit for change in case.changes if not change.imports} == {name}
            return Sign(Weight.LOSS if alone else Weight.DOUBT, "values", text)
    if begun or ended:
        return None  # a step may have moved the weights
    if all(alike(a, b, _SAME) for a, b in both):
        return None
    return Sign(Weight.DOUBT, "values", f"`{name}` returns other values now than before")
