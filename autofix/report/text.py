"""The default report: the place in its source, why it is one, and what the fix would do."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.model import Applicability, Verdict
from autofix.report.style import Style, clean, place, width
from autofix.report.verdict import evidence, said
from autofix.results import Line, Located, Report

_WIDEST = 160
_BEFORE_MARK = 60
_MOST_DIFF = 40

_HELP = {
    Applicability.SAFE: "help: rewrite it as",
    Applicability.UNSAFE: "help: rewrite it as",
    Applicability.DISPLAY: "help: one way to write it",
}
_NOTES = {
    Applicability.UNSAFE: (
        "this fix is unsafe: values, memory or training may change; "
        "`--unsafe-fixes` lets `autofix apply` write it"
    ),
    Applicability.DISPLAY: "never written by autofix: the choice is the author's",
}


def render(report: Report, style: Style) -> Iterator[str]:
    for found in report.remaining:
        yield "\n".join(_finding(found, style)) + "\n\n"
    for found in report.tried:
        yield "\n".join(_written(found, style)) + "\n\n"


def _written(found: Located, style: Style) -> Iterator[str]:
    """What is not in the file any more: where it was, and the verdict."""
    yield _title(found, style)
    yield style(" --> ", "cyan") + place(found.path, found.start)
    yield from _verdict(found, style)


def _title(found: Located, style: Style) -> str:
    finding = found.finding
    mark = f" [{style('*', 'cyan')}]" if found.fixable else ""
    mark = f" [{style('written', 'cyan')}]" if found.applied else mark
    # A rule without a code, such as `syntax-error`, is its own name.
    name = "" if finding.name == finding.rule else style(f"   ({finding.name})", "dim")
    code = style(finding.rule, "red", "bold")
    return f"{code}{mark} {style(clean(finding.message), 'bold')}{name}"


def _finding(found: Located, style: Style) -> Iterator[str]:
    finding = found.finding
    yield _title(found, style)
    gutter = len(str(found.snippet[-1].number)) if found.snippet else 1
    bar = " " * gutter + " " + style("|", "cyan")
    yield " " * gutter + style("--> ", "cyan") + place(found.path, found.start)
    if found.snippet:
        yield bar
        for line in found.snippet:
            yield from _line(line, gutter, bar, style)
        yield bar
    pad = " " * gutter + " " + style("=", "cyan")
    yield from (f"{pad} {clean(step)}" for step in dict.fromkeys(finding.why))
    yield from _repair(found, gutter, style)
    yield from _verdict(found, style)
    yield from _notes(found, style)


def _verdict(found: Located, style: Style) -> Iterator[str]:
    if found.verification is None:
        return
    yield said(found.verification, style)
    if found.verification.verdict is not Verdict.CONFIRMED:
        yield from evidence(found.verification.evidence, style, found.verification.reason)


def _line(line: Line, gutter: int, bar: str, style: Style) -> Iterator[str]:
    text, (left, right) = _crop(line)
    before, marked = clean(text[:left]), clean(text[left:right])
    number = style(f"{line.number:>{gutter}} |", "cyan")
    yield f"{number} {before}{marked}{clean(text[right:])}".rstrip()
    if line.mark:
        carets = style("^" * max(1, width(marked)), "red", "bold")
        yield f"{bar} {' ' * width(before)}{carets}"


def _crop(line: Line) -> tuple[str, tuple[int, int]]:
    """A window on a line too long to show, around what is meant."""
    left, right = line.mark or (0, 0)
    if len(line.text) <= _WIDEST:
        return line.text, (left, right)
    begin = max(0, left - _BEFORE_MARK)
    stop = begin + _WIDEST
    head, tail = ("..." if begin else ""), ("..." if stop < len(line.text) else "")
    shift = len(head) - begin
    return head + line.text[begin:stop] + tail, (left + shift, min(right, stop) + shift)


def _repair(found: Located, gutter: int, style: Style) -> Iterator[str]:
    tier = found.finding.applicability
    if tier is None or not found.diff:
        return
    pad = " " * gutter
    bar = f"{pad} {style('|', 'cyan')}"
    yield style(_HELP[tier], "bold")
    yield bar
    for line in found.diff[:_MOST_DIFF]:
        color = "red" if line.startswith("-") else "green"
        text = clean(line)
        text = text if len(text) <= _WIDEST else text[:_WIDEST] + "..."
        yield f"{pad} {style(text.rstrip(), color)}"
    if len(found.diff) > _MOST_DIFF:
        yield f"{pad} ... {len(found.diff) - _MOST_DIFF} more lines"
    yield bar


def _notes(found: Located, style: Style) -> Iterator[str]:
    finding = found.finding
    notes = [finding.note]
    if finding.declined is not None:
        notes.append(f"not fixed: {finding.declined}")
    refuted = found.verification and found.verification.verdict is Verdict.REFUTED
    if refuted:
        notes.append("not written: running the code speaks against this fix")
    elif finding.applicability is not None and not found.fixable:
        notes.append(_NOTES.get(finding.applicability))
    label = style("note:", "yellow")
    yield from (f"{label} {clean(note)}" for note in notes if note)
