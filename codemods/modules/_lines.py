"""New statements in the methods of a class."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.model import Edit


def statement_in(facts: Facts, node: ast.AST, method: ast.AST) -> ast.stmt:
    """The statement of the method's own block in which `node` stands."""
    at = node
    while (parent := facts.index.parents.get(at)) is not method and parent is not None:
        at = parent
    assert isinstance(at, ast.stmt)
    return at


def indent_of(facts: Facts, node: ast.stmt) -> str:
    text, start = facts.source.text, facts.source.span(node)[0]
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line[: len(line) - len(line.lstrip())]


def line_after(facts: Facts, statement: ast.stmt, code: str) -> Edit:
    """`code` on the line after a statement, as deep as that."""
    text = facts.source.text
    start, end = facts.source.span(statement)
    stop = text.find("\n", end)
    stop = len(text) if stop < 0 else stop
    if text[stop - 1 : stop] == "\r":
        stop -= 1
    return Edit(stop, stop, f"{facts.source.newline(start)}{indent_of(facts, statement)}{code}")
