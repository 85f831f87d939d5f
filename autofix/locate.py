"""Findings placed as users count, with the source lines a report shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from autofix.document import Document
from autofix.model import Edit, Finding, Position
from autofix.results import Change, Line, Located
from autofix.rewrite.edits import apply_edits, merged
from autofix.source import Source, with_newline

_MOST_LINES = 6


def locate(
    document: Document,
    finding: Finding,
    path: str,
    *,
    position: Callable[[int], Position] | None = None,
    fixable: bool = False,
    applied: bool = False,
) -> Located:
    at = position or document.position
    edits = finding.fix.edits if finding.fix else ()
    return Located(
        path=path,
        finding=finding,
        start=at(finding.start),
        end=at(finding.end),
        changes=tuple(Change(at(edit.start), at(edit.end), edit.text) for edit in edits),
        fixable=fixable,
        applied=applied,
        snippet=tuple(_snippet(document, finding.start, finding.end)),
        diff=tuple(_diff(document.source, edits)),
    )


def place_applied(applied: Sequence[tuple[Finding, Document]], path: str) -> tuple[Located, ...]:
    """Findings that were fixed, placed in the file as it was before the first of them."""
    documents: list[Document] = []
    rounds: list[tuple[Edit, ...]] = []
    placed: list[Located] = []
    for finding, document in applied:
        if not documents or documents[-1] is not document:
            rounds.append(_made(applied, document))
            documents.append(document)
        origin = partial(_origin, documents[0], tuple(rounds[:-1]))
        place = locate(document, finding, path, position=origin, fixable=True, applied=True)
        placed.append(place)
    return tuple(sorted(placed, key=lambda place: (place.start.cell or 0, place.start.line)))


def _made(applied: Sequence[tuple[Finding, Document]], document: Document) -> tuple[Edit, ...]:
    """The edits of one round, as long as they became in the file."""
    newline = document.source.newline
    edits = merged(finding for finding, state in applied if state is document)
    return tuple(
        Edit(edit.start, edit.end, with_newline(edit.text, newline(edit.start))) for edit in edits
    )


def _origin(document: Document, rounds: Sequence[Sequence[Edit]], offset: int) -> Position:
    """Where an offset after some rounds of edits comes from in the document before them."""
    for edits in reversed(rounds):
        shift = 0
        for edit in edits:
            start = edit.start + shift
            if offset < start:
                break
            if offset < start + len(edit.text):
                # In new text: the nearest place in the old one.
                offset = min(offset, edit.end + shift)
                break
            shift += len(edit.text) - (edit.end - edit.start)
        offset -= shift
    return document.position(offset)


def _snippet(document: Document, start: int, end: int) -> Iterator[Line]:
    """The lines of a span with the part that is meant, after one line of context."""
    source = document.source
    first, last = source.line_of(start), source.line_of(max(start, end - 1))
    cell = document.position(start).cell
    for line in range(max(1, first - 1), min(last, first + _MOST_LINES - 1) + 1):
        begin = source.line_starts[line - 1]
        text = _line(source, line)
        place = document.position(begin)
        if line < first:
            if place.cell == cell and text.strip():
                yield Line(place.line, text)
            continue
        indent = len(text) - len(text.lstrip())
        left = start - begin if line == first else indent
        right = end - begin if line == last else len(text)
        yield Line(place.line, text, (left, max(min(right, len(text)), left + 1)))


def _diff(source: Source, edits: Sequence[Edit]) -> Iterator[str]:
    """The lines that edits touch, before and after, one block for edits on neighbouring lines."""
    blocks: list[tuple[int, int, list[Edit]]] = []
    for edit in sorted(edits):
        first, last = source.line_of(edit.start), source.line_of(edit.end)
        if blocks and first <= blocks[-1][1] + 1:
            start, stop, members = blocks[-1]
            blocks[-1] = (start, max(stop, last), [*members, edit])
        else:
            blocks.append((first, last, [edit]))
    for first, last, members in blocks:
        begin = source.line_starts[first - 1]
        end = source.line_starts[last] if last < len(source.line_starts) else len(source.text)
        old = source.text[begin:end]
        yield from _trimmed(_lines(old), _lines(_edited(old, begin, members)))


def _edited(text: str, offset: int, edits: Sequence[Edit]) -> str:
    moved = (Edit(edit.start - offset, edit.end - offset, edit.text) for edit in edits)
    return apply_edits(text, moved)


def _trimmed(old: list[str], new: list[str]) -> Iterator[str]:
    """Removed and added lines, without the lines that both begin or end with."""
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    yield from (f"- {line}" for line in old)
    yield from (f"+ {line}" for line in new)


def _line(source: Source, line: int) -> str:
    starts = source.line_starts
    end = starts[line] if line < len(starts) else len(source.text)
    return source.text[starts[line - 1] : end].rstrip("\r\n")


def _lines(text: str) -> list[str]:
    # Not `splitlines`, which would also cut at form feeds and U+2028.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
