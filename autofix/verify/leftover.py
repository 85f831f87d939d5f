"""What a change leaves broken: a run cannot tell a cut that is left over from one that is meant,
but the rules can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from autofix.document import DocumentError
from autofix.model import Finding, Verdict, Verification
from autofix.pipeline import is_candidate
from autofix.rewrite.edits import merged
from autofix.verify import bugs, spared
from autofix.verify.judge.healed import IN_VAIN
from autofix.verify.judge.verdict import NOTHING, STOPPED
from autofix.verify.outcome import Judge, Outcome
from autofix.verify.pair import pair
from autofix.verify.rival import compared_with, rival
from autofix.verify.sides import Both, Side, SideError, Sides, rewritten, side

_IDLE = (NOTHING, IN_VAIN)
"""What is said of a change that shows no effect."""
_MOST = 100
"""So many files that have not changed are looked at."""


def with_leftovers(outcome: Outcome, both: Both, judge: Judge, *, alone: bool = True) -> Outcome:
    """A confirmed change confirms no more than itself: if the file that comes out still has a bug,
    whether it was there before or not, the repair is not complete; and if it is complete without
    some part that lets a gradient through, nobody knows whether that part is meant. A change that
    has no effect on what it is about does not repair what the rules found there. `alone`: no other
    file has changed, that it could have its effect with."""
    verification = outcome.verification
    if verification.verdict is Verdict.CONFIRMED:
        return _confirmed(outcome, both, judge, alone=alone)
    if verification.verdict is not Verdict.INCONCLUSIVE:
        return outcome
    said = _against(outcome, both, judge, alone=alone)
    if said is None and alone:
        said = _settled(verification, both, judge)
    return outcome if said is None else _with(outcome, Verdict.REFUTED, said)


def _against(outcome: Outcome, both: Both, judge: Judge, *, alone: bool) -> str | None:
    """What the rules still find there, if it is what the change was about."""
    verification = outcome.verification
    idle = verification.reason in _IDLE
    if idle or verification.reason.startswith(STOPPED):
        left = bugs.sure(both.after)
        for one in _unrepaired(outcome, both, left, whole_functions=True):
            return f"{bugs.still(both.after.document, one)}; {verification.reason}"
        return _idle(outcome, both, judge) if alone and idle else None
    if not _stops(verification):
        return None
    found = [one for one, direct in bugs.before(outcome, both) if direct and bugs.cuts(one)]
    if found and _stops(verification, changed=False):
        return f"{verification.reason}; it was {found[0].rule}: {found[0].message}"
    for one in _unfinished(outcome, both, bugs.sure(both.after), judge):
        return f"{bugs.still(both.after.document, one)}; {verification.reason}"
    return None


def _settled(verification: Verification, both: Both, judge: Judge) -> str | None:
    """What the repair of the rules says of a doubt: a counter-example, or, where the change has no
    effect or leaves something out, whatever follows otherwise."""
    other = rival(both, judge)
    sure = verification.reason in _IDLE or "forgotten" in verification.evidence
    if other is None or not (sure or other.refuted):
        return None
    return f"{verification.reason}; and beside the repair of the rules {other.text}"


def _idle(outcome: Outcome, both: Both, judge: Judge) -> str | None:
    """Why a change that shows no effect repairs nothing: what the rules make of the original in its
    place has one."""
    for found, _ in bugs.before(outcome, both):
        if _shows(found, both.before, judge):
            where = bugs.place(both.before.document, found)
            return (
                f"the change shows no effect, and a repair of {where} would have had one "
                f"({found.rule}: {found.message})"
            )
    return None


def _confirmed(outcome: Outcome, both: Both, judge: Judge, *, alone: bool) -> Outcome:
    said = outcome.verification.reason
    left = bugs.sure(both.after)
    if left:
        same = _unfinished(outcome, both, left, judge)
        reason = f"{bugs.still(both.after.document, [*same, *left][0])}; of the changes: {said}"
        return _with(outcome, Verdict.REFUTED if same else Verdict.INCONCLUSIVE, reason)
    outcome = in_part(outcome, both)
    sure = outcome.verification.verdict is Verdict.CONFIRMED
    if not sure or both.before.document.notebook is not None:
        return outcome
    for doubt in (_narrowed, _spared, *[_otherwise] * alone):
        found = doubt(outcome, both, judge)
        if found is not None:
            return _with(outcome, Verdict.INCONCLUSIVE, f"{found}; of the changes: {said}")
    return outcome


def in_part(outcome: Outcome, both: Both) -> Outcome:
    """The outcome, no more confirmed where the change repairs a part of what the rules find."""
    left = bugs.in_part(outcome, both)
    if left is None:
        return outcome
    reason = f"{left}; of the changes: {outcome.verification.reason}"
    return _with(outcome, Verdict.INCONCLUSIVE, reason)


def elsewhere(sides: Sides) -> str | None:
    """What the rules by which the changed files were wrong find in those that are as they were."""
    about = {found.rule for both in sides.files for found in bugs.sure(both.before)}
    for path in sides.same[:_MOST]:
        data = path.read_bytes()
        try:
            one = side(data, path)
        except SideError:
            continue
        for found in bugs.sure(one) if about and is_candidate(data) else ():
            if found.rule in about:
                return f"{path}: {bugs.still(one.document, found)}"
    return None


def _narrowed(outcome: Outcome, both: Both, judge: Judge) -> str | None:
    """Whether a block without gradients that lets some statements go keeps others from which a
    gradient would come as well."""
    old, new = both.before.version, both.after.version
    blocks = spared.narrowed(old.text, new.text)
    if not blocks:
        return None
    found = judge(replace(pair(old, new), blocks=blocks)).verification
    if found.verdict is Verdict.CONFIRMED:
        return None
    return f"of what line {blocks[0][0]} stops a part is let through, and not all of it"


def _otherwise(outcome: Outcome, both: Both, judge: Judge) -> str | None:
    """Where the original computes nothing that values could be compared with, the repair that the
    rules make tells what they may be; elsewhere it tells what may follow, if a run confirms it."""
    if not outcome.verification.evidence.get("compared", True):
        found = compared_with(both, judge)
    else:
        other = rival(both, judge)
        found = None if other is None or other.alike else other.text
    return None if found is None else f"there may be another repair, and beside that {found}"


def _spared(outcome: Outcome, both: Both, judge: Judge) -> str | None:
    """A stop that is gone though nothing says that it was a bug."""
    source = both.before.document.source
    blamed = [
        (source.line_of(one.start), source.line_of(one.end)) for one in bugs.sure(both.before)
    ]
    line = spared.unneeded(
        outcome,
        both.before.version,
        both.after.version,
        judge,
        blamed,
        lambda text: not bugs.sure(rewritten(both.after, text.encode())),
    )
    if line is None:
        return None
    return (
        f"line {line} lets a gradient through where none came before, and the repair is whole "
        "without that: if it is meant only its author knows"
    )


def _stops(verification: Verification, *, changed: bool | None = None) -> bool:
    """Whether a run shows that the changed lines stop a gradient, and whether any has changed."""
    found = [
        sign
        for sign in verification.evidence.get("signs", ())
        if sign["weight"] == "doubt" and sign["kind"] in ("gradient", "stop")
    ]
    return any(changed is None or sign.get("changed") is changed for sign in found)


def _with(outcome: Outcome, verdict: Verdict, reason: str) -> Outcome:
    whole = replace(outcome.verification, verdict=verdict, reason=reason)
    return replace(outcome, verification=whole)


def _unrepaired(
    outcome: Outcome, both: Both, left: Sequence[Finding], *, whole_functions: bool
) -> list[Finding]:
    """What was found where the change is, before and after; or anywhere in the functions that it
    changes."""
    olds = bugs.before(outcome, both)
    rules = {found.rule for found, direct in olds if direct or whole_functions}
    news = bugs.about(left, both.after.document, outcome, 1)
    return [found for found, direct in news if found.rule in rules and (direct or whole_functions)]


def _unfinished(
    outcome: Outcome, both: Both, left: Sequence[Finding], judge: Judge
) -> list[Finding]:
    """What the change set out to repair, and has not."""
    same = _unrepaired(outcome, both, left, whole_functions=False)
    found = same or _in_part(outcome, both, left)
    return [one for one in found if _shows(one, both.after, judge)]


def _in_part(outcome: Outcome, both: Both, left: Sequence[Finding]) -> list[Finding]:
    """What is left of findings of one rule, others of which the change has repaired."""
    olds = Counter(found.rule for found, _ in bugs.before(outcome, both))
    news = [found for found, _ in bugs.about(left, both.after.document, outcome, 1)]
    count = Counter(found.rule for found in news)
    return [found for found in news if count[found.rule] < olds[found.rule]]


def _shows(found: Finding, there: Side, judge: Judge) -> bool:
    """Whether a run shows that it is a bug: the rule's own repair of it is one."""
    try:
        repaired = rewritten(there, there.document.apply(merged([found])))
        asked = pair(there.version, repaired.version)
    except (DocumentError, ValueError, SideError, SyntaxError):
        return False
    return judge(asked).verification.verdict is Verdict.CONFIRMED
