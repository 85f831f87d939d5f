"""Edits on whole statements."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


def remove_statement(facts: Facts, node: ast.AST) -> Edit | None:
    """The edit that removes the statement around `node`: with its line if it has that to itself,
    as `pass` if the block would be empty without it. A comment behind it stays."""
    statement = facts.index.statement_of(node)
    if statement is None:
        return None
    start, end = facts.source.span(statement)
    text = facts.source.text
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = end
    while line_end < len(text) and text[line_end] not in "\r\n":
        line_end += 1
    after = text[end:line_end].lstrip()
    if after.startswith("#") and not _only_one(facts, statement):
        return Edit(start, line_end - len(after), "")  # what is said beside it stays
    alone = not text[line_start:start].strip() and not after
    if not alone or _only_one(facts, statement):
        return Edit(start, end, "pass")
    if line_end in facts.source.seams:  # the last line of a cell
        first = line_start in facts.source.seams or line_start - 1 in facts.source.seams
        return Edit(line_start - (not first), line_end, "")
    newline = 2 if text[line_end : line_end + 2] == "\r\n" else 1
    return Edit(line_start, min(line_end + newline, len(text)), "")


def insert_before(facts: Facts, statement: ast.stmt, code: str) -> Edit:
    """The edit that puts one simple statement before another, on a line of its own if that has
    one."""
    start = facts.source.span(statement)[0]
    first, _ = _line_around(facts, statement)
    indent = facts.source.text[first:start]
    if indent.strip():  # `a; statement`, `if a: statement`
        return Edit(start, start, f"{code}; ")
    return Edit(first, first, f"{indent}{code}\n")


def insert_after(facts: Facts, statement: ast.stmt, code: str) -> Edit:
    """The edit that puts one simple statement behind another."""
    start, end = facts.source.span(statement)
    first, last = _line_around(facts, statement)
    indent, rest = facts.source.text[first:start], facts.source.text[end:last].strip()
    if indent.strip() or (rest and not rest.startswith("#")):
        return Edit(end, end, f"; {code}")
    return Edit(last, last, f"\n{indent}{code}")


def lines_of(
    facts: Facts, statements: Sequence[ast.stmt], above: bool = True
) -> tuple[int, int] | None:
    """The span of the whole lines that neighbouring statements stand on, with the comments right
    `above` them; None if anything else stands there."""
    text = facts.source.text
    first, _ = _line_around(facts, statements[0])
    _, last = _line_around(facts, statements[-1])
    start, end = facts.source.span(statements[0])[0], facts.source.span(statements[-1])[1]
    rest = text[end:last].strip()
    if text[first:start].strip() or (rest and not rest.startswith("#")):
        return None
    indent = text[first:start]
    while above and first:
        before = facts.source.line_starts[facts.source.line_of(first) - 2]
        if not text.startswith(f"{indent}#", before):
            break
        first = before
    newline = 2 if text[last : last + 2] == "\r\n" else 1
    if last in facts.source.seams and first and first - 1 not in facts.source.seams:
        newline = 0  # the last line of a cell: the line break before it goes
        first -= 2 if text[first - 2 : first] == "\r\n" else 1
    return first, min(last + newline, len(text))


def moved_behind(
    facts: Facts, statements: Sequence[ast.stmt], behind: ast.stmt
) -> tuple[Edit, ...] | None:
    """The edits that put neighbouring statements, with their comments, behind a later one, of the
    same block or deeper in it; None if other statements stand on their lines."""
    lines, place = lines_of(facts, statements), lines_of(facts, [behind], above=False)
    if lines is None or place is None:
        return None
    text = facts.source.text[lines[0] : lines[1]].strip("\r\n")
    deeper = behind.col_offset - statements[0].col_offset
    text = textwrap.indent(text, facts.source.text[place[0] :][:deeper]) if deeper else text
    end = _line_around(facts, behind)[1]
    return (Edit(lines[0], lines[1], ""), Edit(end, end, f"\n{text}"))


def _line_around(facts: Facts, statement: ast.stmt) -> tuple[int, int]:
    """Where the first line of a statement starts, and where its last line ends."""
    start, end = facts.source.span(statement)
    first = facts.source.line_starts[facts.source.line_of(start) - 1]
    last = end
    while last < len(facts.source.text) and facts.source.text[last] not in "\r\n":
        last += 1
    return first, last


def _only_one(facts: Facts, statement: ast.stmt) -> bool:
    return len(facts.index.block_of(statement)) == 1


def insert_above(facts: Facts, statement: ast.stmt, line: str) -> Edit:
    """A new statement before `statement`: on a line of its own unless that shares its line."""
    start = facts.source.span(statement)[0]
    text = facts.source.text
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    indent = text[line_start:start]
    if indent.strip():
        return Edit(start, start, f"{line}; ")
    return Edit(line_start, line_start, f"{indent}{line}{facts.source.newline(start)}")
