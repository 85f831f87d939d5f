"""Changes that only tidy up: the same values and the same gradients."""

from __future__ import annotations

import re

from autofix.verify.judge.case import Case, Sign, Trace, Weight
from autofix.verify.judge.statements import probes, written

_DATA = re.compile(r"\.data\s*(?:=(?!=)|[-+*/]=|\.\w+_\(|\[.*\]\s*[-+*/]?=(?!=))")


def cleaned_up(case: Case) -> Sign | None:
    """Nothing but a warning, or a write that autograd cannot see, went away."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None:
        return None
    gone = {said for said in _warned(old) - _warned(new) if "copy construct" in said}
    if gone:
        text = (
            f"the same values and the same gradients, without the warning `{sorted(gone)[0][:70]}`"
        )
        return Sign(Weight.GAIN, "equivalent", text)
    if _DATA.search(case.old) and not _DATA.search(case.new):
        reached = _reached(case)
        if reached:
            text = f"`{reached[0]}` is written to through shared memory, as it was before"
            return Sign(Weight.DOUBT, "aliasing", text)
        text = "the same values and the same gradients, without `.data`"
        return Sign(Weight.GAIN, "equivalent", text)
    return None


def _reached(case: Case) -> list[str]:
    """Data that the changed lines do not name, and write to before and after."""
    own = {*written(case.old), *written(case.new)}
    found = {
        name
        for old, new in probes(case)
        if old["written_unseen"]
        for name in {*old["written_unseen"]} & {*old["data"]} & {*new["written"]}
    }
    return sorted(found - own)


def _warned(trace: Trace) -> set[str]:
    return {said.split(": ", 1)[1] for said in trace["warnings"] if ": " in said}
