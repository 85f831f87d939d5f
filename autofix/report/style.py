"""Colour, and user text made harmless for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from unicodedata import east_asian_width

from autofix.model import Position

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Style:
    """Whether to colour. Colour never says what the text does not."""

    color: bool = False

    def __call__(self, text: str, *names: str) -> str:
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def clean(text: str) -> str:
    """Text without what a terminal would act upon: a file is not to move the cursor."""
    text = text.replace("\t", "    ")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def width(text: str) -> int:
    """Columns that clean text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    return 2 if east_asian_width(character) in "WF" else 1


def place(path: str, start: Position) -> str:
    """`path:line:column`, or `path:cell N:line:column`."""
    cell = "" if start.cell is None else f"cell {start.cell}:"
    return f"{clean(path)}:{cell}{start.line}:{start.column}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
