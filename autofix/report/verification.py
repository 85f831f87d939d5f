"""Verdicts: what came of running two versions of a program, and what that rests on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autofix.model import Verification
from autofix.report.style import Style, clean
from autofix.report.verdict import as_json, evidence, said

if TYPE_CHECKING:
    from autofix.verify.compare import Compared, Comparison
    from autofix.verify.outcome import Judged
    from autofix.verify.sides import Side

VERSION = 1
_MOST_LINES = 12
_WIDEST = 160


def render(comparison: Comparison, style: Style) -> Iterator[str]:
    """The verdict first, then each change with its own, then what they rest on."""
    yield said(comparison.verification, style) + "\n"
    for one in comparison.files:
        yield "\n" + "".join(f"{line}\n" for line in _file(one, comparison, style))
    if comparison.command is not None:
        yield f"\n{clean(comparison.command.reason)}\n"
        lines = evidence(comparison.command.evidence, style)
        yield "".join(f"{line}\n" for line in lines)


def _file(one: Compared, comparison: Comparison, style: Style) -> Iterator[str]:
    whole = one.outcome.verification
    if len(comparison.files) > 1:
        yield f"{style(clean(one.both.shown), 'bold')}: {said(whole, style)}"
    for judged in one.outcome.changes:
        yield from _change(one, judged, style)
        if judged.verification.reason != whole.reason:
            yield said(judged.verification, style)
            yield from evidence(_own(judged, whole), style, judged.verification.reason)
    yield from evidence(whole.evidence, style, whole.reason)


def _own(judged: Judged, whole: Verification) -> Mapping[str, Any]:
    """The evidence of a change that is not that of its whole file."""
    shared = whole.evidence.items()
    own = judged.verification.evidence.items()
    return {key: value for key, value in own if (key, value) not in shared}


def _change(one: Compared, judged: Judged, style: Style) -> Iterator[str]:
    change = judged.change
    before, after = one.both.before, one.both.after
    where = _place(after if change.after[1] >= change.after[0] else before, change, one)
    unit = f" in `{clean(change.unit)}`" if change.unit else ""
    yield f"{style('-->', 'cyan')} {where}{unit}"
    yield from _lines(before, change.before, "-", style)
    yield from _lines(after, change.after, "+", style)


def _place(side: Side, change: Any, one: Compared) -> str:
    span = change.after if side is one.both.after else change.before
    place = side.place(span[0])
    cell = "" if place.cell is None else f"cell {place.cell}:"
    return f"{clean(one.both.shown)}:{cell}{place.line}"


def _lines(side: Side, span: tuple[int, int], mark: str, style: Style) -> Iterator[str]:
    lines = side.lines(*span)
    color = "red" if mark == "-" else "green"
    for number, line in enumerate(lines[:_MOST_LINES], span[0]):
        text = clean(line) if len(line) <= _WIDEST else clean(line[:_WIDEST]) + "..."
        yield style(f"{side.place(number).line:>5} {mark} {text}".rstrip(), color)
    if len(lines) > _MOST_LINES:
        yield f"      ... {len(lines) - _MOST_LINES} more lines"


def render_json(comparison: Comparison) -> str:
    whole = comparison.verification
    document = {
        "version": VERSION,
        "verdict": whole.verdict.value,
        "reason": whole.reason,
        "evidence": dict(whole.evidence),
        "changes": [
            _as_json(one, judged) for one in comparison.files for judged in one.outcome.changes
        ],
        "notes": list(comparison.notes),
        "command": comparison.command
        and {
            "refuted": comparison.command.refuted,
            "reason": comparison.command.reason,
            "evidence": dict(comparison.command.evidence),
        },
    }
    return json.dumps(document, indent=2, default=str) + "\n"


def _as_json(one: Compared, judged: Judged) -> dict[str, Any]:
    change = judged.change
    old, new = one.both.before, one.both.after
    return {
        "path": one.both.shown,
        "cell": new.place(change.after[0]).cell,
        **_range("", old, change.before),
        **_range("after_", new, change.after),
        "unit": change.unit,
        "kind": change.kind,
        **(as_json(judged.verification) or {}),
    }


def _range(prefix: str, side: Side, span: Sequence[int]) -> dict[str, int]:
    """First and last line; a side that has nothing ends before it begins."""
    first = side.place(span[0]).line
    return {f"{prefix}line": first, f"{prefix}end_line": first + span[1] - span[0]}
