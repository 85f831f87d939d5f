"""Version 1 of the machine-readable report; other programs read it, so it only ever grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from autofix.report.style import Style
from autofix.report.verdict import as_json
from autofix.results import Change, Located, Report, statistics

VERSION = 1


def render(report: Report, style: Style) -> Iterator[str]:
    yield _dump({"findings": [_finding(found) for found in report.findings]}, report)


def render_statistics(report: Report) -> Iterator[str]:
    counts = statistics(report.findings)
    yield _dump({"statistics": [asdict(count) for count in counts]}, report)


def _dump(body: dict[str, Any], report: Report) -> str:
    document = {
        "version": VERSION,
        **body,
        "errors": [asdict(problem) for problem in report.problems],
        "summary": {
            "files": report.files,
            "findings": len(report.findings),
            "fixed": len(report.applied),
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _finding(found: Located) -> dict[str, Any]:
    finding = found.finding
    return {
        "rule": finding.rule,
        "name": finding.name,
        "path": found.path,
        "cell": found.start.cell,
        "line": found.start.line,
        "column": found.start.column,
        "end_line": found.end.line,
        "end_column": found.end.column,
        "message": finding.message,
        "applicability": finding.applicability.value if finding.applicability else None,
        "declined": finding.declined,
        "edits": [_edit(change) for change in found.changes],
        "applied": found.applied,
        "verification": as_json(found.verification),
    }


def _edit(change: Change) -> dict[str, Any]:
    # A fix in a notebook may have edits in several cells; files without cells have no such key.
    cell = {} if change.start.cell is None else {"cell": change.start.cell}
    return {
        **cell,
        "line": change.start.line,
        "column": change.start.column,
        "end_line": change.end.line,
        "end_column": change.end.column,
        "text": change.text,
    }
