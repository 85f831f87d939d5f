"""Text of one module, and the map between its `ast` positions, offsets and what users count."""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

# `ast` counts lines as CPython's tokenizer does; `str.splitlines` would also split on \x0c, ...
_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BARE_LF = re.compile(r"(?<!\r)\n")


class DocumentError(Exception):
    """A file that cannot be read, or not be written back byte for byte, in one line."""


class ElsewhereError(Exception):
    """A place in this file was asked for of a node that stands in another one."""


class Line(int):
    """A line of another file than the one that is looked at. It reads as `12 of helpers.py`."""

    place: str
    path: str
    """Of the file, absolute."""

    @classmethod
    def of(cls, number: int, place: str, path: str) -> Line:
        line = cls(number)
        line.place = place
        line.path = path
        return line

    def __str__(self) -> str:
        return self.place

    def __format__(self, spec: str) -> str:
        return self.place


@dataclass(frozen=True)
class Source:
    """Module text with its original newlines (never normalised)."""

    text: str
    path: str = "<string>"
    seams: frozenset[int] = frozenset()
    """Offsets of what is not in the file: it stands between notebook cells."""

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column_utf8: int) -> int:
        """Character offset of an `ast` position (1-based line, 0-based column in UTF-8 bytes)."""
        start = self.line_starts[line - 1]
        if self.text.isascii():
            return start + column_utf8
        prefix = self.text[start : start + column_utf8]
        if prefix.isascii():
            return start + column_utf8
        return start + len(prefix.encode("utf-8")[:column_utf8].decode("utf-8"))

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        if isinstance(node.lineno, Line):
            raise ElsewhereError
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def remarks(self, node: ast.stmt) -> str:
        """The comments right above a statement, nearest first, and the one behind it."""
        start, _ = self.span(node)
        above = self.text[:start].rpartition("\n")[0].split("\n")
        comments = itertools.takewhile(
            lambda line: line.startswith("#"), map(str.strip, above[::-1])
        )
        return "\n".join([*comments, self.remark_behind(node)])

    def remark_behind(self, node: ast.stmt) -> str:
        """What stands behind a statement on its last line: a comment, or nothing."""
        return self.text[self.span(node)[1] :].partition("\n")[0].strip()

    def segment(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def line_of(self, offset: int) -> int:
        """1-based line of a character offset."""
        return bisect_right(self.line_starts, offset)

    def words(self, name: str) -> Iterator[int]:
        """The offsets at which a name stands as a whole word."""
        at = self.text.find(name)
        while at >= 0:
            end = at + len(name)
            if not (_is_word(self.text[at - 1 : at]) or _is_word(self.text[end : end + 1])):
                yield at
            at = self.text.find(name, end)

    def parse(self) -> ast.Module:
        """The tree; raises what `ast.parse` raises."""
        return parse(self.text)

    def newline(self, offset: int) -> str:
        """The newline that text inserted at an offset should take: that of the same line, else of
        the line above, else `\\n`."""
        line = self.line_of(offset)
        for start in self.line_starts[line : line + 1] or self.line_starts[line - 1 : line]:
            if start:
                return "\r\n" if self.text.endswith("\r\n", 0, start) else self.text[start - 1]
        return "\n"


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def parse(text: str) -> ast.Module:
    """`ast.parse` without its warnings: they are about the user's file and would land on stderr,
    or become errors under `-W error`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def lines(text: str) -> list[str]:
    """The lines as CPython counts them, each with its end."""
    return _LINE.findall(text)


def with_newline(text: str, newline: str) -> str:
    """Write each bare `\\n` as `newline`; a `\\r\\n` or `\\r` copied from the file stays."""
    return text if newline == "\n" else _BARE_LF.sub(lambda _: newline, text)


def syntax_error(source: Source) -> tuple[int, str] | None:
    """Offset and message of what CPython says of the text, or None if it parses."""
    try:
        source.parse()
    except SyntaxError as error:
        line = min(max(error.lineno or 1, 1), len(source.line_starts))
        start = source.line_starts[line - 1]
        length = len(lines(source.text[start:] + "\n")[0].rstrip("\r\n"))
        return start + min(max((error.offset or 1) - 1, 0), length), error.msg
    except UnicodeEncodeError as error:
        return error.start, "half of a surrogate pair"
    except ValueError as error:
        return 0, str(error)
    except (RecursionError, MemoryError):
        return 0, "too deeply nested"
    return None
