"""Which lines of a text changed: `difflib` between lines that occur once.

`difflib` alone takes minutes for a large file with many changes, or gives up on lines that occur
often and calls half of the file changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

Line = TypeVar("Line", str, bytes)
Block = tuple[int, int, int, int]
# Above this many pairs of lines, one larger block costs a reader less than the search does.
_MOST_PAIRS = 100_000


def changes(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Block]:
    """Blocks `(a, b, c, d)` in order: `old[a:b]` became `new[c:d]`. All other lines are equal."""
    a = c = 0
    for b, d in [*_anchors(old, new), (len(old), len(new))]:
        yield from _between(old, new, (a, b, c, d))
        a, c = b + 1, d + 1


def _anchors(old: Sequence[Line], new: Sequence[Line]) -> list[tuple[int, int]]:
    """The most lines that occur once in either text and stand in the same order in both."""
    once_old, once_new = Counter(old), Counter(new)
    place = {line: at for at, line in enumerate(new) if once_new[line] == 1}
    pairs = [
        (at, place[line]) for at, line in enumerate(old) if once_old[line] == 1 and line in place
    ]
    # The longest increasing subsequence: the last pair of each length, and who came before it.
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for index, (_, at) in enumerate(pairs):
        length = bisect_left(ends, at)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [at]
        last[length : length + 1] = [index]
    found: list[tuple[int, int]] = []
    step = last[-1] if last else None
    while step is not None:
        found.append(pairs[step])
        step = before[step]
    return found[::-1]


def _between(old: Sequence[Line], new: Sequence[Line], block: Block) -> Iterator[Block]:
    a, b, c, d = block
    while a < b and c < d and old[a] == new[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
    if a == b or c == d:
        if a < b or c < d:
            yield a, b, c, d
        return
    same = [x == y for x, y in zip(old[a:b], new[c:d], strict=False)]
    if b - a == d - c and sum(same) * 2 >= b - a:
        yield from _runs(same, a, c)
    elif (b - a) * (d - c) > _MOST_PAIRS:
        yield a, b, c, d
    else:
        matcher = SequenceMatcher(None, old[a:b], new[c:d], autojunk=False)
        for tag, i, j, k, m in matcher.get_opcodes():
            if tag != "equal":
                yield a + i, a + j, c + k, c + m


def _runs(same: Sequence[bool], a: int, c: int) -> Iterator[Block]:
    """Runs of lines that differ, where each line has its counterpart."""
    start: int | None = None
    for at, equal in enumerate([*same, True]):
        if not equal and start is None:
            start = at
        if equal and start is not None:
            yield a + start, a + at, c + start, c + at
            start = None
