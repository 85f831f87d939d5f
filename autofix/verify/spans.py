"""Which expressions a change is about.

A stop of the gradient that stands in one of them is on trial. Any other is taken as meant: the
verifier holds its value while it takes finite differences.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autofix.source import parse
from autofix.verify.changes import Change

Span = tuple[int, int, int, int]
"""Line, column, end line, end column; lines from 1, columns from 0 in UTF-8 bytes, as in `ast`."""
Lines = tuple[int, int]
_WHOLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Trial:
    """What is on trial in one version."""

    spans: tuple[Span, ...]
    regions: tuple[Lines, ...]
    """Lines below which everything is on trial, also in functions that are called from there."""


def trials(before: str, after: str, changes: Sequence[Change]) -> tuple[Trial, Trial]:
    """What is on trial before and after."""
    old, new = parse(before), parse(after)
    spans: tuple[list[Span], list[Span]] = ([], [])
    regions: tuple[list[Lines], list[Lines]] = ([], [])
    pairs = [
        (change, [*statements(old, change.before)], [*statements(new, change.after)])
        for change in changes
        if not change.imports
    ]
    headers = (
        {_header_text(n) for p in pairs for n in p[1]},
        {_header_text(n) for p in pairs for n in p[2]},
    )
    kept = headers[0] & headers[1]
    for change, olds, news in pairs:
        _compare(olds, news, change, spans)
        regions[0].extend(_regions(olds, kept))
        regions[1].extend(_region(node) for node in news if _rules(node, kept))
    return (
        Trial(tuple(spans[0]), tuple(regions[0])),
        Trial(tuple(spans[1]), tuple(regions[1])),
    )


def _regions(olds: Sequence[ast.stmt], kept: set[str]) -> Iterator[Lines]:
    """The edit may have taken away a call whose callee holds the stop."""
    for node in olds:
        yield _region(node) if _rules(node, kept) else header(node)


def _rules(node: ast.stmt, kept: set[str]) -> bool:
    """Whether a header that came or went decides how autograd treats all of its block."""
    return _rules_a_block(node) and _header_text(node) not in kept


def _header_text(node: ast.stmt) -> str:
    return " ".join(map(ast.dump, _parts(node)))


def _compare(
    olds: Sequence[ast.stmt],
    news: Sequence[ast.stmt],
    change: Change,
    spans: tuple[list[Span], list[Span]],
) -> None:
    if len(olds) == len(news) and all(type(a) is type(b) for a, b in zip(olds, news, strict=True)):
        for old, new in zip(olds, news, strict=True):
            for a, b in _differences(old, new):
                spans[0].append(_span(a))
                spans[1].append(_span(b))
                spans[1].extend(_span(one) for one in _left(a, b, new))
        return
    for lines, into in ((change.before, spans[0]), (change.after, spans[1])):
        if lines[0] <= lines[1]:
            into.append((lines[0], 0, lines[1], _WHOLE))


def _left(old: ast.AST, new: ast.AST, whole: ast.stmt) -> Iterator[ast.AST]:
    """Stops of the very values that the change lets through in one place, in another place of the
    same statement."""
    stops = Counter(map(ast.dump, _stops(old))) - Counter(map(ast.dump, _stops(new)))
    return (one for one in _stops(whole) if ast.dump(one) in stops)


_STOPS = frozenset("detach detach_ data item tolist numpy".split())


def _stops(node: ast.AST) -> Iterator[ast.expr]:
    """`x.data`, `x.detach()` and the like."""
    for part in _own(node):
        called = part.func if isinstance(part, ast.Call) else part
        if not isinstance(called, ast.Attribute) or called.attr not in _STOPS:
            continue
        if isinstance(part, ast.Call) or called.attr == "data":
            yield part


def _own(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a node; of a compound statement those of its header."""
    if isinstance(node, ast.expr):
        yield node
    for part in _parts(node):
        yield from _own(part)


def statements(tree: ast.Module, lines: Lines) -> Iterator[ast.stmt]:
    """The outermost statements whose own lines lie in `lines`."""
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        node = todo.pop(0)
        first, last = header(node)
        if first <= lines[1] and lines[0] <= last:
            yield node
        todo[:0] = [
            child
            for name in ("body", "handlers", "orelse", "finalbody", "cases")
            for part in getattr(node, name, ())
            for child in ([part] if isinstance(part, ast.stmt) else part.body)
        ]


def header(node: ast.stmt) -> Lines:
    """The lines of a statement; of a compound one, those before its block."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1)
    if isinstance(node, ast.Match):
        return first, max(first, node.cases[0].pattern.lineno - 1)
    return first, node.end_lineno or node.lineno


def _rules_a_block(node: ast.stmt) -> bool:
    """Whether its header decides how autograd treats all of its block."""
    return isinstance(node, (ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef))


def _region(node: ast.stmt) -> Lines:
    return header(node)[0], node.end_lineno or node.lineno


def _span(node: ast.AST) -> Span:
    assert isinstance(node, (ast.expr, ast.stmt))
    if isinstance(node, ast.stmt):
        first, last = header(node)
        return first, 0, last, _WHOLE
    end = node.end_col_offset
    return (
        node.lineno,
        node.col_offset,
        node.end_lineno or node.lineno,
        _WHOLE if end is None else end,
    )


def _differences(old: ast.AST, new: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The smallest expressions that differ, in pairs; a renamed function takes its call along."""
    if ast.dump(old) == ast.dump(new):
        return
    parts = [*_parts(old)], [*_parts(new)]
    simple = (
        type(old) is type(new)
        and len(parts[0]) == len(parts[1])
        and _scalars(old) == _scalars(new)
        and not _other_function(old, new)
    )
    if not simple:
        yield old, new
        return
    inner = [pair for a, b in zip(*parts, strict=True) for pair in _differences(a, b)]
    placed = all(isinstance(one, (ast.expr, ast.stmt)) for pair in inner for one in pair)
    if inner and placed:
        yield from inner
    else:
        yield old, new


def _other_function(old: ast.AST, new: ast.AST) -> bool:
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return False
    return _own_name(old.func) != _own_name(new.func)


def _own_name(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """The children; of a compound statement those of its header."""
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.stmt) and name in ("body", "orelse", "finalbody", "handlers"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                yield child


def _scalars(node: ast.AST) -> list[object]:
    return [
        value
        for _, value in ast.iter_fields(node)
        if not isinstance(value, (ast.AST, list)) or (isinstance(value, list) and not value)
    ]
