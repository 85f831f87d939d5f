"""What follows from a change: losses, what is printed or returned, and what names hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from autofix.verify.judge.case import Trace, key, name
from autofix.verify.judge.elsewhere import same_kind
from autofix.verify.judge.reductions import alike, close

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d*)?(?:e[-+]?\d+)?", re.IGNORECASE)
_NEAR = 1e-3
_SHOWN = 1e-2
"""What is printed is rounded."""
_LEAST = 2e-4


def unlike(one: Trace, other: Trace) -> tuple[str, str] | None:
    """What follows in one run otherwise than in another: losses, what is printed, the weights."""
    for a, b in zip(one["events"], other["events"], strict=False):
        if not same_kind(a, b):
            break
        if not close(a["value"], b["value"], _NEAR):
            return "loss", f"the loss in line {b['line']} is {_two(a['value'], b['value'])}"
    for a, b in shown_apart(one, other):
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


def apart(one: Trace | None, other: Trace | None) -> str | None:
    """What two runs to the end do not have in common, however their weights are named; an empty
    text if that is nothing, and None if one of them did not come to its end."""
    if one is None or other is None or one["raised"] or other["raised"]:
        return None
    if one["steps"] != other["steps"]:
        return f"it takes {other['steps']} steps, and not {one['steps']}"
    found = unlike(one, other)
    return found[1] if found is not None and found[0] != "end" else beside(one, other) or ""


def _two(meant: float, found: float) -> str:
    return f"{meant:.6g} then, and {found:.6g} in the rewritten code"


def beside(old: Trace, new: Trace) -> str | None:
    """What is printed, returned by a function with a change, or held by a name in the end, and is
    not as it was."""
    if len(numbers(old["printed"])) == len(numbers(new["printed"])):
        for a, b in shown_apart(old, new):
            return f"it printed {a:.6g} and prints {b:.6g} now"
    for called in sorted(old["handed"].keys() & new["handed"].keys()):
        for was, now in zip(old["handed"][called], new["handed"][called], strict=False):
            if _apart(was[1], now[1]):
                return f"`{called}` returns other values than before"
    for called in sorted(old["bound"].keys() & new["bound"].keys()):
        if _apart(old["bound"][called], new["bound"][called]):
            return f"`{called}` holds other values in the end"
    return None


def shown_apart(one: Trace, other: Trace) -> list[tuple[float, float]]:
    """The numbers that two runs print and that differ, as far as both print some; not those of a
    container that comes in another order."""
    was, now = numbers(one["printed"]), numbers(other["printed"])
    if len(was) == len(now) and not _differing(sorted(was), sorted(now)):
        return []
    return _differing(was, now)


def _differing(was: list[float], now: list[float]) -> list[tuple[float, float]]:
    pairs = zip(was, now, strict=False)
    return [(a, b) for a, b in pairs if not (close(a, b, _SHOWN) or abs(a - b) <= _LEAST)]


def _apart(was: Sequence[Any], now: Sequence[Any]) -> bool:
    """Whether as many tensors and numbers hold something else."""
    return len(was) == len(now) and not all(
        alike(a, b, _NEAR) for a, b in zip(was, now, strict=True)
    )


def numbers(printed: str) -> list[float]:
    """All that stand in a text by themselves."""
    return [float(one) for one in _NUMBER.findall(printed)]
