"""A module as flat sequences of small pieces: simple statements and the headers of blocks.

There is one sequence for each function that stands at module or class level, and one for what is
left. A piece knows its text without layout and comments, its lines, and the blocks it stands in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)
_IMPORTS = (ast.Import, ast.ImportFrom)
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")


@dataclass(frozen=True)
class Piece:
    """A simple statement, or the part of a compound one that stands before its block."""

    key: str
    """Equal for pieces that mean the same; without the blocks it stands in."""
    first: int
    last: int
    inside: tuple[int, ...] = ()
    """The headers of the blocks it stands in, as places in its sequence, the outermost first."""
    kind: str = "statement"
    """`statement`, `import`, `block`, `header` of a function, `class`, or `def`: a stand-in for a
    function that has a sequence of its own."""
    name: str | None = None
    """For `def`: the name of that sequence."""
    end: int = 0
    """For `def`: the last line of the function."""


Sequences = dict["str | None", list[Piece]]


def normalised(tree: ast.Module) -> ast.Module:
    """The tree without docstrings, `pass`, and the like. The tree is changed in place."""
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and _is_docstring(node.body[:1]):
            del node.body[0]
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list):
                block[:] = [part for part in block if not isinstance(part, ast.Pass)]
        if isinstance(node, ast.Constant):
            node.kind = None
        if isinstance(node, ast.Delete):
            node.targets = [name for target in node.targets for name in _unpacked(target)]
    return tree


def _is_docstring(first: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for node in first
    )


def _unpacked(target: ast.expr) -> Iterator[ast.expr]:
    """`del (a, b)` is `del a, b`."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _unpacked(part)
    else:
        yield target


def sequences(tree: ast.Module, lines: Sequence[str]) -> Sequences:
    """The pieces of a normalised tree by qualified name of the function; None is the module
    level. `lines` are those of its text."""
    walk = _Walk({None: []}, lines)
    walk.block(tree.body, None, "", ())
    return walk.found


@dataclass
class _Walk:
    found: Sequences
    lines: Sequence[str]

    def add(self, unit: str | None, piece: Piece) -> int:
        pieces = self.found.setdefault(unit, [])
        pieces.append(piece)
        return len(pieces) - 1

    def block(
        self, body: Sequence[ast.stmt], unit: str | None, scope: str, inside: tuple[int, ...]
    ) -> None:
        """Take in a block; `scope` is what stands before the names of functions defined in it."""
        for node in body:
            if isinstance(node, _FUNCTIONS) and unit is None:
                self.function(node, scope, inside)
            elif isinstance(node, ast.ClassDef):
                inner = f"{scope}{node.name}."
                self.block(node.body, unit, inner, self.header(node, unit, inside, "class"))
            elif isinstance(node, _FUNCTIONS):
                self.block(node.body, unit, scope, self.header(node, unit, inside, "header"))
            elif any(hasattr(node, name) for name in _BLOCKS):
                self.compound(node, unit, scope, inside)
            else:
                kind = "import" if isinstance(node, _IMPORTS) else "statement"
                last = node.end_lineno or node.lineno
                self.add(unit, Piece(ast.dump(node), node.lineno, last, inside, kind))

    def function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: str, inside: tuple[int, ...]
    ) -> None:
        """A function with a sequence of its own, and its stand-in in that of the module."""
        name = f"{scope}{node.name}"
        first, last = _lines(node)
        self.add(None, Piece(f"def {name}", first, last, inside, "def", name, node.end_lineno or 0))
        self.block(node.body, name, f"{name}.", self.header(node, name, (), "header"))

    def header(
        self, node: ast.stmt, unit: str | None, inside: tuple[int, ...], kind: str
    ) -> tuple[int, ...]:
        first, last = _lines(node)
        return (*inside, self.add(unit, Piece(_header(node), first, last, inside, kind)))

    def compound(
        self, node: ast.stmt, unit: str | None, scope: str, inside: tuple[int, ...]
    ) -> None:
        """`if`, `for`, `while`, `with`, `try`, `match`."""
        within = self.header(node, unit, inside, "block")
        end = _lines(node)[1]
        body: list[ast.stmt] = getattr(node, "body", [])
        self.block(body, unit, scope, within)
        end = max([end, *(part.end_lineno or 0 for part in body)])
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            first, last = _lines(part)
            own = self.add(unit, Piece(_header(part), first, last, within, "block"))
            self.block(part.body, unit, scope, (*within, own))
            end = max([end, last, *(child.end_lineno or 0 for child in part.body)])
        for name, word in (("orelse", "else"), ("finalbody", "finally")):
            rest: list[ast.stmt] = getattr(node, name, [])
            if rest:
                line = self.keyword(word, end, rest[0].lineno)
                own = self.add(unit, Piece(word, line, line, within, "block"))
                self.block(rest, unit, scope, (*within, own))
                end = rest[-1].end_lineno or end

    def keyword(self, word: str, after: int, before: int) -> int:
        """The line of `else` or `finally`, which the tree does not tell; or that of an `elif`."""
        for line in range(before, after - 1, -1):
            if self.lines[line - 1].strip().startswith(word):
                return line
        return before


def _header(node: ast.AST) -> str:
    """What a compound statement says before its block."""
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if name in _BLOCKS:
            continue
        values = value if isinstance(value, list) else [value]
        said = (ast.dump(part) if isinstance(part, ast.AST) else repr(part) for part in values)
        parts.append(f"{name}={', '.join(said)}")
    return "; ".join(parts)


def _lines(node: ast.AST) -> tuple[int, int]:
    """First and last line of a header, decorators included."""
    spans = [
        (part.lineno, part.end_lineno or part.lineno)
        for name, value in ast.iter_fields(node)
        if name not in _BLOCKS
        for root in (value if isinstance(value, list) else [value])
        if isinstance(root, ast.AST)
        for part in ast.walk(root)
        if isinstance(part, (ast.expr, ast.arg, ast.keyword, ast.alias, ast.pattern))
    ]
    if isinstance(node, (ast.stmt, ast.ExceptHandler)):
        spans.append((node.lineno, node.lineno))
    return min(first for first, _ in spans), max(last for _, last in spans)
