"""Code cells of a notebook as one module, and edits of it spliced into the raw JSON text.

The file is never written through `json.dumps`: that would reorder, re-indent or re-escape what the
user did not change. Only the JSON characters of edited source characters are replaced.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from autofix.json_text import Escapes, escapes, splice_array, splice_string
from autofix.magics import mask
from autofix.model import Edit
from autofix.source import DocumentError, Source

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell; offsets count in the module text."""

    number: int
    """1-based position among all cells of the notebook, Markdown included."""
    start: int
    text: str
    """What the analysis sees: as long as the cell's own text, with magics covered."""
    value: Span
    """Where the JSON value of `source` stands in the file's text."""
    hidden: tuple[Span, ...] = ()
    head: int = 0
    problem: tuple[int, str] | None = None
    lead: str = ""
    """What stands before the cell in the module text, to make it parse."""

    @property
    def newline(self) -> str:
        """What stands behind the cell, so that its end and the next one's start are two offsets."""
        return Source(self.text).newline(0)

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def allows(self, edit: Edit) -> bool:
        """Whether the edit lies in this cell, leaves its magics alone and goes before no cell
        magic. Whole lines may be inserted above a line magic."""
        if not self.start <= edit.start <= edit.end <= self.end or edit.start < self.head:
            return False
        above = edit.start == edit.end and edit.text.endswith("\n")
        return not any(
            start <= edit.end and edit.start <= end and not (above and edit.start == start)
            for start, end in self.hidden
        )


@dataclass(frozen=True)
class Notebook:
    """The text of a notebook file and its code cells."""

    raw: str
    cells: tuple[Cell, ...]

    @cached_property
    def text(self) -> str:
        """All cells as one module."""
        return "".join(cell.lead + cell.text + cell.newline for cell in self.cells)

    @cached_property
    def seams(self) -> frozenset[int]:
        before = [range(cell.start - len(cell.lead), cell.start) for cell in self.cells]
        behind = [range(cell.end, cell.end + len(cell.newline)) for cell in self.cells]
        return frozenset(offset for seam in before + behind for offset in seam)

    @cached_property
    def _starts(self) -> list[int]:
        return [cell.start for cell in self.cells]

    def cell_at(self, offset: int) -> Cell | None:
        if not self.cells:
            return None
        return self.cells[max(bisect_right(self._starts, offset) - 1, 0)]

    def allows(self, edit: Edit) -> bool:
        cell = self.cell_at(edit.start)
        return cell is not None and cell.allows(edit)

    def splice(self, edits: Sequence[Edit]) -> str:
        """The file's text with the edits of the module text made."""
        raw = self.raw
        style = escapes(raw, (string for cell in self.cells for string in self._strings(cell)))
        parts: list[str] = []
        at = 0
        ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
        for place, group in groupby(ordered, lambda edit: bisect_right(self._starts, edit.start)):
            cell = self.cells[place - 1]
            own = [Edit(e.start - cell.start, e.end - cell.start, e.text) for e in group]
            start, end = cell.value
            parts += [raw[at:start], _spliced(raw[start:end], own, style)]
            at = end
        return "".join([*parts, raw[at:]])

    def _strings(self, cell: Cell) -> list[str]:
        start, end = cell.value
        if self.raw[start] == '"':
            return [self.raw[start:end]]
        return [self.raw[a:b] for a, b in _items(self.raw, start)]


def parse(raw: str) -> Notebook:
    """Read the text of a notebook file."""
    cells: list[Cell] = []
    start = 0
    for number, value, source in _code(raw):
        masked = mask(source)
        start += len(masked.lead)
        hidden = tuple((start + a, start + b) for a, b in masked.hidden)
        problem = masked.problem and (start + masked.problem[0], masked.problem[1])
        head = start + masked.head
        cell = Cell(number, start, masked.text, value, hidden, head, problem, masked.lead)
        cells.append(cell)
        start = cell.end + len(cell.newline)
    return Notebook(raw, tuple(cells))


def _spliced(value: str, edits: Sequence[Edit], style: Escapes) -> str:
    if value[0] == '"':
        return splice_string(value, edits, style)
    return splice_array(value, list(_items(value, 0)), edits, style)


def _code(raw: str) -> Iterator[tuple[int, Span, str]]:
    """Number, place of the source in the file, and source of each cell that holds Python."""
    top = _members(raw, _space(raw, 0)) if isinstance(_decode(raw), dict) else {}
    cells = top.get("cells")
    if cells is None or raw[cells[0]] != "[":
        old = "; convert it with `jupyter nbconvert --to notebook`" if "worksheets" in top else ""
        raise DocumentError(f"not a notebook: it has no list of cells{old}")
    if not _is_python(_value(raw, top.get("metadata"))):
        return
    for number, (start, _) in enumerate(_items(raw, cells[0]), 1):
        members = _members(raw, start) if raw[start] == "{" else {}
        if _value(raw, members.get("cell_type")) != "code":
            continue
        if not _is_python(_value(raw, members.get("metadata"))):
            continue
        source = _value(raw, members.get("source"))
        parts = source if isinstance(source, list) else [source]
        if not all(isinstance(part, str) for part in parts):
            raise DocumentError(f"cell {number}: `source` is not text")
        yield number, members["source"], "".join(parts)


def _is_python(metadata: Any) -> bool:
    """Whether a notebook's or a cell's metadata names no other language."""
    if not isinstance(metadata, dict):
        return True
    places = (("language_info", "name"), ("kernelspec", "language"), ("vscode", "languageId"))
    for outer, inner in places:
        about = metadata.get(outer)
        name = about.get(inner) if isinstance(about, dict) else None
        if isinstance(name, str) and name:
            return name.lower() in ("python", "python3", "ipython", "ipython3", "pyspark")
    return True


def _decode(raw: str) -> Any:
    try:
        return _DECODER.decode(raw)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DocumentError(f"broken notebook: {error.msg.lower()} at {where}") from None
    except RecursionError:
        raise DocumentError("broken notebook: too deeply nested") from None
    except ValueError as error:
        raise DocumentError(f"broken notebook: {error}") from None


def _value(raw: str, span: Span | None) -> Any:
    return _DECODER.raw_decode(raw, span[0])[0] if span else None


def _members(raw: str, at: int) -> dict[str, Span]:
    """Where the values of a valid object stand that opens at an offset."""
    found: dict[str, Span] = {}
    at = _space(raw, at + 1)
    while raw[at] != "}":
        key, at = _DECODER.raw_decode(raw, at)
        start = _space(raw, _space(raw, at) + 1)
        _, end = _DECODER.raw_decode(raw, start)
        found[key] = (start, end)
        at = _space(raw, end)
        if raw[at] == ",":
            at = _space(raw, at + 1)
    return found


def _items(raw: str, at: int) -> Iterator[Span]:
    """Where the items of a valid array stand that opens at an offset."""
    at = _space(raw, at + 1)
    while raw[at] != "]":
        _, end = _DECODER.raw_decode(raw, at)
        yield at, end
        at = _space(raw, end)
        if raw[at] == ",":
            at = _space(raw, at + 1)


def _space(raw: str, at: int) -> int:
    match = _SPACE.match(raw, at)
    return match.end() if match else at
