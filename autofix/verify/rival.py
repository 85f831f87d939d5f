"""The repair that the rules make of the original, as a measure for another one: where a run
confirms it, what does something else than it does may have missed what is meant."""

from __future__ import annotations

from dataclasses import dataclass

from autofix import registry
from autofix.model import Verdict
from autofix.pipeline import Plan, examine
from autofix.verify.outcome import Judge
from autofix.verify.pair import Version, pair
from autofix.verify.sides import Both, SideError, rewritten


@dataclass(frozen=True, slots=True)
class Rival:
    """In what way a version is other than the repair of the rules."""

    text: str
    refuted: bool
    """It is a counter-example by itself; else only what follows is other."""
    alike: bool
    """All goes on alike, to the end."""


def rival(both: Both, judge: Judge) -> Rival | None:
    """How the repaired version differs from the repair of the rules, if that is confirmed."""
    own = _own(both)
    asked = None if own is None else pair(own, both.after.version)
    if own is None or asked is None or asked.same:
        return None
    found = judge(asked).verification
    refuted = found.verdict is Verdict.REFUTED
    follows = found.evidence.get("follows")
    if not refuted and not follows:
        return None
    if found.verdict is Verdict.CONFIRMED and not found.evidence.get("robbed"):
        return None  # it repairs what the rules have left
    if judge(pair(both.before.version, own)).verification.verdict is not Verdict.CONFIRMED:
        return None
    return Rival(found.reason if refuted else str(follows), refuted, follows == "")


def compared_with(both: Both, judge: Judge) -> str | None:
    """What speaks against the repaired version beside the repair of the rules, confirmed or not."""
    own = _own(both)
    found = judge(pair(own, both.after.version)).verification if own is not None else None
    return found.reason if found is not None and found.verdict is Verdict.REFUTED else None


def _own(both: Both) -> Version | None:
    """What the rules make of the original; None if they leave it as it is."""
    data = both.before.document.data
    plan = Plan(registry.load(), True, True, project=both.before.project)
    made = examine(data, both.before.version.path, both.shown, plan).after
    if made is None:
        return None
    try:
        return rewritten(both.before, made).version
    except SideError:
        return None
