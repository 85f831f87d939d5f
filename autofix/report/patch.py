"""A unified diff that `git apply` takes, whatever the bytes of the file or letters of its path."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

# Only `\n` ends a line for git; `splitlines` would also cut at form feeds and lone `\r`.
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_NO_END = b"\n\\ No newline at end of file\n"
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


def patch(path: str, before: bytes, after: bytes) -> bytes:
    """The diff of one file; empty if nothing changed. See `relative` for the path to give."""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    diff = difflib.diff_bytes(
        difflib.unified_diff, _LINE.findall(before), _LINE.findall(after), old, new, lineterm=b"\n"
    )
    body = [line if line.endswith(b"\n") else line + _NO_END for line in diff][2:]
    if not body:
        return b""
    # GNU patch and git cut an unquoted name at its first space unless a tab follows it. Without
    # the first line git would take a file that was or gets empty for one created or deleted.
    header = [b"diff --git %s %s\n" % (old, new), b"--- " + _ended(old), b"+++ " + _ended(new)]
    return b"".join(header + body)


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
