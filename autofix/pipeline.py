"""One file, from bytes to what a report needs. Nothing that goes wrong in it leaves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from autofix import engine
from autofix.document import Document, DocumentError, load
from autofix.flow.imported import Project
from autofix.ignores import apply_ignores
from autofix.locate import locate, place_applied
from autofix.model import Applicability, Finding, Fix, Position
from autofix.results import FileResult, Located, Problem
from autofix.rewrite.fixpoint import RepairError, repair
from autofix.rule import Rule

SYNTAX_ERROR = "syntax-error"
UNUSED_IGNORE = "AG901"
_OUR_COMMENT = re.compile(r"utofix|UTOFIX")
_REPORT = "internal error, please report it"
_BLOCKED = "the fix would touch a notebook magic, or cross from one cell to another"
_UNENCODABLE = "the fix needs characters that the file's encoding lacks"


def labels(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(label for rule in rules for label in (rule.code, rule.name))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a file: which rules, which tiers, and whether to repair."""

    rules: tuple[Rule, ...]
    repair: bool = False
    unsafe: bool = False
    verify: bool = False
    """Leave the repair to the verifier, which decides fix by fix."""
    python: str | None = None
    """The interpreter to verify with, if one is asked for."""
    promoted: frozenset[str] = frozenset()
    """Codes whose unsafe fixes are taken as safe."""
    demoted: frozenset[str] = frozenset()
    project: Project | None = field(default=None, compare=False)
    """The files around the one that is looked at, if they may have a say in it."""
    known: frozenset[str] | None = None
    """Codes and names of all rules there are, selected or not."""
    by_itself: bool = False
    """The other files stay as they are, whatever becomes of this one."""

    @property
    def labels(self) -> frozenset[str]:
        return labels(self.rules)

    def accepts(self, finding: Finding) -> bool:
        """Whether the fix is one to write."""
        tiers = (Applicability.SAFE, Applicability.UNSAFE) if self.unsafe else (Applicability.SAFE,)
        if finding.fix is None or finding.declined is not None:
            return False
        return finding.applicability in tiers and self._reaches(finding.fix.along)

    def _reaches(self, others: frozenset[str]) -> bool:
        """Are these files repaired by the same run?"""
        if not others:
            return True
        if self.by_itself or self.project is None:
            return False
        return all(map(self.project.is_given, others))


@dataclass(frozen=True, slots=True)
class Look:
    """One pass over one state of a document."""

    document: Document
    findings: tuple[Finding, ...]
    crashes: tuple[tuple[str, str], ...] = ()
    consulted: frozenset[str] = frozenset()
    given_up: bool = False


def examine(data: bytes, path: str, shown: str, plan: Plan) -> FileResult:
    """Look at one file, and repair it in memory if that is the plan."""
    if not is_candidate(data) or not _is_asked(data, path, plan):
        return FileResult(path, shown)
    try:
        return _examine(load(data, path), path, shown, plan)
    except DocumentError as error:
        return failed(path, shown, str(error))
    except (RecursionError, MemoryError):
        return failed(path, shown, "nested too deeply to be analysed")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # LibCST's parser panics with something that is no `Exception`
        return failed(path, shown, f"{_REPORT}: {type(error).__name__}: {error}")


def could_be_fixed(result: FileResult, project: Project | None = None) -> bool:
    """Whether there is a fix that is not written and that a verdict could have written, whatever
    its tier; with a project, also one that needs other files of it to be repaired along."""
    wide = Plan(rules=(), unsafe=True, project=project)
    return any(wide.accepts(found.finding) for found in result.findings if not found.applied)


def is_candidate(data: bytes) -> bool:
    """Whether any rule could have something to say; what is not a candidate is not even decoded."""
    text = data.decode("latin-1")
    return engine.concerns(text) or engine.may_serve(text)


def _is_asked(data: bytes, path: str, plan: Plan) -> bool:
    """Of a candidate that does not speak of torch: does it serve files that do?"""
    text = data.decode("latin-1")
    return engine.concerns(text) or engine.serves(text, path, plan.project)


def failed(path: str, shown: str, message: str) -> FileResult:
    return FileResult(path, shown, looked_at=False, problems=(Problem(shown, message),))


