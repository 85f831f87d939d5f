"""One line a finding: `path:line:column: CODE [*] message`."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.report.style import Style, clean, place
from autofix.report.verdict import said
from autofix.results import Report


def render(report: Report, style: Style) -> Iterator[str]:
    for found in (*report.remaining, *report.tried):
        where = style(place(found.path, found.start), "bold")
        code = style(found.finding.rule, "red", "bold")
        mark = f" [{style('*', 'cyan')}]" if found.fixable and not found.applied else ""
        mark = f" [{style('written', 'cyan')}]" if found.applied else mark
        verdict = f" ({said(found.verification, style)})" if found.verification else ""
        yield f"{where}: {code}{mark} {clean(found.finding.message)}{verdict}\n"
