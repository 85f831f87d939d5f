"""Hide what only IPython understands in a notebook cell, without moving anything.

The masked text has the length and the line ends of the cell, so an offset means the same in both
and an edit of the one is an edit of the other. IPython itself is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autofix.source import Source, syntax_error

# The body of these cells is Python that runs in the notebook's own namespace.
_PYTHON_CELLS = frozenset({"capture", "memit", "mprun", "prun", "time", "timeit"})
_AUTOMAGIC = re.compile(
    r"[ \t]*(?:alias|autoreload|cat|cd|conda|config|cp|echo|env|git|history|info|less|ll|load"
    r"|load_ext|ls|mamba|man|matplotlib|mkdir|more|mv|pdb|pip|prun|pushd|pwd|python|reload_ext"
    r"|reset|rm|rmdir|run|set_env|store|tensorboard|time|timeit|unalias|uv|wget|who|whos)"
    r"[ \t]+(?![=.,:(\[])\S"
)
_BLANK_LINES = re.compile(r"(?:[ \t\f]*(?:\r\n|\r|\n))*")
_CELL_MAGIC = re.compile(r"[ \t]*%%[ \t]*(\w*)[^\r\n]*")
_ESCAPED = re.compile(r"[ \t\f]*[%!?,;/]")
_ASSIGNED = re.compile(r"[ \t\f]*[^\s=#()%!?][^=#()\r\n]*=[ \t]*(?=[!%])")
_HELP = re.compile(r"[^#'\"\r\n]*\?[ \t]*\Z")
_CONTINUED_LINE = re.compile(r"(?:[^\r\n]*\\(?:\r\n|\r|\n))*[^\r\n]*")
_NEWLINE = re.compile(r"\r\n|\r|\n|\Z")
_REST = re.compile(r"[^\r\n]+")
# What decides where a statement ends. A quote that never closes takes the rest of its line or cell.
_LEX = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|\Z)|'''(?:[^\\]|\\.)*?(?:'''|\Z)"
    r"|\"(?:[^\"\\\r\n]|\\(?:\r\n|.))*\"?|'(?:[^'\\\r\n]|\\(?:\r\n|.))*'?"
    r"|#[^\r\n]*|\\(?:\r\n|\r|\n)"
    r"|(?P<open>[\[({])|(?P<close>[\])}])|(?P<newline>\r\n|\r|\n)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A cell's text as Python, and where in it something is hidden."""

    text: str
    hidden: tuple[tuple[int, int], ...] = ()
    """Ranges in order, each from the start of a line to the end of that or a later one."""
    head: int = 0
    """Nothing may be inserted before this offset: a cell magic has to stay the first line."""
    problem: tuple[int, str] | None = None
    """Offset and CPython's message, if all is hidden because it is neither Python nor magic."""
    lead: str = ""
    """What has to stand before the text for it to parse."""


def mask(text: str) -> Masked:
    """The cell with its magics covered, or wholly blank if it is not Python."""
    if _broken(text, "") is None:
        return Masked(text)
    start = _end(_BLANK_LINES, text, 0)
    # IPython runs a cell that is indented as a whole.
    lead = "if 1:\n" if text[start : start + 1] in (" ", "\t") else ""
    hidden: list[tuple[int, int]] = []
    while match := _CELL_MAGIC.match(text, start):
        if match[1] not in _PYTHON_CELLS:
            return _nothing(text, None)
        hidden.append(match.span())
        start = _end(_NEWLINE, text, match.end())
    problem: tuple[int, str] | None = None
    for automagic in (False, True):
        found = (*hidden, *_magics(text, start, automagic))
        masked = _cover(text, found)
        error = _broken(masked, lead)
        if error is None:
            return Masked(masked, found, start if hidden else 0, lead=lead)
        problem = problem or error
    return _nothing(text, problem)


def _broken(text: str, lead: str) -> tuple[int, str] | None:
    error = syntax_error(Source(lead + text))
    return error and (max(error[0] - len(lead), 0), error[1])


def _nothing(text: str, problem: tuple[int, str] | None) -> Masked:
    return Masked(_blank(text), ((0, len(text)),), len(text), problem)


def _magics(text: str, start: int, automagic: bool) -> Iterator[tuple[int, int]]:
    """Where a statement should start but IPython's own syntax does."""
    while start < len(text):
        end = _statement_end(text, start)
        statement = text[start:end]
        if _ESCAPED.match(statement) or _ASSIGNED.match(statement):
            end = _end(_CONTINUED_LINE, text, start)
            yield start, end
        elif _HELP.match(statement) or (automagic and _AUTOMAGIC.match(statement)):
            yield start, end
        start = _end(_NEWLINE, text, end)


def _statement_end(text: str, start: int) -> int:
    """The end of the logical line, without its newline."""
    depth = 0
    for token in _LEX.finditer(text, start):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(depth - 1, 0)
        elif token["newline"] and not depth:
            return token.start()
    return len(text)


def _cover(text: str, ranges: Iterable[tuple[int, int]]) -> str:
    """Put statements of the same length in place of the magics."""
    parts: list[str] = []
    at = 0
    for start, end in ranges:
        parts += [text[at:start], _stand_in(text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


def _stand_in(magic: str) -> str:
    first, rest = magic[: (cut := _line_length(magic))], magic[cut:]
    if target := _ASSIGNED.match(first):
        # An unknown name, so that the analysis takes the target for bound to anything.
        return target.group() + "_" * (len(first) - target.end()) + _blank(rest)
    body = first.lstrip(" \t\f")
    filler = "pass" if len(body) >= 4 else "0"
    return first[: len(first) - len(body)] + filler.ljust(len(body)) + _blank(rest)


def _blank(text: str) -> str:
    return _REST.sub(lambda match: " " * len(match.group()), text)


def _line_length(text: str) -> int:
    match = _NEWLINE.search(text)
    return match.start() if match else len(text)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
