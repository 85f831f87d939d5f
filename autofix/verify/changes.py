"""Where two versions of a module differ, statement by statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

from autofix.rewrite import lines as texts
from autofix.source import lines, parse
from autofix.verify.blocks import Piece, normalised, sequences

Span = tuple[int, int]
Pieces = Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Change:
    """Neighbouring statements that differ.

    Lines are 1-based and inclusive. A side that has nothing is `(n, n - 1)`: before line `n`.
    """

    before: Span
    after: Span
    unit: str | None = None
    """The function around it, as in `train` or `Net.forward`; None at module or class level."""
    kind: str = "code"
    """`code`; `import`; `header`: what stands before a block, whose body stays; `moved`: a
    definition that stands elsewhere; `added` or `removed`: a whole function."""

    @property
    def imports(self) -> bool:
        """Whether it only brings or drops imports, which need no exercise."""
        return self.kind == "import"


@dataclass
class _Segment:
    """A run of pieces that differ: `old[a:b]` became `new[c:d]`."""

    a: int
    b: int
    c: int
    d: int


@dataclass
class _Definitions:
    """The functions whose stand-ins at module level differ, by name."""

    old: dict[str, Piece] = field(default_factory=dict)
    new: dict[str, Piece] = field(default_factory=dict)


def changes(before: str, after: str) -> tuple[Change, ...]:
    """The changes between two texts that parse, in order. There are none if both are the same
    program: comments, layout, docstrings and `pass` do not count."""
    old, new = parse(before), parse(after)
    _drop_equal_ends(old, new, lines(before), lines(after))
    old, new = normalised(old), normalised(new)
    if ast.dump(old) == ast.dump(new):
        return ()
    olds = sequences(old, lines(before))
    news = sequences(new, lines(after))
    found = list(_module(olds, news))
    for unit in olds:
        if unit is not None and unit in news:
            old_pieces, new_pieces = olds[unit], news[unit]
            for segment in _segments(old_pieces, new_pieces):
                found.append(_change(segment, old_pieces, new_pieces, unit))
    # What is not the same must not look like it.
    found = found or [Change((1, len(lines(before))), (1, len(lines(after))))]
    return tuple(sorted(found, key=lambda change: (change.before, change.after)))


def _drop_equal_ends(
    old: ast.Module, new: ast.Module, olds: Sequence[str], news: Sequence[str]
) -> None:
    """Take out what stands above and below the first and last line that differ, but for the next
    statement on either side: large files change in few places."""
    top, bottom = _alike(olds, news), _alike(olds[::-1], news[::-1])
    bottom = min(bottom, min(len(olds), len(news)) - top)
    ends = len(olds) - bottom, len(news) - bottom
    pairs = [*zip(old.body, new.body, strict=False)]
    head = sum(1 for _ in takewhile(lambda two: all(_last(one) <= top for one in two), pairs))
    pairs = [*zip(old.body[:head:-1], new.body[:head:-1], strict=False)]
    tail = sum(1 for _ in takewhile(lambda two: _below(*two, ends), pairs))
    for tree in (old, new):
        del tree.body[len(tree.body) - max(tail - 1, 0) :]
        del tree.body[: max(head - 1, 0)]


def _alike(olds: Sequence[str], news: Sequence[str]) -> int:
    """How many lines are equal from the start."""
    pairs = enumerate(zip(olds, news, strict=False))
    differing = next((at for at, (a, b) in pairs if a != b), None)
    return min(len(olds), len(news)) if differing is None else differing


def _below(old: ast.stmt, new: ast.stmt, ends: Span) -> bool:
    """Whether two statements start at the same place of the lines that are equal at the end."""
    first = _first(old) - ends[0]
    return first > 0 and first == _first(new) - ends[1] and old.col_offset == new.col_offset


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _segments(old: Pieces, new: Pieces) -> Iterator[_Segment]:
    """What differs between two sequences, in order."""
    blocks = [*texts.changes([p.key for p in old], [p.key for p in new])]
    partner: dict[int, int] = {}
    i = j = 0
    for a, b, c, d in [*blocks, (len(old), len(old), len(new), len(new))]:
        partner.update(zip(range(i, a), range(j, c), strict=True))
        i, j = b, d
    matched = frozenset(partner.values())
    i = j = 0
    while i < len(old) or j < len(new):
        begin = (i, j)
        while i < len(old) and (i not in partner or _displaced(i, partner, matched, old, new)):
            i += 1
        stop = partner[i] if i < len(old) else len(new)
        j = max(j, stop)
        if (i, j) != begin:
            yield _Segment(begin[0], i, begin[1], j)
        i, j = i + 1, j + 1


def _displaced(
    at: int, partner: Mapping[int, int], matched: frozenset[int], old: Pieces, new: Pieces
) -> bool:
    """Whether a piece that stays stands in other blocks than before, of those that stay too."""
    was = [partner[header] for header in old[at].inside if header in partner]
    now = [header for header in new[partner[at]].inside if header in matched]
    return was != now


def _change(segment: _Segment, old: Pieces, new: Pieces, unit: str | None) -> Change:
    pieces = (*old[segment.a : segment.b], *new[segment.c : segment.d])
    kinds = {piece.kind for piece in pieces}
    kind = "code"
    if kinds == {"import"}:
        kind = "import"
    elif kinds <= {"block", "header", "class"}:
        kind = "header"
    before = _span(old, segment.a, segment.b)
    return Change(before, _span(new, segment.c, segment.d), unit, kind)


def _span(pieces: Pieces, start: int, stop: int) -> Span:
    if start < stop:
        part = pieces[start:stop]
        return min(piece.first for piece in part), max(piece.last for piece in part)
    if start < len(pieces):
        return pieces[start].first, pieces[start].first - 1
    end = max((pieces[-1].last, pieces[-1].end)) if pieces else 0
    return end + 1, end


def _module(
    olds: Mapping[str | None, Pieces], news: Mapping[str | None, Pieces]
) -> Iterator[Change]:
    """Changes at module and class level, and whole functions that came, went or moved."""
    old, new = olds[None], news[None]
    names = _Definitions()
    for segment in _segments(old, new):
        here, there = old[segment.a : segment.b], new[segment.c : segment.d]
        yield from _plain(segment, old, new)
        for piece in here:
            if piece.name and piece.name not in news:
                span = _span(olds[piece.name], 0, len(olds[piece.name]))
                yield Change(span, _span(new, segment.d, segment.d), piece.name, "removed")
            elif piece.name:
                names.old[piece.name] = piece
        for piece in there:
            if piece.name and piece.name not in olds:
                span = _span(news[piece.name], 0, len(news[piece.name]))
                yield Change(_span(old, segment.b, segment.b), span, piece.name, "added")
            elif piece.name:
                names.new[piece.name] = piece
    for name in names.old.keys() & names.new.keys():
        was, now = names.old[name], names.new[name]
        yield Change((was.first, was.last), (now.first, now.last), None, "moved")


def _plain(segment: _Segment, old: Pieces, new: Pieces) -> Iterator[Change]:
    """The changes of a segment of the module apart from its functions."""
    olds = list(_runs(old, segment.a, segment.b))
    news = list(_runs(new, segment.c, segment.d))
    if len(olds) == len(news) == 1:
        (a, b), (c, d) = olds[0], news[0]
        yield _change(_Segment(a, b, c, d), old, new, None)
        return
    for a, b in olds:
        yield _change(_Segment(a, b, segment.d, segment.d), old, new, None)
    for c, d in news:
        yield _change(_Segment(segment.b, segment.b, c, d), old, new, None)


def _runs(pieces: Pieces, start: int, stop: int) -> Iterator[Span]:
    """Runs without functions; `(start, stop)` as slices."""
    for plain, group in groupby(range(start, stop), lambda at: pieces[at].kind != "def"):
        places = list(group)
        if plain:
            yield places[0], places[-1] + 1
