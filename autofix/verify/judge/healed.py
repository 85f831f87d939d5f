"""The original as it was meant: with copies of what it keeps, and with the gradients that it asks
for. What follows then is what a repair has to lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, name
from autofix.verify.judge.elsewhere import same_kind
from autofix.verify.judge.reads import same_tensors
from autofix.verify.judge.reductions import close

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)
_NEAR = 1e-3


def signs(case: Case, found: Sequence[Sign]) -> Iterator[Sign]:
    """`found`: what else there is to say."""
    gains = {sign.kind for sign in found if sign.weight is Weight.GAIN}
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or new["raised"] is not None:
        return
    if "aliasing" in gains and _read_at_once(old) and not _unlike(old, new):
        text = (
            "the copies are read before what they were taken from changes, and never after: "
            "nothing that follows is other than before"
        )
        yield Sign(Weight.REST, "aliasing", text)
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


def _otherwise(case: Case, meant: Trace, new: Trace, what: str) -> Iterator[Sign]:
    apart = _unlike(meant, new)
    if apart is None:
        return
    kind, said = apart
    several = sum(not change.imports for change in case.changes) > 1
    if kind == "end" and several and numbers(meant["printed"]):
        return  # other names may hold now what has been printed alike
    sure = kind != "end" or not several
    text = f"{what}, the original would go on otherwise: {said}"
    yield Sign(Weight.REST if sure else Weight.DOUBT, "follow", text)


def _unlike(one: Trace, other: Trace) -> tuple[str, str] | None:
    """What follows in one run otherwise than in another: losses, what is printed, the weights."""
    for a, b in zip(one["events"], other["events"], strict=False):
        if not same_kind(a, b):
            break
        if not close(a["value"], b["value"], _NEAR):
            return "loss", f"the loss in line {b['line']} is {_two(a['value'], b['value'])}"
    first, second = numbers(one["printed"]), numbers(other["printed"])
    for a, b in zip(first, second, strict=False):
        if not close(a, b, 10 * _NEAR) and abs(a - b) > 2e-4:
            return "print", f"it prints {_two(a, b)}"
    ends = {key(leaf): leaf for leaf in one["leaves"]}
    for leaf in other["leaves"]:
        meant = ends.get(key(leaf), leaf)
        if leaf["moved"] and not meant["moved"]:
            continue  # its name went on to another tensor there
        then = meant["end"]
        size = max(abs(then[1]), abs(leaf["end"][1]))
        for a, b in zip(then, leaf["end"], strict=True):
            if abs(a - b) > _NEAR * size:
                return "end", f"{name(leaf)} ends with a sum of {_two(a, b)}"
    return None


def _two(meant: float, found: float) -> str:
    return f"{meant:.6g} then, and {found:.6g} in the rewritten code"


def numbers(printed: str) -> list[float]:
    """All that stand in a text by themselves."""
    return [float(one) for one in _NUMBER.findall(printed)]
