"""Counts: what a run came to in one line, by rule, and by file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from autofix.model import Applicability, Verdict
from autofix.report.style import Style, clean, place, plural
from autofix.report.verdict import said
from autofix.results import Located, Report, statistics


def check_summary(report: Report, again: str | None = None) -> str:
    """The last line of `check`; `again` is the command that fixes what is fixable. "All clean"
    needs every file to have been looked at."""
    files = plural(report.files, "file")
    if not report.findings:
        if report.problems:
            return f"nothing found in {files}, but {_unseen(report)}"
        if not report.files:
            return "no Python files or notebooks found"
        return f"all clean: {files} looked at"
    parts = [f"{plural(len(report.findings), 'finding')} in {files}"]
    parts.append(f" ({', '.join(_tiers(report.findings))})")
    if report.problems:
        parts.append(f", and {_unseen(report)}")
    fixable = sum(found.fixable for found in report.findings)
    hints = [f"`{clean(again)}` fixes {fixable}"] if again and fixable else []
    code = _explainable(report.findings)
    hints += [f"`autofix explain {code}` tells more"] * bool(code)
    return "".join(parts) + (f". {'; '.join(hints)}" if hints else "")


def apply_summary(report: Report, *, dry: bool = False) -> str:
    """The last line of `apply`. What was not run is not said to be proven."""
    done, left = report.applied, report.remaining
    if not done and not left:
        return check_summary(report)
    verb = "would write" if dry else "wrote"
    parts = [f"{verb} nothing"]
    if done:
        files = plural(report.written, "file")
        proven = _verdicts(done) or ("" if dry else " (not verified)")
        parts = [f"{verb} {plural(len(done), 'fix', 'fixes')} in {files}{proven}"]
    if left:
        parts.append(f"{plural(len(left), 'finding')} left ({', '.join(_tiers(left))})")
        refuted = [found for found in left if _refuted(found)]
        parts += [f"{plural(len(refuted), 'fix', 'fixes')} refuted"] * bool(refuted)
    elif not dry:
        parts.append("nothing left")
    if report.problems:
        parts.append(_unseen(report))
    return ", ".join(parts)


def _verdicts(findings: Sequence[Located]) -> str:
    """` (2 confirmed, 1 inconclusive)`, or nothing if none of them was run."""
    if not any(found.verification for found in findings):
        return ""
    counts = Counter(
        found.verification.verdict if found.verification else Verdict.NOT_RUN for found in findings
    )
    words = {Verdict.NOT_RUN: "not verified"}
    listed = (f"{counts[one]:,} {words.get(one, one.value)}" for one in Verdict if counts[one])
    return f" ({', '.join(listed)})"


def render_verdicts(report: Report, style: Style) -> Iterator[str]:
    """A line for each fix that was run."""
    for found in report.findings:
        if found.verification:
            where = style(place(found.path, found.start), "bold")
            code = style(found.finding.rule, "red", "bold")
            yield f"{where}: {code} {said(found.verification, style)}\n"


def render_statistics(report: Report, style: Style) -> Iterator[str]:
    """A line a rule: how often, whether it can be fixed, code and name."""
    counts = statistics(report.remaining)
    digits = max((len(str(count.count)) for count in counts), default=1)
    codes = max((len(count.rule) for count in counts), default=1)
    for count in counts:
        mark = "*" if count.fixable == count.count else "-" if count.fixable else " "
        code = style(f"{count.rule:<{codes}}", "red", "bold")
        name = "" if count.name == count.rule else count.name
        yield f"{count.count:>{digits}}  {code}  [{mark}] {name}".rstrip() + "\n"


def render_fixes(report: Report, style: Style) -> Iterator[str]:
    """What was written, by file."""
    by_file: dict[str, Counter[tuple[str, str]]] = {}
    for found in report.applied:
        label = (found.finding.rule, found.finding.name)
        by_file.setdefault(found.path, Counter())[label] += 1
    for path, counts in by_file.items():
        yield f"{style(clean(path), 'bold')}:\n"
        for (rule, name), count in sorted(counts.items()):
            yield f"    {count} x {style(rule, 'red', 'bold')} ({name})\n"


def _unseen(report: Report) -> str:
    return f"not everything could be looked at ({plural(len(report.problems), 'error')})"


def _refuted(found: Located) -> bool:
    return found.verification is not None and found.verification.verdict is Verdict.REFUTED


def _tiers(findings: Sequence[Located]) -> Iterator[str]:
    fixable = sum(found.fixable for found in findings)
    unsafe = sum(
        found.finding.applicability is Applicability.UNSAFE
        and not found.fixable
        and not _refuted(found)
        for found in findings
    )
    shown = len(findings) - fixable - unsafe
    for count, what in (
        (fixable, "fixable"),
        (unsafe, "with `--unsafe-fixes`"),
        (shown, "shown only"),
    ):
        if count:
            yield f"{count:,} {what}"


def _explainable(findings: Sequence[Located]) -> str | None:
    codes = (found.finding.rule for found in findings if found.finding.rule != found.finding.name)
    return next(codes, None)
