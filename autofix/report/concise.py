"""One line a finding: `path:line:column: CODE [*] message`."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.report.style import Style, clean, place
from autofix.results import Report


def render(report: Report, style: Style) -> Iterator[str]:
    for found in report.remaining:
        where = style(place(found.path, found.start), "bold")
        code = style(found.finding.rule, "red", "bold")
        mark = f" [{style('*', 'cyan')}]" if found.fixable else ""
        yield f"{where}: {code}{mark} {clean(found.finding.message)}\n"
