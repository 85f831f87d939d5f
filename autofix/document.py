"""One file: bytes in, module text for the analysis, edits of that text, bytes out.

Nothing outside an edit changes: not the encoding, the byte order mark, the kind of newline, the
last line without one, nor anything of a notebook but the strings that hold the edited source.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from autofix import notebook as notebooks
from autofix.model import Edit, Position
from autofix.notebook import Notebook
from autofix.rewrite.edits import apply_edits
from autofix.source import DocumentError, Source, syntax_error, with_newline

__all__ = ["Document", "DocumentError", "load"]

# PEP 263, on bytes as CPython does: `tokenize.detect_encoding` fails on a cookie in a line that is
# not UTF-8 and does not see lines that end in a lone `\r`.
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(?:#|$)")
_TWO_LINES = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n)?([^\r\n]*)")


@dataclass(frozen=True)
class Document:
    """The bytes of one file and the module text they hold."""

    data: bytes
    source: Source
    encoding: str = "utf-8"
    bom: bool = False
    notebook: Notebook | None = None

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def unread(self) -> tuple[tuple[Position, str], ...]:
        """Notebook cells that are neither Python nor a known magic, with CPython's complaint."""
        cells = self.notebook.cells if self.notebook else ()
        return tuple(
            (self.position(cell.problem[0]), cell.problem[1]) for cell in cells if cell.problem
        )

    def position(self, offset: int) -> Position:
        """Where a user finds an offset: line and column, inside its cell for a notebook."""
        line = self.source.line_of(offset)
        column = offset - self.source.line_starts[line - 1] + 1
        cell = self.notebook.cell_at(offset) if self.notebook else None
        if cell is None:
            return Position(line, column)
        return Position(line - self.source.line_of(cell.start) + 1, column, cell.number)

    def allows(self, edits: Sequence[Edit]) -> bool:
        """Whether the edits can be written: none touches a masked line, crosses from one notebook
        cell to another, or brings characters that the file's encoding lacks."""
        size = len(self.source.text)
        return all(
            0 <= edit.start <= edit.end <= size
            and (self.notebook is None or self.notebook.allows(edit))
            and (self.notebook is not None or _encodes(edit.text, self.encoding))
            for edit in edits
        )

    def apply(self, edits: Sequence[Edit]) -> bytes:
        """The bytes of the file with the edits made."""
        edits = [
            Edit(edit.start, edit.end, with_newline(edit.text, self.source.newline(edit.start)))
            for edit in edits
        ]
        mark = codecs.BOM_UTF8 if self.bom else b""
        if self.notebook:
            if not self.allows(edits):
                raise DocumentError("an edit touches a magic or crosses a cell boundary")
            return mark + self.notebook.splice(edits).encode("utf-8")
        text = apply_edits(self.source.text, edits)
        try:
            data = mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            message = f"{character!a} cannot be written in {self.encoding}"
            raise DocumentError(message) from None
        if _decode(data)[0] != text:
            raise DocumentError(f"the edited text does not read back as {self.encoding}")
        return data

    def syntax_error(self) -> tuple[Position, str] | None:
        """Where and why CPython does not parse the module, or None."""
        problem = syntax_error(self.source)
        return (self.position(problem[0]), problem[1]) if problem else None


def load(data: bytes, path: str) -> Document:
    """Read a Python file, or a notebook if the path ends in `.ipynb`."""
    if path.endswith(".ipynb"):
        bom = data.startswith(codecs.BOM_UTF8)
        text = _text(data, "utf-8", bom)
        notebook = notebooks.parse(text)
        source = Source(notebook.text, path, notebook.seams)
        return Document(data, source, "utf-8", bom, notebook)
    text, encoding, bom = _decode(data)
    return Document(data, Source(text, path), encoding, bom)


def _decode(data: bytes) -> tuple[str, str, bool]:
    """Text, encoding, and whether there was a byte order mark."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DocumentError("encoded in UTF-16, which Python cannot read")
    if (nul := data.find(b"\0")) >= 0:
        raise DocumentError(f"binary file (NUL byte at offset {nul})")
    bom = data.startswith(codecs.BOM_UTF8)
    encoding = _declared(data[len(codecs.BOM_UTF8) :] if bom else data)
    if bom and encoding != "utf-8":
        raise DocumentError(f"declares the encoding `{encoding}` but starts with a UTF-8 mark")
    text = _text(data, encoding, bom)
    if encoding != "utf-8" and not _same(text, encoding, data):
        raise DocumentError(f"does not survive decoding and encoding as {encoding}")
    return text, encoding, bom


def _declared(body: bytes) -> str:
    head = _TWO_LINES.match(body)
    assert head
    cookie = _COOKIE.match(head[1])
    if not cookie and _BLANK.match(head[1]):
        cookie = _COOKIE.match(head[2])
    if not cookie:
        return "utf-8"
    name = cookie[1].decode("ascii")
    plain = name.lower().replace("_", "-")
    # CPython reads `utf-8-unix` and the like, as Emacs writes them, as the plain encoding.
    for known, prefixes in (("utf-8", ["utf-8"]), ("latin-1", ["latin-1", "iso-8859-1"])):
        if any(plain == prefix or plain.startswith(f"{prefix}-") for prefix in prefixes):
            return known
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise DocumentError(f"unknown encoding `{name}`") from None


def _text(data: bytes, encoding: str, bom: bool) -> str:
    skip = len(codecs.BOM_UTF8) if bom else 0
    try:
        return data[skip:].decode(encoding)
    except UnicodeDecodeError as error:
        where = f"byte 0x{error.object[error.start]:02x} at offset {error.start + skip}"
        raise DocumentError(f"not {encoding}: {where} cannot be decoded") from None
    except (LookupError, ValueError):
        raise DocumentError(f"`{encoding}` is not an encoding of text") from None


def _encodes(text: str, encoding: str) -> bool:
    return _same(text, encoding, None)


def _same(text: str, encoding: str, body: bytes | None) -> bool:
    """Whether text can be encoded, and to just these bytes if some are given."""
    try:
        encoded = text.encode(encoding)
    except ValueError:
        return False
    return body is None or encoded == body
