"""How results come out of a job: through memory shared with the tool.

Not through a pipe. Code under test may close every file descriptor, or write nonsense into each;
shared memory it neither finds by a number nor fills by mistake, and what was put there stays
when the process dies.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 64 << 20
_HEADER = struct.Struct("=Q")


class Full(Exception):
    """There is no room for another result."""


def open_mailbox(path: Path) -> mmap.mmap:
    """Map the file at `path`, which is `SIZE` bytes long."""
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), SIZE)


def empty(box: mmap.mmap) -> None:
    _HEADER.pack_into(box, 0, 0)


def writer(box: mmap.mmap) -> Callable[[str, Any], None]:
    """A function that puts `(kind, value)` into the box; kinds are one letter.

    All it needs is bound here, before any code of the user runs: afterwards `json`, `struct` and
    the builtins may be something else.
    """
    encode, header, size = _encoder(), _HEADER, SIZE
    room = header.size

    def write(kind: str, value: Any) -> None:
        nonlocal room
        line = kind.encode() + encode(value) + b"\n"
        if room + len(line) > size:
            raise Full("the results of one job are limited to 64 MB")
        box[room : room + len(line)] = line
        room += len(line)
        header.pack_into(box, 0, room - header.size)

    return write


def _encoder() -> Callable[[Any], bytes]:
    try:
        # The C encoder looks up no Python name, so that nothing the user replaces reaches it.
        from _json import encode_basestring_ascii, make_encoder
    except ImportError:
        fallback = json.JSONEncoder().encode
        return lambda value: fallback(value).encode()
    encode = make_encoder(
        None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, True
    )
    join = "".join
    return lambda value: join(encode(value, 0)).encode()


def _refuse(value: Any) -> None:
    raise TypeError(f"a result holds a {type(value).__name__}, which is not JSON")


def read(box: mmap.mmap) -> list[tuple[str, Any]]:
    """What the box holds. What is no line of ours is left out."""
    length = min(_HEADER.unpack_from(box, 0)[0], SIZE - _HEADER.size)
    found = []
    for line in box[_HEADER.size : _HEADER.size + length].split(b"\n"):
        try:
            found.append((chr(line[0]), json.loads(line[1:])))
        except (ValueError, IndexError, RecursionError):
            continue
    return found
