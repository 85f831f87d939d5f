"""Edit the text inside a JSON string, or array of strings, without touching its other characters.

A string is taken as a list of (character, how it is written) pairs: what is not replaced keeps its
own spelling, be it `é`, `\\u00e9` or `\\u00E9`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autofix.model import Edit

_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\u(?!00[0-7])")
_BIG_HEX = re.compile(r"\\u[0-9a-f]*[A-F]")
Character = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Escapes:
    """How a file writes characters: as it already does where it does, else in its general style."""

    ascii: bool
    big: bool
    seen: dict[str, str] = field(default_factory=dict)

    def write(self, text: str) -> list[Character]:
        return [(character, self._written(character)) for character in text]

    def _written(self, character: str) -> str:
        if character in self.seen:
            return self.seen[character]
        lone = "\ud800" <= character <= "\udfff"
        raw = json.dumps(character, ensure_ascii=self.ascii or lone)[1:-1]
        return re.sub(r"(?<=\\u)....", lambda m: m.group().upper(), raw) if self.big else raw


def escapes(raw: str, strings: Iterable[str]) -> Escapes:
    """The style of a file, given its text and the strings (with quotes) whose style to follow."""
    seen = {character: written for string in strings for character, written in characters(string)}
    # Jupyter itself writes `é`; escapes below U+0080 stand in its files too.
    plain = not raw.isascii() or not _ESCAPED.search(raw)
    return Escapes(not plain, bool(_BIG_HEX.search(raw)), seen)


def characters(string: str) -> list[Character]:
    """Each character of a JSON string, given with its quotes, and how it is written."""
    return [(_read(raw), raw) for raw in _CHARACTER.findall(string[1:-1])]


def _read(raw: str) -> str:
    return raw if raw[0] != "\\" else str(json.loads(f'"{raw}"'))


def splice_string(raw: str, edits: Sequence[Edit], style: Escapes) -> str:
    """The JSON string with ordered edits of its text made."""
    content = characters(raw)
    for edit in reversed(edits):
        content[edit.start : edit.end] = style.write(edit.text)
    return _quoted(content)


def _quoted(content: Iterable[Character]) -> str:
    return '"' + "".join(written for _, written in content) + '"'


@dataclass(frozen=True, slots=True)
class _Item:
    lead: str
    """What stands between this item and the one before, or the bracket."""
    content: list[Character]


def splice_array(
    raw: str, spans: Sequence[tuple[int, int]], edits: Sequence[Edit], style: Escapes
) -> str:
    """The JSON array of strings with ordered edits of the joined text made.

    `spans` are the items' places in `raw`. Where lines are added or joined the items follow, one a
    line; all others keep their place, spelling and surroundings.
    """
    ends = [1, *(end for _, end in spans)]
    items = [
        _Item(raw[before:start], characters(raw[start:end]))
        for before, (start, end) in zip(ends, spans, strict=False)
    ]
    opening = items[0].lead if items else ""
    between = items[1].lead if len(items) > 1 else "," + (opening or " ")
    for edit in reversed(edits):
        _edit(items, edit, style.write(edit.text), between)
    if items:
        items[0] = _Item(opening, items[0].content)
    written = "".join(item.lead + _quoted(item.content) for item in items)
    return "[" + written + (raw[ends[-1] :] if items else "]")


def _edit(items: list[_Item], edit: Edit, new: list[Character], between: str) -> None:
    if not items:
        items += _by_line(new, "", between)
        return
    first, start = _find(items, edit.start)
    last, end = _find(items, max(edit.start, edit.end - 1))
    end += edit.end > edit.start
    lead, touched = items[first].lead, items[last].content
    content = [*items[first].content[:start], *new, *touched[end:]]
    if first == last and content and any(character == "\n" for character, _ in touched[:-1]):
        # Somebody's writer keeps several lines in one item; so do we.
        items[first] = _Item(lead, content)
        return
    if _ends_line(touched) and content and not _ends_line(content) and last + 1 < len(items):
        last += 1
        content += items[last].content
    items[first : last + 1] = _by_line(content, lead, between)


def _find(items: Sequence[_Item], offset: int) -> tuple[int, int]:
    """The item that holds the character at an offset of the joined text, and where in it."""
    for index, item in enumerate(items):
        if offset < len(item.content):
            return index, offset
        offset -= len(item.content)
    return len(items) - 1, len(items[-1].content)


def _ends_line(content: Sequence[Character]) -> bool:
    return bool(content) and content[-1][0] == "\n"


def _by_line(content: Sequence[Character], lead: str, between: str) -> list[_Item]:
    """Items of one line each; the first takes the place of what was there."""
    items: list[_Item] = []
    start = 0
    for at, (character, _) in enumerate(content, 1):
        if character == "\n" or at == len(content):
            items.append(_Item(between if items else lead, list(content[start:at])))
            start = at
    return items
