"""The statements that replace a loop: one for each store, vectorised or row by row."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autofix.codemods.in_place._row_body import Item, Nest
from autofix.codemods.in_place._row_extent import Extent, extent
from autofix.codemods.in_place._row_header import DeclinedError, Header
from autofix.codemods.in_place._row_value import RowValue
from autofix.codemods.in_place._row_vector import NotVectorisedError, call_edits
from autofix.flow.facts import Facts
from autofix.model import Edit
from autofix.rewrite.edits import apply_edits
from autofix.rewrite.names import unused_name
from autofix.source import Source

_SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_ATOMS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant)


@dataclass(eq=False)
class Writer:
    """Writes the statement for one store."""

    value: RowValue
    torch: Callable[[str], str]

    @property
    def facts(self) -> Facts:
        return self.value.facts

    @property
    def base(self) -> str:
        return self.facts.source.segment(self.value.store.base.node)

    def statement(self) -> str:
        """`x = ...`"""
        value = self.value
        extents = [extent(self._header(name), dim, value) for dim, name in value.store.dims]
        partial = [(d, e) for d, e in zip(value.dims, extents, strict=True) if not e.whole]
        if value.vector and value.row_rank and len(partial) <= 1:
            try:
                return f"{self.base} = {self._vectorised(partial)}"
            except NotVectorisedError:
                pass
        return f"{self.base} = {self._stacked(extents)}"

    def _header(self, name: str) -> Header:
        return next(h for h in self.value.nest.headers if h.variable == name)

    def _vectorised(self, partial: list[tuple[int, Extent]]) -> str:
        if not partial:
            return self._new(self.base, vector=True)
        dim, part = partial[0]
        lead = ":, " * dim
        pieces = [self._new(f"{self.base}[{lead}{part.inside}]", vector=True)]
        if part.before is not None:
            pieces.insert(0, f"{self.base}[{lead}{part.before}]")
        if part.after is not None:
            pieces.append(f"{self.base}[{lead}{part.after}]")
        along = f", dim={dim}" if dim else ""
        return f"{self.torch('cat')}([{', '.join(pieces)}]{along})"

    def _stacked(self, extents: list[Extent]) -> str:
        value = self.value
        dims = value.dims
        if len(dims) == 1:
            dim = dims[0]
            over = self.base if dim == 0 else f"{self.base}.unbind({dim})"
            along = f", dim={dim}" if dim else ""
            return f"{self.torch('stack')}({self._rows(over, extents[0])}{along})"
        if sorted(dims) != [0, 1] or value.numbered:
            raise DeclinedError("how many dimensions the tensor has is not known")
        outer, inner = (extents[dims.index(0)], extents[dims.index(1)])
        row, rows = self._fresh("row"), self._fresh("rows")
        stack = self.torch("stack")
        element = f"{stack}({_listed(self._new(row), row, rows, inner)})"
        return f"{stack}({_listed(element, rows, self.base, outer)})"

    def _fresh(self, wanted: str) -> str:
        """A name for the rows. One that only the loop itself uses is free once the loop is gone."""
        left = f"{self._new('')} {self.base}"
        if wanted in self.value.nest.bound and not re.search(rf"\b{wanted}\b", left):
            return wanted
        return unused_name(self.facts, wanted, self.value.nest.loop)

    def _rows(self, over: str, part: Extent) -> str:
        if not self.value.numbered:
            row = self._fresh("row")
            return _listed(self._new(row), row, over, part)
        header = self.value.nest.headers[0]
        if header.backwards:
            raise DeclinedError("the rows are visited from the last to the first")
        loop = self.value.nest.loop
        if isinstance(loop, ast.For):
            segment = self.facts.source.segment
            turns = f"for {segment(loop.target)} in {_one_line(segment(loop.iter))}"
        else:
            assert header.stop is not None
            start = f"{header.start}, " if header.start else ""
            turns = f"for {header.variable} in range({start}{self._plain(header.stop)})"
        return _wrapped(f"{self._new(None)} {turns}", over, part)

    def _plain(self, node: ast.expr) -> str:
        return _one_line(self.facts.source.segment(node))

    def _new(self, row: str | None, vector: bool = False) -> str:
        """The new value, with `row` where the loop has its row (None: left as it is)."""
        store = self.value.store
        text = self._render(store.value, row, vector)
        if store.op is None:
            return text
        if isinstance(store.value, (ast.BinOp, ast.IfExp, ast.Compare, ast.BoolOp)):
            text = f"({text})"
        sign = _SIGNS.get(type(store.op))
        if sign is None:
            raise DeclinedError("the rows are changed by an operator that has no tensor form")
        mine = self.facts.source.segment(store.target) if row is None else row
        return f"{mine} {sign} {text}"

    def _render(self, node: ast.expr, row: str | None, vector: bool) -> str:
        start, end = self.facts.source.span(node)
        edits = [
            Edit(e.start - start, e.end - start, e.text) for e in self._edits(node, row, vector)
        ]
        text = _one_line(apply_edits(self.facts.source.text[start:end], edits))
        return f"{text}[{ast.unparse(node.slice)}]" if isinstance(node, Item) else text

    def _edits(self, node: ast.AST, row: str | None, vector: bool) -> Iterator[Edit]:
        value = self.value
        if isinstance(node, ast.expr) and value.is_row(node) and row is not None:
            yield Edit(*self.facts.source.span(node), row)
            return
        if isinstance(node, ast.Name) and node.id in value.store.temporaries:
            meaning = value.store.temporaries[node.id]
            text = self._render(meaning, row, vector)
            atom = isinstance(meaning, _ATOMS)
            yield Edit(*self.facts.source.span(node), text if atom else f"({text})")
            return
        if vector and isinstance(node, ast.Call) and value._depends(node):
            edits = call_edits(node, value, row or "", self.torch)
            yield from edits
            if any((e.start, e.end) == self.facts.source.span(node) for e in edits):
                return
            touched = {(e.start, e.end) for e in edits}
        else:
            touched = set()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) and self.facts.source.span(child) in touched:
                continue
            if isinstance(child, ast.keyword) and self.facts.source.span(child.value) in touched:
                continue
            yield from self._edits(child, row, vector)


def _listed(element: str, name: str, over: str, part: Extent) -> str:
    """A list of `element` for each row, and of the rows that stay."""
    inside = over if part.whole else f"{over}[{part.inside}]"
    return _wrapped(f"{element} for {name} in {inside}", over, part)


def _wrapped(comprehension: str, over: str, part: Extent) -> str:
    if part.whole:
        return f"[{comprehension}]"
    pieces = [f"*({comprehension})"]
    if part.before is not None:
        pieces.insert(0, f"*{over}[{part.before}]")
    if part.after is not None:
        pieces.append(f"*{over}[{part.after}]")
    return f"[{', '.join(pieces)}]"


def _one_line(text: str) -> str:
    """An expression without its line breaks and comments."""
    if "\n" not in text and "\r" not in text:
        return text
    if '"""' in text or "'''" in text:
        raise DeclinedError("the new value spans lines in a way that cannot be kept")
    for comment, at in reversed(list(_comments(f"({text})"))):
        text = text[: at - 1] + text[at - 1 + len(comment) :]
    text = re.sub(r"([(\[{])\s*\\?[\r\n]\s*", r"\1", text)
    text = re.sub(r"\s*[\r\n]\s*([)\]}])", r"\1", text)
    return re.sub(r"\s*\\?[\r\n]\s*", " ", text)


