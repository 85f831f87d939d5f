"""Ways to spoil a function: cuts in its graph, and other numbers. Edits of its text, no more."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

Function = ast.FunctionDef | ast.AsyncFunctionDef
_CUTTABLE = (ast.Name, ast.Call, ast.BinOp, ast.Attribute, ast.Subscript, ast.UnaryOp)
_OPPOSITE = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}
_FORMS = {
    "detach": "({}).detach()",
    "data": "({}).data",
    "clone": "({}).clone().detach()",
    "tensor": "torch.tensor(({}).tolist())",
}
"""How an expression is cut. The first and the last are bugs that people write; the others are the
same bug in other words."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Another text for a piece of the module."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where the graph of a function is cut, and how."""

    form: str
    edit: Edit

    def apart(self, other: Cut | Edit) -> bool:
        edit = other.edit if isinstance(other, Cut) else other
        return self.edit.end <= edit.start or edit.end <= self.edit.start


class Module:
    """The text of a module, with places as offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def extent(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def _offset(self, line: int, column: int) -> int:
        start = self._starts[line - 1]
        encoded = self._lines[line - 1].encode()[:column]
        return start + len(encoded.decode())

    def with_edits(self, *edits: Edit) -> str:
        text = self.text
        for edit in sorted(edits, key=lambda one: -one.start):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text

    @property
    def binds_torch(self) -> bool:
        return any(
            isinstance(node, ast.Import)
            and any(a.name == "torch" and not a.asname for a in node.names)
            for node in self.tree.body
        )

    # Cuts -------------------------------------------------------------------------------------

    def cuts(self, function: Function, chance: random.Random) -> list[Cut]:
        """Every place of the function that could be cut, each in one way, in random order."""
        found = [*self._expressions(function)]
        if self.binds_torch:
            found += self._blocks(function)
        chance.shuffle(found)
        return found

    def _expressions(self, function: Function) -> Iterator[Cut]:
        for number, node in enumerate(_inside(function)):
            start, end = self.extent(node)
            form = "tensor" if self.binds_torch and number % 4 == 3 else "detach"
            yield self.cut(start, end, form)

    def cut(self, start: int, end: int, form: str) -> Cut:
        return Cut(form, Edit(start, end, _FORMS[form].format(self.text[start:end])))

    def _blocks(self, function: Function) -> Iterator[Cut]:
        """Statements that are put under `with torch.no_grad():`."""
        for node in ast.walk(function):
            if isinstance(node, (ast.Assign, ast.AugAssign)) and not _holds_text(node):
                start, end = self.extent(node)
                line = self._starts[node.lineno - 1]
                indent = self.text[line:start]
                if indent.strip() or ";" in self.text[start:end]:
                    continue
                body = self.text[start:end].replace("\n", "\n    ")
                text = f"with torch.no_grad():\n{indent}    {body}"
                yield Cut("no_grad", Edit(start, end, text))

    # Other values -----------------------------------------------------------------------------

    def changes(self, function: Function, chance: random.Random) -> list[Edit]:
        """One number or one operator of the function that is another."""
        found = [*self._operators(function), *self._numbers(function)]
        chance.shuffle(found)
        return found

    def _operators(self, function: Function) -> Iterator[Edit]:
        for node in _body(function):
            if isinstance(node, ast.BinOp) and type(node.op) in _OPPOSITE:
                left, right = self.extent(node.left)[1], self.extent(node.right)[0]
                old = self.text[left:right]
                sign = next((c for c in old if c in "+-*/"), "")
                if sign and "#" not in old:
                    new = old.replace(sign, _OPPOSITE[type(node.op)], 1)
                    yield Edit(left, right, new)

    def _numbers(self, function: Function) -> Iterator[Edit]:
        for node in _body(function):
            if isinstance(node, ast.Constant) and type(node.value) in (int, float):
                start, end = self.extent(node)
                value = node.value
                yield Edit(
                    start, end, repr(value + 1 if isinstance(value, int) else value * 1.5 + 0.1)
                )


def _body(function: Function) -> Iterator[ast.AST]:
    """What is computed when the function runs: no annotations, defaults, decorators, docstring."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr, ast.ClassDef)):
            continue
        yield node
        if isinstance(node, ast.AnnAssign):
            todo += [child for child in (node.target, node.value) if child is not None]
        elif isinstance(node, Function):
            todo += node.body
        else:
            todo += ast.iter_child_nodes(node)


def _inside(function: Function) -> Iterator[ast.expr]:
    """Expressions that may hold a tensor with a graph."""
    called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)} | {
        id(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and node.attr in ("shape", "dtype", "device", "ndim", "T")
    }
    for node in _body(function):
        if not isinstance(node, _CUTTABLE) or id(node) in called:
            continue
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            continue
        if isinstance(node, ast.Name) and node.id in ("self", "torch", "F", "nn", "math", "np"):
            continue
        yield node


def _holds_text(node: ast.stmt) -> bool:
    return any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(node))


def nested(cuts: list[Cut]) -> bool:
    """Whether some of the cuts lie in each other, so that they cannot be made together."""
    ordered = sorted(cuts, key=lambda cut: cut.edit.start)
    return any(not a.apart(b) for a, b in pairwise(ordered))
