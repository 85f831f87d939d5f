"""A change that only gives memory back leaves all that follows as it was, to the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge import growth
from autofix.verify.judge.case import Case, Sign, Trace, Weight
from autofix.verify.judge.healed import numbers
from autofix.verify.judge.reductions import close

_NEAR = 1e-3
_SHOWN = 1e-2
"""What is printed is rounded."""
_LEAST = 2e-4


def signs(case: Case, found: Sequence[Sign]) -> Iterator[Sign]:
    """`found`: what else there is to say."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or old["raised"] or new["raised"]:
        return
    gains = {sign.kind for sign in found if sign.weight is Weight.GAIN}
    if gains - {"release"} or not (gains or growth.given_back(case)):
        return
    said = _other(old, new)
    if said is not None and _steady(case):
        text = f"a change that only gives graphs back has no effect on values, but {said}"
        yield Sign(Weight.LOSS, "values", text)


def _steady(case: Case) -> bool:
    """Whether the original prints the same twice, as far as it was run twice."""
    first, again = case.before.plain, case.before.again
    if first is None or again is None:
        return True
    pairs = zip(numbers(first["printed"]), numbers(again["printed"]), strict=False)
    return all(_shown_alike(a, b) for a, b in pairs)


def _other(old: Trace, new: Trace) -> str | None:
    """What is printed, returned by a function with a change, or held by a name in the end, and is
    not as it was."""
    first, second = numbers(old["printed"]), numbers(new["printed"])
    if len(first) == len(second):
        for a, b in zip(first, second, strict=True):
            if not _shown_alike(a, b):
                return f"it printed {a:.6g} and prints {b:.6g} now"
    for name in sorted(old["handed"].keys() & new["handed"].keys()):
        for was, now in zip(old["handed"][name], new["handed"][name], strict=False):
            if _apart(was[2], now[2]):
                return f"`{name}` returns other values than before"
    for name in sorted(old["bound"].keys() & new["bound"].keys()):
        if _apart(old["bound"][name], new["bound"][name]):
            return f"`{name}` holds other values in the end"
    return None


def _shown_alike(a: float, b: float) -> bool:
    return close(a, b, _SHOWN) or abs(a - b) <= _LEAST


def _apart(was: Sequence[Sequence[float]], now: Sequence[Sequence[float]]) -> bool:
    """Whether as many tensors and numbers hold something else; each is its sum, and its size."""
    return len(was) == len(now) and not all(
        close(a[0], b[0], _NEAR) or abs(a[0] - b[0]) <= _NEAR * max(a[1], b[1])
        for a, b in zip(was, now, strict=True)
    )
