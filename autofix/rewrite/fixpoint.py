"""Fix, read again, look again, until nothing is left to fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autofix.document import Document, DocumentError, load
from autofix.model import Finding
from autofix.rewrite.edits import merged, select
from autofix.rewrite.unbound import newly_unbound

Find = Callable[[Document], Sequence[Finding]]


class RepairError(Exception):
    """An internal error in one line, with the rules to blame. The file is to stay as it was."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of one file."""

    before: bytes
    document: Document
    """The file with all fixes made."""
    applied: tuple[tuple[Finding, Document], ...] = ()
    """Each fix made, with the state of the file that its offsets count in."""
    remaining: tuple[Finding, ...] = ()
    """What is still found; offsets count in `document`."""

    @property
    def after(self) -> bytes:
        return self.document.data


def repair(
    document: Document, find: Find, allowed: Callable[[Finding], bool], rounds: int = 10
) -> Repaired:
    """Make every allowed fix, in as many rounds as it takes. Lets through what `find` raises."""
    before = document.data
    seen = {before}
    applied: list[tuple[Finding, Document]] = []
    findings = find(document)
    for _ in range(rounds):
        chosen = _chosen(document, findings, allowed)
        if not chosen:
            return Repaired(before, document, tuple(applied), tuple(findings))
        fixed, chosen = _step(document, chosen)
        if fixed.data in seen:
            raise RepairError(f"{_rules(chosen)}: the fixes undo each other")
        seen.add(fixed.data)
        applied += [(finding, document) for finding in chosen]
        document, findings = fixed, find(fixed)
    if chosen := _chosen(document, findings, allowed):
        raise RepairError(f"{_rules(chosen)}: still something to fix after {rounds} rounds")
    return Repaired(before, document, tuple(applied), tuple(findings))


def _chosen(
    document: Document, findings: Sequence[Finding], allowed: Callable[[Finding], bool]
) -> list[Finding]:
    text = document.source.text

    def fits(finding: Finding) -> bool:
        edits = finding.fix.edits if finding.fix else ()
        return (
            allowed(finding)
            and document.allows(edits)
            and any(text[edit.start : edit.end] != edit.text for edit in edits)
        )

    return select(findings, fits)


def _step(document: Document, chosen: list[Finding]) -> tuple[Document, list[Finding]]:
    """The document with these fixes made, and those that were. Where they break it only together,
    as when they take out all statements of a block, the first is made, and the others wait for
    the next round. The fix that breaks it by itself is named."""
    fixed, problem = _made(document, chosen)
    if fixed:
        return fixed, chosen
    alone = [_made(document, [finding])[0] for finding in chosen]
    guilty = [finding for finding, made in zip(chosen, alone, strict=True) if made is None]
    if not guilty and alone[0] is not None:
        return alone[0], chosen[:1]
    raise RepairError(f"{_rules(guilty or chosen)}: the fixed file {problem}")


def _made(document: Document, chosen: Sequence[Finding]) -> tuple[Document | None, str]:
    try:
        fixed = load(document.apply(merged(chosen)), document.path)
    except DocumentError as error:
        return None, f"does not parse: {error}"
    if broken := fixed.syntax_error():
        return None, f"does not parse: {broken[1]} (line {broken[0].line})"
    # A notebook cell that stops being Python is blanked, so the module itself would still parse.
    if len(fixed.unread) > len(document.unread):
        place, message = fixed.unread[-1]
        return None, f"does not parse: {message} (cell {place.cell} line {place.line})"
    if names := newly_unbound(document.source.parse(), fixed.source.parse()):
        return None, f"uses `{min(names)}`, which nothing binds"
    return fixed, ""


def _rules(findings: Sequence[Finding]) -> str:
    return ", ".join(sorted({finding.rule for finding in findings}))
