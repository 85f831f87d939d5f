"""Verdicts: what came of running two versions of a program, and what that rests on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autofix.model import Verdict, Verification
from autofix.report.style import Style, clean

if TYPE_CHECKING:
    from autofix.verify.compare import Compared, Comparison
    from autofix.verify.outcome import Judged
    from autofix.verify.sides import Side

VERSION = 1
PROMISE = (
    "this runs your code, in processes of its own with limits: that guards against accidents, "
    "not against hostile code"
)
_COLORS = {
    Verdict.CONFIRMED: "green",
    Verdict.REFUTED: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "dim",
}
_MOST_LINES = 12
_WIDEST = 160
_LABEL = 14
_COUNTS = ("seeds", "executions", "backward_passes", "directions")
_INTERNAL = ("changes_reached",)


def said(verification: Verification, style: Style) -> str:
    """`confirmed: why`."""
    word = style(verification.verdict.value, _COLORS[verification.verdict], "bold")
    return f"{word}: {clean(verification.reason)}"


def evidence(found: Mapping[str, Any], style: Style, reason: str = "") -> Iterator[str]:
    """What a verdict rests on, a thing a line; what its reason has said already is left out."""
    for label, text in _rows(found, reason):
        first, *rest = text.split("\n")
        yield f"  {style(f'{clean(label):<{_LABEL}}', 'dim')} {clean(first)}"
        yield from (f"  {'':<{_LABEL}} {clean(line)}" for line in rest)


def _rows(found: Mapping[str, Any], reason: str) -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        if key in _INTERNAL or value in (None, "", [], (), {}):
            continue
        if key == "signs":
            yield from (("seen", text) for text in map(_sign, value) if text not in reason)
        elif key == "tried":
            others = (one for one in value if one.get("drive") != found.get("inputs"))
            yield from (("also tried", "{drive}: {reason}".format(**one)) for one in others)
        elif key in _COUNTS:
            if key == next(name for name in found if name in _COUNTS):
                counts = ((name, found[name]) for name in _COUNTS if name in found)
                yield "runs", "; ".join(f"{k.replace('_', ' ')} {_told(v)}" for k, v in counts)
        else:
            yield key.replace("_", " "), _told(value)


def _sign(sign: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in sign.items() if key not in ("weight", "kind", "text")}
    more = ", ".join(f"{key.replace('_', ' ')} {_told(value)}" for key, value in rest.items())
    return f"{sign.get('text', '')}{f' ({more})' if more else ''}"


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_told(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        nested = any(isinstance(part, (Mapping, list, tuple)) for part in value)
        return ("\n" if nested else ", ").join(_told(part) for part in value)
    return str(value).rstrip("\n")


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


def as_json(verification: Verification | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "verdict": verification.verdict.value,
        "reason": verification.reason,
        "evidence": json.loads(json.dumps(dict(verification.evidence), default=str)),
    }


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
