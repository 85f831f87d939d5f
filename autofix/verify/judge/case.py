"""What was seen of both versions, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from autofix.verify.changes import Change

Trace = Mapping[str, Any]
"""One result of the child process; see `child/execute.py`."""


class Weight(Enum):
    """What a sign says about the repair."""

    GAIN = "gain"
    """Something that was wrong is right now."""
    LOSS = "loss"
    """Something that was right is wrong now, or moved where it must not: a counter-example."""
    REST = "rest"
    """What the change set out to repair is still wrong: a counter-example too."""
    DOUBT = "doubt"
    """Nothing can be concluded from this run."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that the comparison shows."""

    weight: Weight
    kind: str
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """What was seen of one version."""

    plain: Trace | None = None
    again: Trace | None = None
    apart: Trace | None = None
    """A run in which each expanded tensor is copied first."""
    exact: tuple[Trace, ...] = ()
    failure: str | None = None
    """Why there is less than there should be."""
    healed: Trace | None = None
    """A run in which changed statements keep copies, and no gradient is asked for in vain; there
    is none where that is no other than as it stands."""

    @property
    def raised(self) -> Trace | None:
        return None if self.plain is None else self.plain["raised"]

    @property
    def events(self) -> Sequence[Trace]:
        return () if self.plain is None else self.plain["events"]

    @property
    def leaves(self) -> Sequence[Trace]:
        return () if self.plain is None else self.plain["leaves"]


@dataclass(frozen=True, slots=True)
class Case:
    """Two versions, run alike."""

    before: Side
    after: Side
    changes: tuple[Change, ...]
    old: str
    """The changed lines of the first version."""
    new: str
    gone: str = ""
    """The functions that these call, and that the change does without."""
    called: bool = False
    """A function was called with made inputs; else the program ran as it stands."""
    data: bool = False
    """A text that the program reads has changed."""
    alone: bool = True
    """No other file of the program changes with it."""

    def hits(self) -> set[int]:
        """The changes that one of the versions has reached."""
        reached: set[int] = set()
        for side in (self.before, self.after):
            for trace in (side.plain, side.again):
                reached |= {int(number) for number in (trace or {}).get("hits", ())}
        return reached | {*self.raising(self.before, 0), *self.raising(self.after, 1)}

    def raising(self, side: Side, which: int) -> Iterator[int]:
        """Changes that ran and raised: a statement is noted when it is over."""
        line = side.raised["line"] if side.raised is not None else 0
        for number, change in enumerate(self.changes):
            first, last = change.after if which else change.before
            if first <= line <= last:
                yield number

    @property
    def reduced(self) -> bool:
        """Whether the original's loss was not one number."""
        said = [event["raised"] for event in self.before.events if event["raised"]]
        said += [self.before.raised["message"]] if self.before.raised is not None else []
        return any("only for scalar" in one for one in said)

    def exact(self) -> Iterator[tuple[Trace, Trace]]:
        """The runs in float64, seed by seed."""
        yield from zip(self.before.exact, self.after.exact, strict=False)


def key(leaf: Trace) -> tuple[Any, ...]:
    """What a leaf is known by in both versions: its shape, its first values, and a count."""
    shape, *rest = leaf["key"]
    return (tuple(shape), *rest)


def name(leaf: Trace) -> str:
    if leaf["name"]:
        return f"`{leaf['name']}`"
    shape = leaf["key"][0]
    return f"the tensor of shape {tuple(shape)} used in line {leaf['line']}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a`, `b` and 3 more."""
    unique = list(dict.fromkeys(names))
    if len(unique) <= most:
        return (
            " and ".join(unique)
            if len(unique) < 3
            else f"{', '.join(unique[:-1])} and {unique[-1]}"
        )
    return f"{', '.join(unique[:most])} and {len(unique) - most} more"


def told(error: Trace) -> str:
    """An exception in one clause."""
    message = str(error["message"])
    short = message if len(message) <= 120 else message[:117] + "..."
    return f"`{error['type']}: {short}`" + (f" in line {error['line']}" if error["line"] else "")