def look(document: Document, plan: Plan) -> Look:
    """Everything the rules say of a document. Raises SyntaxError and ValueError as `ast` does."""
    source = document.source
    outcome = engine.find(source, plan.rules, plan.project)
    kept = list(outcome.findings)
    unused: tuple[Finding, ...] = ()
    if kept or _OUR_COMMENT.search(source.text):
        # Tokenizing costs more than parsing; a `noqa` alone is no reason for it.
        kept, _, unused = apply_ignores(source, kept, plan.labels, plan.known)
    if UNUSED_IGNORE in plan.labels and not outcome.crashes:
        # A rule that crashed might have used them.
        kept = [*kept, *unused]
    broken = {found.rule: "its edits overlap" for found in kept if _overlaps(found.fix)}
    findings = (_settle(document, finding, plan) for finding in kept)
    ordered = sorted(findings, key=lambda found: (found.start, found.end, found.rule))
    crashes = (*outcome.crashes, *broken.items())
    return Look(document, tuple(ordered), crashes, outcome.consulted, outcome.given_up)


def _overlaps(fix: Fix | None) -> bool:
    edits = sorted(fix.edits, key=lambda edit: (edit.start, edit.end)) if fix else []
    return any(a.end > b.start for a, b in pairwise(edits))


def _settle(document: Document, finding: Finding, plan: Plan) -> Finding:
    """The finding with the tier the settings give it, and without a fix that cannot be made."""
    fix = finding.fix
    if fix is None:
        return finding
    if _overlaps(fix):
        return replace(finding, fix=None)
    if not document.allows(fix.edits):
        why = _BLOCKED if document.notebook else _UNENCODABLE
        return replace(finding, fix=None, declined=why)
    tier = fix.applicability
    if tier is Applicability.UNSAFE and finding.rule in plan.promoted:
        tier = Applicability.SAFE
    elif tier is Applicability.SAFE and finding.rule in plan.demoted:
        tier = Applicability.UNSAFE
    if tier is fix.applicability:
        return finding
    return replace(finding, fix=replace(fix, applicability=tier))


def _examine(document: Document, path: str, shown: str, plan: Plan) -> FileResult:
    try:
        first = look(document, plan)
    except (SyntaxError, ValueError):
        broken = document.syntax_error()
        if broken is None:
            raise
        return FileResult(path, shown, findings=(_syntax_error(shown, *broken),))
    problems = _crashed(dict(first.crashes), shown)
    plain = FileResult(
        path,
        shown,
        findings=_place(first, shown, plan),
        problems=problems,
        consulted=first.consulted,
        given_up=first.given_up,
    )
    if plan.repair and not plan.verify and any(map(plan.accepts, first.findings)):
        return _repaired(plain, first, plan)
    return plain


def _repaired(plain: FileResult, first: Look, plan: Plan) -> FileResult:
    shown = plain.shown
    looks = {id(first.document): first}

    def find(document: Document) -> Sequence[Finding]:
        seen = looks.setdefault(id(document), first)
        if seen.document is not document:
            seen = looks[id(document)] = look(document, plan)
        return seen.findings

    try:
        done = repair(first.document, find, plan.accepts)
    except (RepairError, SyntaxError, ValueError) as error:
        problem = Problem(shown, f"{_REPORT}, the file is left as it was: {error}")
        return replace(plain, problems=(*plain.problems, problem))
    if done.after == done.before:
        return plain
    final = looks[id(done.document)]
    crashes = dict(final.crashes) | dict(first.crashes)
    return replace(
        plain,
        findings=(*place_applied(done.applied, shown), *_place(final, shown, plan)),
        problems=_crashed(crashes, shown),
        before=done.before,
        after=done.after,
        unrepaired=plain.findings,
    )


def _crashed(crashes: Mapping[str, str], shown: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(shown, f"rule `{code}` crashed, please report it: {said}")
        for code, said in crashes.items()
    )


def _place(seen: Look, shown: str, plan: Plan) -> tuple[Located, ...]:
    placed = tuple(
        locate(seen.document, finding, shown, fixable=plan.accepts(finding))
        for finding in seen.findings
    )
    # Cells that are not Python are left out of the module; the others are still analysed.
    unread = tuple(_syntax_error(shown, place, said) for place, said in seen.document.unread)
    return (*unread, *placed)


def _syntax_error(shown: str, place: Position, message: str) -> Located:
    finding = Finding(SYNTAX_ERROR, SYNTAX_ERROR, message, 0, 0)
    return Located(shown, finding, place, place)
