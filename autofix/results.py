"""What a run found, ready for any report: no document, tree or rule is needed to print it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autofix.model import Finding, Position, Verification


@dataclass(frozen=True, slots=True)
class Change:
    """One edit, placed as users count; `end` is exclusive."""

    start: Position
    end: Position
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A source line of a snippet; `mark` is the part of it that is meant, as columns from 0."""

    number: int
    text: str
    mark: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """A finding with its place, its surroundings and what became of it."""

    path: str
    """As shown: relative to the working directory where it lies below it."""
    finding: Finding
    start: Position
    end: Position
    changes: tuple[Change, ...] = ()
    fixable: bool = False
    """The fix would be written at the tier in force."""
    applied: bool = False
    snippet: tuple[Line, ...] = ()
    diff: tuple[str, ...] = ()
    """The lines that the fix touches, each with `-` or `+` before it."""
    verification: Verification | None = None
    """What came of running the code with the fix, if that was asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be looked at, or not wholly."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file. `after` is None unless a repair has changed it."""

    path: str
    shown: str
    looked_at: bool = True
    findings: tuple[Located, ...] = ()
    problems: tuple[Problem, ...] = ()
    before: bytes = b""
    after: bytes | None = None
    consulted: frozenset[str] = frozenset()
    """The other files that had a say in it."""
    given_up: bool = False
    """It was too large to follow: not all that is wrong with it may have been found."""
    unrepaired: tuple[Located, ...] = ()
    """What `findings` has to be if `after` is not written after all."""

    @property
    def along(self) -> frozenset[str]:
        """The other files that have to be repaired with it."""
        fixes = [found.finding.fix for found in self.findings if found.applied]
        return frozenset().union(*(fix.along for fix in fixes if fix is not None))


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    files: int
    """How many files were looked at."""
    findings: tuple[Located, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    patch: bytes = b""
    written: int = 0
    """How many files were changed, or would be."""
    given_up: tuple[str, ...] = ()
    """The files that were too large to follow, as shown."""

    @property
    def applied(self) -> tuple[Located, ...]:
        return tuple(found for found in self.findings if found.applied)

    @property
    def tried(self) -> tuple[Located, ...]:
        """What was written after the code had been run with it."""
        return tuple(found for found in self.applied if found.verification)

    @property
    def remaining(self) -> tuple[Located, ...]:
        return tuple(found for found in self.findings if not found.applied)


@dataclass(frozen=True, slots=True)
class Count:
    """How often a rule was met."""

    rule: str
    name: str
    count: int
    fixable: int


def statistics(findings: Sequence[Located]) -> list[Count]:
    """Findings by rule, the most frequent first."""
    counts = Counter((found.finding.rule, found.finding.name) for found in findings)
    fixable = Counter(found.finding.rule for found in findings if found.fixable)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Count(rule, name, count, fixable[rule]) for (rule, name), count in ordered]
