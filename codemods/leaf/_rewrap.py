"""Move `nn.Parameter(...)` from around its data to around the result of what follows."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.model import Edit
from autofix.rewrite.names import spell

_COMMENT = re.compile(r"#[^\n]*")
_SPACE = re.compile(r"(?:\s|\\\n|#[^\n]*)*")
_TIGHT = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.ListComp, ast.Constant)


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The text of `nn.Parameter(data, ...)` before and after its data."""

    call: ast.Call
    start: int
    data_start: int
    data_end: int
    end: int
    parenthesized: bool


def wrapper(facts: Facts, call: ast.Call, data: ast.expr) -> Wrapper:
    text = facts.source.text
    start, end = facts.source.span(call)
    data_start, data_end = facts.source.span(data)
    opening = facts.source.span(call.func)[1]
    head = _COMMENT.sub(lambda m: " " * len(m.group()), text[opening:data_start])
    at = head.index("(") + 1
    at = head.index("=", at) + 1 if "=" in head else at
    extra = head.count("(", at)
    if extra:
        data_start = opening + head.index("(", at)
        for _ in range(extra):
            space = _SPACE.match(text, data_end)
            data_end = (space.end() if space else data_end) + 1
    return Wrapper(call, start, data_start, data_end, end, extra > 0)


def moved(facts: Facts, found: Wrapper, data: ast.expr, around: ast.expr) -> tuple[Edit, ...]:
    """`nn.Parameter(data).op()` becomes `nn.Parameter(data.op())`; `around` is the whole."""
    text = facts.source.text
    start, end = facts.source.span(around)
    before, after = text[found.start : found.data_start], text[found.data_end : found.end]
    opened, closed = ("(", ")") if _binds_looser(facts, found, data) else ("", "")
    if start == found.start:
        edits = [Edit(found.data_start, found.data_start, opened)]
    else:
        edits = [Edit(start, start, before), Edit(found.start, found.data_start, opened)]
    if end == found.end:
        edits.append(Edit(found.data_end, found.data_end, closed))
    else:
        edits += [Edit(found.data_end, found.end, closed), Edit(end, end, after)]
    return tuple(e for e in edits if e.text or e.start != e.end)


def _binds_looser(facts: Facts, found: Wrapper, data: ast.expr) -> bool:
    """Would the operation take only a part of the data without parentheses?"""
    if found.parenthesized or isinstance(data, _TIGHT):
        return False
    parent = facts.index.parents.get(found.call)
    if isinstance(parent, (ast.Call, ast.keyword)):
        return False
    text = facts.source.text
    left = text[: found.start].rstrip()
    space = _SPACE.match(text, found.end)
    return not (left.endswith("(") and space is not None and text[space.end() :][:1] == ")")


def unwrapped(found: Wrapper) -> tuple[Edit, ...]:
    """`nn.Parameter(data)` becomes `data`."""
    return (Edit(found.start, found.data_start, ""), Edit(found.data_end, found.end, ""))


def wrapped_like(facts: Facts, found: Wrapper, node: ast.expr) -> tuple[Edit, ...]:
    """`node` in the same call, with the same other arguments, as the data of `found`."""
    text = facts.source.text
    start, end = facts.source.span(node)
    return (
        Edit(start, start, text[found.start : found.data_start]),
        Edit(end, end, text[found.data_end : found.end]),
    )


def wrapped(facts: Facts, node: ast.expr) -> tuple[Edit, ...]:
    """`nn.Parameter(node)`, however this file spells that."""
    start, end = facts.source.span(node)
    spelling = spell(facts, "torch.nn.Parameter", node)
    return (Edit(start, start, f"{spelling.code}("), Edit(end, end, ")"), *spelling.edits)
