"""What a rule is, from its own docstring; and what the analysis knows at a place."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from autofix.document import Document, DocumentError, load
from autofix.rule import Rule

SECTIONS = (
    "What it does",
    "Why is this bad",
    "Example",
    "Use instead",
    "Fix safety",
    "How it is verified",
    "References",
)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*$")
_TIERS = {
    "safe": r"(?<![-\w])(?<!not )(?<!never )safe\b",
    "unsafe": r"\bunsafe\b",
    "display": r"\bdisplay\b|\bshown\b",
}


class PlaceError(Exception):
    """A FILE:LINE:COL that means no place."""


@dataclass(frozen=True, slots=True)
class Page:
    """The documentation of one rule."""

    code: str
    name: str
    summary: str
    tiers: tuple[str, ...]
    sections: Mapping[str, str]
    markdown: str


def page(rule: Rule) -> Page:
    sections = _sections(rule.doc)
    return Page(
        code=rule.code,
        name=rule.name,
        summary=rule.summary,
        tiers=_tiers(sections.get("Fix safety", "")),
        sections=sections,
        markdown=f"# {rule.name} ({rule.code})\n\n{cleandoc(rule.doc)}\n",
    )


def _sections(doc: str) -> dict[str, str]:
    """The text under each heading. A `#` in a fenced block is a comment, not a heading."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    fenced = False
    for line in cleandoc(doc).split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading:
            current = sections.setdefault(heading[1].rstrip("?"), [])
        else:
            current.append(line)
    return {heading: "\n".join(lines).strip() for heading, lines in sections.items()}


def _tiers(safety: str) -> tuple[str, ...]:
    """The tiers that the section on safety speaks of."""
    return tuple(tier for tier, words in _TIERS.items() if re.search(words, safety))


def describe(place: str) -> list[str]:
    """The facts at FILE:LINE:COL, or at FILE:cell N:LINE:COL of a notebook, a line each."""
    from autofix.flow.describe import describe_place
    from autofix.flow.facts import Facts
    from autofix.project.project import Project

    path, cell, line, column = parse_place(place)
    try:
        document = load(Path(path).read_bytes(), path)
        tree = ast.parse(document.source.text)
    except OSError as error:
        raise PlaceError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (DocumentError, SyntaxError, ValueError, RecursionError) as error:
        raise PlaceError(f"{path}: {error}") from error
    row = _row(document, cell, line)
    if row is None:
        raise PlaceError(f"{path}: there is no such line")
    return describe_place(Facts(document.source, tree, Project()), row, column)


def parse_place(place: str) -> tuple[str, int | None, int, int]:
    match = re.fullmatch(r"(.+?)(?::cell (\d+))?:(\d+)(?::(\d+))?", place)
    if match is None:
        raise PlaceError(f"`{place}` is not of the form FILE:LINE:COL")
    path, cell, line, column = match.groups()
    return path, int(cell) if cell else None, int(line), int(column or 1)


def _row(document: Document, cell: int | None, line: int) -> int | None:
    """The line of the module that is this line of the file, or of a cell."""
    for row, start in enumerate(document.source.line_starts, 1):
        place = document.position(start)
        if (place.cell, place.line) == (cell, line):
            return row
    return None
