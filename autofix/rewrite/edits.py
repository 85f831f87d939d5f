"""Text edits: apply them, make them small, choose those that do not get in each other's way."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise

from autofix.model import Edit, Finding
from autofix.rewrite.lines import changes
from autofix.source import Source, lines, with_newline

_WORD_BREAK = re.compile(r"(?<=\w)(?=\w)|(?<=\r)(?=\n)")


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; insertions at one place keep their order."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=_place):
        if not at <= edit.start <= edit.end <= len(text):
            raise ValueError(f"edit {edit.start}:{edit.end} overlaps another or leaves the text")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def minimal(text: str, start: int, end: int, new: str) -> tuple[Edit, ...]:
    """Edits that make `text[start:end]` into `new` and leave lines and words alone that stay."""
    newline = Source(text).newline(start) if "\n" in new else "\n"
    old_lines, new_lines = lines(text[start:end]), lines(with_newline(new, newline))
    found: list[Edit] = []
    offsets = [start]
    for line in old_lines:
        offsets.append(offsets[-1] + len(line))
    for a, b, c, d in changes(old_lines, new_lines):
        edit = _shrunk(text, offsets[a], offsets[b], "".join(new_lines[c:d]))
        if edit.text != text[edit.start : edit.end]:
            found.append(edit)
    return tuple(found)


def _shrunk(text: str, start: int, end: int, new: str) -> Edit:
    """The edit without the words that old and new text begin and end with."""
    old = text[start:end]
    prefix = _common(old, new)
    while prefix and (_splits(old, prefix) or _splits(new, prefix)):
        prefix -= 1
    suffix = _common(old[prefix:][::-1], new[prefix:][::-1])
    while suffix and (_splits(old, len(old) - suffix) or _splits(new, len(new) - suffix)):
        suffix -= 1
    return Edit(start + prefix, end - suffix, new[prefix : len(new) - suffix])


def _common(old: str, new: str) -> int:
    """How many characters two texts begin with in common."""
    for at, (a, b) in enumerate(zip(old, new, strict=False)):
        if a != b:
            return at
    return min(len(old), len(new))


def _splits(text: str, at: int) -> bool:
    """Whether an offset lies inside a word or a `\\r\\n`."""
    return _WORD_BREAK.match(text, at) is not None


def select(findings: Iterable[Finding], allowed: Callable[[Finding], bool]) -> list[Finding]:
    """The findings whose fixes are made together: in source order, each one whose edits get along
    with those of the ones before. What is left out is met again in the next round."""
    chosen: list[Finding] = []
    taken: list[Edit] = []
    for finding in sorted(findings, key=lambda found: (found.start, found.end, found.rule)):
        edits = finding.fix.edits if finding.fix else ()
        if not edits or not _consistent(edits) or not allowed(finding):
            continue
        if not any(_clash(old, new) for new in edits for old in _near(taken, new)):
            chosen.append(finding)
            for edit in edits:
                insort(taken, edit)
    return chosen


def _near(taken: Sequence[Edit], edit: Edit) -> Iterator[Edit]:
    """Those of the ordered edits, of which no two overlap, that the edit could touch."""
    at = bisect_left(taken, edit)
    for old in islice(taken, at, None):
        if old.start > edit.end:
            break
        yield old
    for index in range(at - 1, -1, -1):
        yield taken[index]
        if taken[index].end < edit.start:
            break


def merged(findings: Iterable[Finding]) -> tuple[Edit, ...]:
    """The edits of selected findings; what two fixes both bring, as an import, is made once."""
    found: list[Edit] = []
    brought: set[Edit] = set()
    for finding in findings:
        edits = finding.fix.edits if finding.fix else ()
        found += [edit for edit in edits if edit not in brought]
        brought |= set(edits)
    return tuple(sorted(found, key=_place))


def _place(edit: Edit) -> tuple[int, int]:
    return edit.start, edit.end


def _consistent(edits: Sequence[Edit]) -> bool:
    ordered = sorted(edits, key=_place)
    return all(a.end <= b.start for a, b in pairwise(ordered))


def _clash(a: Edit, b: Edit) -> bool:
    """Whether two edits of different fixes cannot both be made as they stand.

    Two insertions at one place have no order of their own, unless they are whole lines. An
    insertion at the border of a replacement may belong inside of it.
    """
    if a == b:
        return a.start == a.end and not _whole_lines(a)
    if a.start == a.end and b.start == b.end:
        return a.start == b.start and not (_whole_lines(a) and _whole_lines(b))
    if a.start == a.end or b.start == b.end:
        point, span = (a, b) if a.start == a.end else (b, a)
        above = point.start == span.start and point.text.endswith("\n")
        return span.start <= point.start <= span.end and not above
    return a.start < b.end and b.start < a.end


def _whole_lines(edit: Edit) -> bool:
    return edit.text.endswith("\n") or edit.text.startswith("\n")
