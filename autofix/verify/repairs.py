"""Repair one file by verdicts: what is refuted is not written, what is confirmed is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autofix.document import Document, DocumentError, load
from autofix.locate import place_applied
from autofix.model import Finding, Verdict, Verification
from autofix.pipeline import Look, Plan, examine, look
from autofix.results import FileResult, Located
from autofix.rewrite.edits import merged, select
from autofix.verify.compare import Compared, judged, paired, together
from autofix.verify.leftover import in_part
from autofix.verify.outcome import Judge, Outcome
from autofix.verify.sides import Both, SideError, side

_UNBUILT = "the fix cannot be made by itself"
_TOGETHER = "refuted together with the other fixes of this file: "
Key = tuple[str, str, tuple[tuple[int, str], ...]]


@dataclass(frozen=True)
class Bench:
    """One file on the bench."""

    data: bytes
    path: str
    shown: str
    plan: Plan
    judge: Judge
    only: bool
    """Write nothing that is not confirmed."""

    @property
    def wide(self) -> Plan:
        """Fixes of every tier that can be written at all: the verdict decides, not the tier."""
        return replace(self.plan, unsafe=True, repair=True, verify=False, by_itself=True)

    def plain(self, data: bytes) -> FileResult:
        """What is found, with nothing repaired."""
        return examine(data, self.path, self.shown, replace(self.plan, repair=False))

    def outcome(self, after: bytes) -> Compared:
        """What comes of running the file as it is and as it would be."""
        try:
            path = Path(self.path)
            both = Both(self.shown, side(self.data, path), side(after, path))
            return Compared(both, in_part(judged(self.judge, paired(both)), both))
        except SideError as error:
            verdict = Verification(Verdict.INCONCLUSIVE, str(error))
            return Compared(_nothing(self.shown), Outcome(verdict))

    def keeps(self, finding: Finding, verification: Verification) -> bool:
        """Whether a fix is to be written."""
        if verification.verdict is Verdict.CONFIRMED:
            return True
        if verification.verdict is Verdict.REFUTED:
            return False
        # Not run: only a comment changes.
        sure = verification.verdict is Verdict.NOT_RUN or not self.only
        return sure and self.plan.accepts(finding)


def verified(bench: Bench) -> FileResult:
    """Look at a file and repair it in memory as far as running it allows."""
    whole = examine(bench.data, bench.path, bench.shown, bench.wide)
    if whole.after is None:
        return replace(bench.plain(bench.data), problems=whole.problems)
    first = look(load(bench.data, bench.path), bench.wide)
    fixes = [finding for finding in first.findings if bench.wide.accepts(finding)]
    compared = bench.outcome(whole.after)
    verdict = compared.outcome.verification
    if verdict.verdict is Verdict.CONFIRMED:
        return told(whole, compared, verdict)
    if len(fixes) == 1 and len([found for found in whole.findings if found.applied]) == 1:
        verdicts = {fixes[0]: verdict}
    else:
        verdicts = {finding: _alone(bench, first.document, finding) for finding in fixes}
    kept = [finding for finding in fixes if bench.keeps(finding, verdicts[finding])]
    if len(kept) == len(fixes) and verdict.verdict is not Verdict.REFUTED:
        return _told(whole, verdicts)
    return _together(bench, first, verdicts, kept)


def _nothing(shown: str) -> Both:
    empty = side(b"", Path(shown))
    return Both(shown, empty, empty)


def told(whole: FileResult, compared: Compared, verification: Verification) -> FileResult:
    """The result with every fix confirmed: each with the verdict of the changes that it made, or
    that of all together."""
    before = compared.both.before
    lines: dict[tuple[int | None, int], list[Verification]] = {}
    for one in compared.outcome.changes:
        first, last = one.change.before
        for line in range(first, max(first, last) + 1):
            place = before.place(line)
            lines.setdefault((place.cell, place.line), []).append(one.verification)

    def of(found: Located) -> Located:
        if not found.applied:
            return found
        spans = [(found.start, found.end), *((one.start, one.end) for one in found.changes)]
        touched = [
            part
            for start, end in spans
            for line in range(start.line, end.line + 1)
            for part in lines.get((start.cell, line), ())
        ]
        own = together(list({id(part): part for part in touched}.values()))
        sure = own.verdict is Verdict.CONFIRMED and own.evidence
        return replace(found, verification=own if sure else verification)

    return replace(whole, findings=tuple(of(found) for found in whole.findings))


def _alone(bench: Bench, document: Document, finding: Finding) -> Verification:
    """The verdict on one fix, made by itself."""
    try:
        after = document.apply(merged([finding]))
    except (DocumentError, ValueError):
        return Verification(Verdict.INCONCLUSIVE, _UNBUILT)
    return bench.outcome(after).outcome.verification


def _together(
    bench: Bench,
    first: Look,
    verdicts: Mapping[Finding, Verification],
    kept: Sequence[Finding],
) -> FileResult:
    """What is left after some fixes were dropped, verified once more as a whole."""
    verdicts = dict(verdicts)
    while kept:
        chosen = select(kept, lambda finding: True)
        after = first.document.apply(merged(chosen))
        if len(chosen) == 1:
            return _written(bench, first, chosen, after, verdicts)
        verification = bench.outcome(after).outcome.verification
        if verification.verdict is not Verdict.REFUTED:
            return _written(bench, first, chosen, after, verdicts)
        # Together they are wrong: those that nothing speaks for go first.
        sure = [finding for finding in kept if verdicts[finding].verdict is Verdict.CONFIRMED]
        refuted = replace(verification, reason=_TOGETHER + verification.reason)
        dropped = [finding for finding in kept if finding not in sure] or list(kept)
        verdicts |= dict.fromkeys(dropped, refuted)
        kept = [finding for finding in kept if finding not in dropped]
    return _told(bench.plain(bench.data), verdicts)


def _written(
    bench: Bench,
    first: Look,
    chosen: Sequence[Finding],
    after: bytes,
    verdicts: Mapping[Finding, Verification],
) -> FileResult:
    before, left = bench.plain(bench.data), bench.plain(after)
    done = place_applied([(finding, first.document) for finding in chosen], bench.shown)
    result = replace(
        before,
        findings=(*done, *left.findings),
        problems=tuple(dict.fromkeys((*before.problems, *left.problems))),
        before=bench.data,
        after=after,
        unrepaired=before.findings,
    )
    return _told(result, verdicts)


def _told(result: FileResult, verdicts: Mapping[Finding, Verification]) -> FileResult:
    """The result with each finding's verdict. What is not written after a verdict is marked so."""
    waiting: dict[Key, list[Verification]] = {}
    for finding, verification in verdicts.items():
        waiting.setdefault(key(finding), []).append(verification)

    def told(found: Located, left: dict[Key, list[Verification]]) -> Located:
        known = left.get(key(found.finding))
        if not known:
            return found
        verification = known.pop(0) if len(known) > 1 else known[0]
        fixable = found.fixable and verification.verdict is not Verdict.REFUTED
        return replace(found, verification=verification, fixable=fixable)

    def every(findings: Iterable[Located]) -> tuple[Located, ...]:
        left = {name: list(known) for name, known in waiting.items()}
        return tuple(told(found, left) for found in findings)

    return replace(result, findings=every(result.findings), unrepaired=every(result.unrepaired))


def key(finding: Finding) -> Key:
    """What a finding is known by after other places of its file have changed."""
    edits = finding.fix.edits if finding.fix else ()
    return (
        finding.rule,
        finding.message,
        tuple((edit.end - edit.start, edit.text) for edit in edits),
    )
