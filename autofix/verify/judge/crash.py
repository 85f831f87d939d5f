"""The original raised, and the rewritten code does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from autofix.verify.judge import rows
from autofix.verify.judge.case import Case, Sign, Trace, Weight, told
from autofix.verify.judge.edit import neutral
from autofix.verify.judge.gradient import Look
from autofix.verify.judge.reads import mended
from autofix.verify.judge.slopes import Fit
from autofix.verify.judge.values import overlaps, refused


def signs(case: Case, seen: Sequence[Look]) -> Iterator[Sign]:
    yield from _crash(case, seen)
    yield from _before_the_crash(case, seen)


def _crash(case: Case, seen: Sequence[Look]) -> Iterator[Sign]:
    """The original raised, the rewritten code does not, and its gradients are right."""
    old, new = case.before.raised, case.after.raised
    if old is None or new is not None or case.after.plain is None:
        return
    reached = any(event["reached"] for event in case.after.events)
    if case.called and refused(old):
        yield Sign(Weight.DOUBT, "exception", f"the original does not take the inputs: {told(old)}")
    elif case.called and not reached and "NoneType" in old["message"]:
        text = f"the original raises {told(old)}: what it needs may be made elsewhere"
        yield Sign(Weight.DOUBT, "crash", text)
    elif reached and not _comparable(case) and not neutral(case):
        text = f"the original raises {told(old)} before a value could be compared"
        yield Sign(Weight.DOUBT, "crash", text)
    elif case.data:
        text = f"the original raises {told(old)}, and the data that it reads has changed"
        yield Sign(Weight.DOUBT, "crash", text)
    elif "can require grad" in old["message"] and _no_longer_asks(case):
        text = f"the original raises {told(old)}; now it does not ask for that gradient at all"
        yield Sign(Weight.REST, "crash", text)
    elif "cannot assign parameter" in old["message"] and _no_longer_made(case):
        text = f"the original raises {told(old)}; now there is no such parameter at all"
        yield Sign(Weight.REST, "crash", text)
    elif reached or _held(case):
        yield Sign(
            Weight.GAIN,
            "crash",
            f"the original raises {told(old)}; the rewritten code runs to the end",
        )
    else:
        text = (
            f"the rewritten code no longer raises {told(old)}, but nothing gets a gradient either"
        )
        yield Sign(Weight.DOUBT, "crash", text)


def _no_longer_asks(case: Case) -> bool:
    words = ("requires_grad", "Parameter")
    return "requires_grad" in case.old and not any(word in case.new for word in words)


def _no_longer_made(case: Case) -> bool:
    """Whether the program has made a Parameter before it raised, and makes none like it now."""
    plains = (case.before.plain, case.after.plain)
    was, now = (Counter(map(tuple, plain["made"] if plain else ())) for plain in plains)
    return bool(was - now)


def _held(case: Case) -> bool:
    """Whether a function that trains nothing itself gives all parameters to an optimizer."""
    plain = case.after.plain
    assert plain is not None
    return not plain["events"] and any(plain["optimizers"]) and not plain["unheld"]


def _before_the_crash(case: Case, seen: Sequence[Look]) -> Iterator[Sign]:
    """Passes that were over when the original raised had their gradients."""
    whole = next((n for n, e in enumerate(case.before.events) if e["raised"]), 0)
    if mended(case):
        return  # what was meant to be a leaf is one now
    if _listed(case.after.leaves, whole) > _listed(case.before.leaves, whole):
        return  # of a weight that `parameters()` did not list then, and now does
    if any(look.changed and look.after is Fit.YES and look.number < whole for look in seen):
        text = "the gradients of the passes before the crash have changed too"
        yield Sign(Weight.DOUBT, "passes", text)


def _listed(leaves: Sequence[Trace], until: int) -> int:
    """How many of the weights that were in use then are listed."""
    return sum(bool(leaf["listed"]) for leaf in leaves if leaf["turn"] <= until)


def _comparable(case: Case) -> bool:
    """Whether the original computed a loss, so that values were compared."""
    if overlaps(case):
        return rows.apart(case) is not None
    return any(old["base"] for old, _ in case.exact())
