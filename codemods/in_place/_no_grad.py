"""Repairs of writes into leaves: under `no_grad`, or into a new tensor."""

from __future__ import annotations

import ast

from autofix.codemods.in_place._broken import LEAF, diagnose
from autofix.codemods.in_place._places import NODES, places
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.model import Edit
from autofix.rewrite.names import spell


def under_no_grad(statement: ast.stmt, facts: Facts) -> list[Edit]:
    """`with torch.no_grad():` around the statement, and the writes into leaves beside it."""
    spelling = spell(facts, "torch.no_grad", statement)
    header = f"with {spelling.code}():"
    run = _run(statement, facts)
    text = facts.source.text
    first, last = facts.source.span(run[0])[0], facts.source.span(run[-1])[1]
    line_start = _line_start(text, first)
    indent = text[line_start:first]
    newline = facts.source.newline(first)
    if indent.strip():
        return [*spelling.edits, _own_block(run, header, facts)]
    if _shares_line(text, last) or any(_long_string(s) for s in run):
        raise DeclinedError("the lines cannot be indented without changing them")
    deeper = "\t" if "\t" in indent else "    "
    edits = [Edit(line_start, line_start, f"{indent}{header}{newline}")]
    at = line_start
    while at < last:
        if text[at : at + 1] not in "\r\n":
            edits.append(Edit(at, at, deeper))
        end = text.find("\n", at)
        at = end + 1 if end >= 0 else last
    # what stands above and what is put in front of the first line are one insertion
    merged = Edit(line_start, line_start, f"{indent}{header}{newline}{deeper}")
    return [*spelling.edits, merged, *edits[2:]]


def _own_block(run: list[ast.stmt], header: str, facts: Facts) -> Edit:
    """`for p in params: p -= ...` on one line."""
    text, start = facts.source.text, facts.source.span(run[0])[0]
    parent = facts.index.parents.get(run[0])
    body = getattr(parent, "body", [])
    end = facts.source.span(run[-1])[1]
    if body != run or not isinstance(parent, ast.stmt) or _shares_line(text, end):
        raise DeclinedError("the statement shares its line with others")
    line_start = _line_start(text, facts.source.span(parent)[0])
    outer = text[line_start : facts.source.span(parent)[0]]
    if outer.strip():
        raise DeclinedError("the statement shares its line with others")
    colon = text.rindex(":", 0, start) + 1
    newline = facts.source.newline(start)
    return Edit(colon, start, f"{newline}{outer}    {header}{newline}{outer}        ")


def _run(statement: ast.stmt, facts: Facts) -> list[ast.stmt]:
    """The statements around this one that write leaves, or clear gradients between such."""
    block = facts.index.block_of(statement)
    at = block.index(statement)
    low, high = at, at
    for i in range(at - 1, -1, -1):
        if _writes_leaf(block[i], facts):
            low = i
        elif not _clears(block[i]):
            break
    for i in range(at + 1, len(block)):
        if _writes_leaf(block[i], facts):
            high = i
        elif not _clears(block[i]):
            break
    return list(block[low : high + 1])


def _writes_leaf(statement: ast.stmt, facts: Facts) -> bool:
    node = statement.value if isinstance(statement, ast.Expr) else statement
    if not isinstance(node, NODES):
        return False
    found = [diagnose(place, facts) for place in places(node, facts)]
    return any(one is not None and one.kind == LEAF for one in found)


def _clears(statement: ast.stmt) -> bool:
    """`w.grad.zero_()`, `w.grad = None`"""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Attribute(attr="grad")))):
            return True
        case ast.Assign(targets=[ast.Attribute(attr="grad")]):
            return True
    return False


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _shares_line(text: str, end: int) -> bool:
    line_end = min((i for i in (text.find("\n", end), text.find("\r", end)) if i >= 0), default=-1)
    rest = text[end : line_end if line_end >= 0 else len(text)].strip()
    return bool(rest) and not rest.startswith("#")


def _long_string(statement: ast.stmt) -> bool:
    return any(
        isinstance(n, (ast.Constant, ast.JoinedStr)) and n.lineno != n.end_lineno
        for n in ast.walk(statement)
        if isinstance(n, ast.JoinedStr) or isinstance(getattr(n, "value", None), str)
    )
