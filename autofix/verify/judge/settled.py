"""A change that only gives memory back leaves all that follows as it was, to the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge import growth
from autofix.verify.judge.case import Case, Sign, Weight
from autofix.verify.judge.following import beside, shown_apart


def signs(case: Case, found: Sequence[Sign]) -> Iterator[Sign]:
    """`found`: what else there is to say."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or old["raised"] or new["raised"]:
        return
    gains = {sign.kind for sign in found if sign.weight is Weight.GAIN}
    if gains - {"release"} or not (gains or growth.given_back(case)):
        return
    said = beside(old, new)
    if said is not None and _steady(case):
        text = f"a change that only gives graphs back has no effect on values, but {said}"
        yield Sign(Weight.LOSS, "values", text)


def _steady(case: Case) -> bool:
    """Whether the original prints the same twice, as far as it was run twice."""
    first, again = case.before.plain, case.before.again
    return first is None or again is None or not shown_apart(first, again)
