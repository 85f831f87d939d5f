"""Edits on the arguments of a call."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

_SPACE = re.compile(r"(?:\s|\\\n|#[^\n]*)*")
_CLOSED = re.compile(r"(?:\s|\\\n|#[^\n]*|\))*")


def remove_keyword(facts: Facts, call: ast.Call, keyword: ast.keyword) -> Edit:
    """The edit that takes `name=value` out of a call, with the comma that goes with it."""
    text = facts.source.text
    start = facts.source.offset(keyword.lineno, keyword.col_offset)
    end = facts.source.span(keyword.value)[1]
    before = [
        facts.source.span(other)[1]
        for other in (*call.args, *(k.value for k in call.keywords if k is not keyword))
        if facts.source.span(other)[1] <= start
    ]
    if before:
        closed = _CLOSED.match(text, max(before))
        comma = closed.end() if closed else max(before)
        if text[comma : comma + 1] == "," and "#" not in text[comma:start]:
            return Edit(comma, end, "")
    space = _SPACE.match(text, end)
    after = space.end() if space else end
    if text[after : after + 1] == ",":
        end = after + 1
        while text[end : end + 1] == " ":
            end += 1
    line = text.rfind("\n", 0, start) + 1
    alone = not text[line:start].strip() and text[end : end + 1] in ("\n", "\r")
    return Edit(line - 1, end, "") if alone else Edit(start, end, "")


def remove_method(facts: Facts, call: ast.Call) -> Edit:
    """The edit that makes `x` of `x.method(...)`."""
    assert isinstance(call.func, ast.Attribute)
    text = facts.source.text
    name = facts.source.span(call.func)[1] - len(call.func.attr)
    dot = text.rindex(".", 0, name)
    while dot and text[dot - 1].isspace() and "#" not in _line_before(text, dot):
        dot -= 1
    return Edit(dot, facts.source.span(call)[1], "")


def _line_before(text: str, at: int) -> str:
    """The line above the one that `at` is in, if only space comes before it there."""
    start = text.rfind("\n", 0, at) + 1
    return (
        text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : at] if not text[start:at].strip() else ""
    )


def append_method(facts: Facts, node: ast.expr, suffix: str) -> tuple[Edit, ...]:
    """The edits that make `node.suffix` of `node`, with parentheses where it needs them."""
    text = facts.source.text
    start, end = facts.source.span(node)
    atoms = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.ListComp)
    if isinstance(node, atoms):
        return (Edit(end, end, suffix),)
    parent = facts.index.parents.get(node)
    if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.Return)):
        space = _SPACE.match(text, end)
        closing = space.end() if space else end
        if text[:start].rstrip().endswith("(") and text[closing : closing + 1] == ")":
            return (Edit(closing + 1, closing + 1, suffix),)
    return (Edit(start, start, "("), Edit(end, end, ")" + suffix))
