"""A verdict as text and as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from autofix.model import Verdict, Verification
from autofix.report.style import Style, clean

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
_LABEL = 14
_COUNTS = ("seeds", "executions", "backward_passes", "directions")
_INTERNAL = ("changes_reached", "with_gradient")


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
            news = (one for one in value if str(one.get("text")) not in reason)
            yield from (("seen", _sign(one)) for one in news)
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


def as_json(verification: Verification | None) -> dict[str, Any] | None:
    if verification is None:
        return None
    return {
        "verdict": verification.verdict.value,
        "reason": verification.reason,
        "evidence": json.loads(json.dumps(dict(verification.evidence), default=str)),
    }
