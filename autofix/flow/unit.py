"""The code of one file, as other files see it: what it binds, and by which statements."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from autofix.flow.index import FUNCTIONS, Index, root_name
from autofix.flow.walk import statements, walk
from autofix.source import Line, Source

_DEFINITIONS = (*FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)
_IS_MODULE = re.compile(r"^[ \t]*from[ \t]+\.", re.MULTILINE)


def is_foreign(node: ast.AST) -> bool:
    """Does the node stand in another file than the one that is looked at? It is no place to report
    or to edit then."""
    return isinstance(getattr(node, "lineno", None), Line)


@dataclass(eq=False)
class Unit:
    """A parsed file. It knows no values, so that all who import it can share it."""

    path: str
    """Absolute."""
    source: Source
    tree: ast.Module
    index: Index
    place: Callable[[int], str] | None = None
    """What to call a line of it; None for the file that is looked at."""
    _marked: set[int] = field(default_factory=set)

    @cached_property
    def bindings(self) -> dict[str, list[int]]:
        """For each name, the positions of the top-level statements that bind or change it."""
        found: dict[str, list[int]] = {}
        for position, statement in enumerate(self.tree.body):
            for name in _touched(statement):
                places = found.setdefault(name, [])
                if not places or places[-1] != position:
                    places.append(position)
        return found

    @cached_property
    def stars(self) -> list[ast.ImportFrom]:
        return [
            node
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)
        ]

    @cached_property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """Every import, also those in functions."""
        return [n for n in statements(self.tree) if isinstance(n, (ast.Import, ast.ImportFrom))]

    @cached_property
    def may_be_script(self) -> bool:
        """False where its imports work only if it is imported as a part of its package."""
        return _IS_MODULE.search(self.source.text) is None

    def mark(self, position: int) -> None:
        """Note in the nodes of a top-level statement that they belong to another file."""
        if position in self._marked or self.place is None:
            return
        self._marked.add(position)
        lines: dict[int, Line] = {}
        for node in walk(self.tree.body[position]):
            number: int | None = getattr(node, "lineno", None)
            if number is not None:
                line = lines.get(number)
                if line is None:
                    line = lines[number] = Line.of(number, self.place(number), self.path)
                node.lineno = line  # type: ignore[attr-defined]

    def mentions(self, name: str) -> bool:
        return any(True for _ in self.source.words(name))

    def used_at_top(self, name: str) -> bool:
        """Does the name stand in a top-level statement that defines and imports nothing?"""
        for offset in self.source.words(name):
            at = self.position_of(self.source.line_of(offset))
            if at is not None and not isinstance(self.tree.body[at], _DEFINITIONS):
                return True
        return False

    def made_at_top(self, name: str) -> Iterator[str]:
        """`criterion` of the top-level statement `criterion = Loss()`."""
        for offset in self.source.words(name):
            at = self.position_of(self.source.line_of(offset))
            if at is not None and isinstance(self.tree.body[at], (ast.Assign, ast.AnnAssign)):
                yield from _touched(self.tree.body[at])

    def position_of(self, line: int) -> int | None:
        """The top-level statement around a line."""
        at = bisect_right(self._starts, line) - 1
        if at < 0 or (self.tree.body[at].end_lineno or 0) < line:
            return None
        return at

    @cached_property
    def _starts(self) -> list[int]:
        return [
            min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            for node in self.tree.body
        ]


def _touched(statement: ast.stmt) -> Iterator[str]:
    """The names that a top-level statement binds, or whose objects it may change."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))):
            yield from filter(None, [root_name(owner)])
        case ast.Expr():
            pass
        case _:
            yield from _stored(statement)


def _stored(statement: ast.stmt) -> Iterator[str]:
    for inner in statements(ast.Module([statement], [])):
        if isinstance(inner, _DEFINITIONS):
            yield from _touched(inner)
            continue
        targets: list[ast.expr] = []
        match inner:
            case ast.Assign():
                targets = inner.targets
            case ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.AsyncFor():
                targets = [inner.target]
            case ast.With() | ast.AsyncWith():
                targets = [i.optional_vars for i in inner.items if i.optional_vars is not None]
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))):
                targets = [owner]
        for target in targets:
            for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                yield from filter(None, [root_name(part)])
