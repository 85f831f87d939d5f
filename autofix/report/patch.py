"""A unified diff that `git apply` takes, whatever the bytes of the file or letters of its path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from autofix.rewrite.lines import Block, changes

# Only `\n` ends a line for git; `splitlines` would also cut at form feeds and lone `\r`.
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_CONTEXT = 3
_NO_END = b"\n\\ No newline at end of file\n"
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


def patch(path: str, before: bytes, after: bytes) -> bytes:
    """The diff of one file; empty if nothing changed. See `relative` for the path to give."""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    if before == after:
        return b""
    body = _hunks(_LINE.findall(before), _LINE.findall(after))
    # GNU patch and git cut an unquoted name at its first space unless a tab follows it. Without
    # the first line git would take a file that was or gets empty for one created or deleted.
    header = [b"diff --git %s %s\n" % (old, new), b"--- " + _ended(old), b"+++ " + _ended(new)]
    return b"".join([*header, *body])


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    blocks: list[Block] = []
    for block in changes(old, new):
        if blocks and block[0] - blocks[-1][1] > 2 * _CONTEXT:
            yield from _hunk(old, new, blocks)
            blocks = []
        blocks.append(block)
    yield from _hunk(old, new, blocks)


def _hunk(old: Sequence[bytes], new: Sequence[bytes], blocks: Sequence[Block]) -> Iterator[bytes]:
    """Some changes with the lines around and between them."""
    above = min(blocks[0][0], _CONTEXT)
    at, end = blocks[0][0] - above, min(blocks[-1][1] + _CONTEXT, len(old))
    first = blocks[0][2] - above
    last = blocks[-1][3] + end - blocks[-1][1]
    yield b"@@ -%s +%s @@\n" % (_range(at, end), _range(first, last))
    for a, b, c, d in blocks:
        yield from (_line(b" ", line) for line in old[at:a])
        yield from (_line(b"-", line) for line in old[a:b])
        yield from (_line(b"+", line) for line in new[c:d])
        at = b
    yield from (_line(b" ", line) for line in old[at:end])


def _range(start: int, end: int) -> bytes:
    # An empty range is named by the line before it.
    first = start + (end > start)
    return b"%d" % first if end - start == 1 else b"%d,%d" % (first, end - start)


def _line(mark: bytes, line: bytes) -> bytes:
    return mark + line + (b"" if line.endswith(b"\n") else _NO_END)


def relative(path: Path) -> str:
    """The path as `git apply` wants it, run in the working directory: from the top of its
    repository, or from the directory itself outside of one. Links are followed to the file that
    is written."""
    real = Path(os.path.realpath(path))
    here = Path(os.path.realpath(Path.cwd()))
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    for base in (top, here):
        if real.is_relative_to(base):
            return real.relative_to(base).as_posix()
    return real.as_posix().lstrip("/")


def _quoted(name: str) -> bytes:
    """The name as git writes it: in C quotes if it holds anything but plain characters. A blank at
    its end is quoted too, as GNU patch would drop it."""
    raw = os.fsencode(name)
    plain = all(32 <= byte < 127 and byte not in (34, 92) for byte in raw)
    if plain and not raw.endswith(b" "):
        return raw
    return b'"' + "".join(_escaped(byte) for byte in raw).encode("ascii") + b'"'


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return "\\" + _ESCAPES[byte]
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}"


def _ended(name: bytes) -> bytes:
    return name + (b"\t\n" if b" " in name and not name.startswith(b'"') else b"\n")
