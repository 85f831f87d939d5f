"""The original as it was meant: with copies of what it keeps, and with the gradients that it asks
for. What follows then is what a repair has to lead to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge.case import Case, Sign, Trace, Weight
from autofix.verify.judge.following import beside, numbers, unlike
from autofix.verify.judge.reads import same_tensors

IN_VAIN = (
    "what is read of the copies later is other than before, and nothing that follows is: something "
    "beside them may still change"
)


def signs(case: Case, found: Sequence[Sign]) -> Iterator[Sign]:
    """`found`: what else there is to say."""
    gains = {sign.kind for sign in found if sign.weight is Weight.GAIN}
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or new["raised"] is not None:
        return
    if "aliasing" in gains and _read_at_once(old) and not unlike(old, new):
        text = (
            "the copies are read before what they were taken from changes, and never after: "
            "nothing that follows is other than before"
        )
        yield Sign(Weight.REST, "aliasing", text)
    elif "aliasing" in gains and _in_vain(old, new):
        yield Sign(Weight.DOUBT, "follow", IN_VAIN)
    meant = case.before.healed
    if meant is None or meant["raised"] is not None or not meant["whole"]:
        return
    if "aliasing" in gains:
        yield from _otherwise(case, meant, new, "with copies of what it keeps")
    elif "read" in gains and same_tensors(case):
        yield from _otherwise(case, meant, new, "with the gradient that it asks for")


def _read_at_once(old: Trace) -> bool:
    """Whether all that is kept is used while it is as it was taken, and not later."""
    kept = [one for one in old["probes"].values() if one["shared"] and one["changed"]]
    return bool(kept) and all(one["fresh"] and not one["stale"] for one in kept)


def _in_vain(old: Trace, new: Trace) -> bool:
    """Whether what is kept is read after it has changed, and all goes on as if it had not."""
    late = any(one["shared"] and one["changed"] and one["stale"] for one in old["probes"].values())
    ended = old["raised"] is None
    return late and ended and not (unlike(old, new) or beside(old, new))


def _otherwise(case: Case, meant: Trace, new: Trace, what: str) -> Iterator[Sign]:
    apart = unlike(meant, new)
    if apart is None:
        return
    kind, said = apart
    several = sum(not change.imports for change in case.changes) > 1
    if kind == "end" and several and numbers(meant["printed"]):
        return  # other names may hold now what has been printed alike
    sure = kind != "end" or not several
    text = f"{what}, the original would go on otherwise: {said}"
    yield Sign(Weight.REST if sure else Weight.DOUBT, "follow", text)
