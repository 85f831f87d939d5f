"""The values that cross a boundary: findings, fixes, edits and the result for one file.

Everything here is frozen and picklable, so a result can come from another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Applicability(str, Enum):
    """How much trust a fix deserves before it is written."""

    SAFE = "safe"
    """Forward values, shapes and dtypes are unchanged; only the gradient path is restored."""
    UNSAFE = "unsafe"
    """Very likely wanted, but something else may move. Needs ``--unsafe-fixes``."""
    DISPLAY = "display"
    """A choice only the author can make. Shown, never applied."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace ``text[start:end]`` of the module text by ``text``; offsets count characters."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """The edits that belong together: all of them are applied, or none."""

    applicability: Applicability
    edits: tuple[Edit, ...]
    along: frozenset[str] = frozenset()
    """Other files, by absolute path, that would break if they were not repaired as well."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place as users count it: 1-based line and column (in characters), 1-based notebook cell."""

    line: int
    column: int
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule met at a span of one file."""

    rule: str
    name: str
    message: str
    start: int
    end: int
    fix: Fix | None = None
    declined: str | None = None
    """Why the rule matched but would not fix."""
    why: tuple[str, ...] = ()
    """The chain from the leaf to the cut, one readable step a line."""
    note: str | None = None
    """What else a reader should know before taking the fix."""

    @property
    def applicability(self) -> Applicability | None:
        return self.fix.applicability if self.fix else None


class Verdict(str, Enum):
    """What came of running the code before and after a change."""

    CONFIRMED = "confirmed"
    """Ran on both sides: something was wrong and is right now, and nothing compared got worse."""
    REFUTED = "refuted"
    """There is a counter-example."""
    INCONCLUSIVE = "inconclusive"
    """Neither could be shown; the reason says what stood in the way."""
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Verification:
    """A verdict, why in one line, and what it rests on."""

    verdict: Verdict
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Plain data, fit for JSON."""
