"""One renderer a file, each a pure function from a `Report` to text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from autofix.report.style import Style
from autofix.results import Report

_RENDERERS = {"full": "text", "concise": "concise", "json": "as_json"}
FORMATS = tuple(_RENDERERS)


def render(report: Report, output_format: str, style: Style) -> Iterator[str]:
    """The findings as text, piece by piece."""
    module = import_module(f"autofix.report.{_RENDERERS[output_format]}")
    yield from module.render(report, style)
