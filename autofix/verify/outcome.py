"""What the verifier is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autofix.model import Verification
from autofix.verify.changes import Change
from autofix.verify.pair import Pair

if TYPE_CHECKING:
    from autofix.verify.zygote import Limits


def _limits() -> Limits:
    # Imported late: a report of an outcome needs no processes.
    from autofix.verify.zygote import Limits

    return Limits()


@dataclass(frozen=True, slots=True)
class Settings:
    """How to verify."""

    python: str
    """The interpreter to run the code in: the one that has the packages of the user."""
    seed: int = 0
    limits: Limits = field(default_factory=_limits)


@dataclass(frozen=True, slots=True)
class Judged:
    """One change, and what came of running it."""

    change: Change
    verification: Verification


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of running two versions of a program."""

    verification: Verification
    """Of the whole."""
    changes: tuple[Judged, ...] = ()


Judge = Callable[[Pair], Outcome]