def _comments(text: str) -> Iterator[tuple[str, int]]:
    starts = Source(text).line_starts
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            if token.type == tokenize.COMMENT:
                yield token.string, starts[token.start[0] - 1] + token.start[1]
    except (tokenize.TokenError, SyntaxError):
        raise DeclinedError("the loop's comments cannot be told apart from its code") from None


def replacement(nest: Nest, statements: list[str], facts: Facts) -> Edit:
    """The edit that puts the statements where the loop stands, under its comments."""
    start, end = facts.source.span(nest.loop)
    text = facts.source.text
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    indent = text[line_start:start]
    rest = Source(text[end:]).line_starts
    behind = text[end : end + rest[1]] if len(rest) > 1 else text[end:]
    comments = (
        [comment for comment, _ in _comments(text[start:end])] if "#" in text[start:end] else []
    )
    lines = statements
    if len(comments) == 1 and len(statements) == 1 and not behind.strip():
        lines = [f"{statements[0]}  {comments[0]}"]
    elif comments:
        lines = [*comments, *statements]
    first = _initial_start(nest, start, facts)
    return Edit(first, end, f"\n{indent}".join(lines))


def _initial_start(nest: Nest, start: int, facts: Facts) -> int:
    """The `i = 0` straight before a `while` goes with it."""
    initial = nest.headers[0].initial
    if initial is None:
        return start
    first, last = facts.source.span(initial)
    return first if not facts.source.text[last:start].strip() else start
