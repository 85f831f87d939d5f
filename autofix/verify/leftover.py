"""What a change leaves broken: a run cannot tell a cut that is left over from one that is meant,
but the rules can.
"""

from __future__ import annotations

from dataclasses import replace

from autofix import registry
from autofix.document import Document
from autofix.model import Applicability, Finding, Verdict
from autofix.pipeline import Plan, look
from autofix.verify.outcome import Outcome
from autofix.verify.sides import Both

_SURE = (Applicability.SAFE, Applicability.UNSAFE)


def with_leftovers(outcome: Outcome, both: Both) -> Outcome:
    """A confirmed change confirms no more than itself: if the file that comes out still has a bug,
    whether it was there before or not, the repair is not complete."""
    if outcome.verification.verdict is not Verdict.CONFIRMED:
        return outcome
    left = _findings(both.after.document)
    if not left:
        return outcome
    first = left[0]
    place = both.after.document.position(first.start)
    where = f"line {place.line}" if place.cell is None else f"cell {place.cell} line {place.line}"
    reason = (
        f"{where} is still wrong ({first.rule}: {first.message}); "
        f"of the changes: {outcome.verification.reason}"
    )
    whole = replace(outcome.verification, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return replace(outcome, verification=whole)


def _findings(document: Document) -> list[Finding]:
    found = look(document, Plan(registry.load())).findings
    return [one for one in found if one.applicability in _SURE]
