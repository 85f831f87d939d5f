"""Text of one module, and the map between its `ast` positions, offsets and what users count."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

# `ast` counts lines as CPython's tokenizer does; `str.splitlines` would also split on \x0c, \x1c, ...
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Source:
    """Module text with its original newlines (never normalised)."""

    text: str
    path: str = "<string>"

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def offset(self, line: int, column_utf8: int) -> int:
        """Character offset of an `ast` position (1-based line, 0-based column in UTF-8 bytes)."""
        start = self.line_starts[line - 1]
        prefix = self.text[start : start + column_utf8]
        if prefix.isascii():
            return start + column_utf8
        return start + len(prefix.encode("utf-8")[:column_utf8].decode("utf-8"))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def segment(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def line_of(self, offset: int) -> int:
        """1-based line of a character offset."""
        return bisect_right(self.line_starts, offset)
