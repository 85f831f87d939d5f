"""Two versions of one program."""

from __future__ import annotations

from dataclasses import dataclass

from autofix.source import parse
from autofix.verify.changes import Change, changes

__all__ = ["Change", "Pair", "Version", "pair"]


@dataclass(frozen=True, slots=True)
class Version:
    """The text of a program, and where it lives."""

    text: str
    path: str
    """What `__file__` will say: the real path of the file."""
    roots: tuple[str, ...] = ()
    """Where it imports from: its folder, the root of the project, `src`."""
    cells: tuple[tuple[int, int], ...] = ()
    """For a notebook: first and last line of each code cell inside `text`."""
    argv: tuple[str, ...] = ()
    host: str = ""
    """A script that imports it, where it does nothing by itself."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a program, and where they differ."""

    before: Version
    after: Version
    changes: tuple[Change, ...]
    same: bool
    """Comments, layout and docstrings apart: there is nothing to confirm."""
    alone: bool = True
    """No other file of the program changes with it."""
    blocks: tuple[tuple[int, int], ...] = ()
    """Lines of the second version below which everything is on trial, changed or not."""


def pair(before: Version, after: Version) -> Pair:
    """Compare two versions. Raises SyntaxError, with `filename`, for a side that does not parse."""
    for version in (before, after):
        _check(version)
    try:
        found = changes(before.text, after.text)
    except RecursionError:
        raise SyntaxError("too deeply nested", (after.path, 1, 1, None)) from None
    return Pair(before, after, found, not found)


def _check(version: Version) -> None:
    try:
        parse(version.text)
    except SyntaxError as error:
        error.filename = version.path
        raise
    except ValueError as error:  # a NUL byte, or half of a surrogate pair
        raise SyntaxError(str(error), (version.path, 1, 1, None)) from None
    except (RecursionError, MemoryError):
        raise SyntaxError("too deeply nested", (version.path, 1, 1, None)) from None
