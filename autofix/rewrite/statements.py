"""Edits on whole statements."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


def remove_statement(facts: Facts, node: ast.AST) -> Edit | None:
    """The edit that removes the statement around `node`: with its line if it has that to itself,
    as `pass` if the block would be empty without it."""
    statement = facts.index.statement_of(node)
    if statement is None:
        return None
    start, end = facts.source.span(statement)
    text = facts.source.text
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = end
    while line_end < len(text) and text[line_end] not in "\r\n":
        line_end += 1
    alone = not text[line_start:start].strip() and not text[end:line_end].strip()
    if not alone or _only_one(facts, statement):
        return Edit(start, end, "pass")
    newline = 2 if text[line_end : line_end + 2] == "\r\n" else 1
    return Edit(line_start, min(line_end + newline, len(text)), "")


def _only_one(facts: Facts, statement: ast.stmt) -> bool:
    parent = facts.index.parents.get(statement)
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(parent, block, None)
        if isinstance(statements, list) and statement in statements:
            return len(statements) == 1
    return False
