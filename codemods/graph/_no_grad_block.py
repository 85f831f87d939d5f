"""Statements taken out of a `with` block, in their order and with their comments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.syntax import calls_in
from autofix.model import Edit

_FROZEN = re.compile(
    r"(?i)#.*(?:\bfrozen|\bfreez|\bpre-?trained|\b(?:not|never|n't)\b.{0,12}\b(?:tuned?|trained?|updated?)\b)"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A `with` statement, and the item of it that switches gradients off."""

    node: ast.With
    item: ast.expr


def freed(block: Block, chosen: list[ast.stmt], facts: Facts) -> tuple[Edit, ...] | str:
    """The edits that leave `chosen` outside; or why there are none. What stays keeps its order:
    a block that loses a statement from its middle becomes two."""
    node, text = block.node, facts.source.text
    whole = len(chosen) == len(node.body)
    if len(node.items) > 1:
        return _without_item(block, facts) if whole else "the block has other items: split it"
    start, header_end = facts.source.span(node)[0], facts.source.span(node.body[0])[0]
    if "\n" not in text[start:header_end]:  # `with no_grad(): x = f(y)`
        return (Edit(start, header_end, ""),) if whole else "the block is written in one line"
    if any(_has_long_string(s, facts) for s in chosen):
        return "a string over several lines would be moved"
    starts = _line_starts(node, facts)
    ends = [*starts[1:], _end_of(node, facts)]
    outer, inner = _indent(start, text), _indent(facts.source.span(node.body[0])[0], text)
    if not inner.startswith(outer) or any(text[s : s + len(inner)].strip() for s in starts):
        return "the block is indented in an unusual way"
    header = text[start : facts.source.span(block.item)[1]]
    # One edit for the start of each line: what else is edited inside of the block stays possible.
    edits: list[Edit] = []
    if node.body[0] in chosen:
        edits.append(Edit(_line(start, text), starts[0], ""))
    for index, (statement, begin, end) in enumerate(zip(node.body, starts, ends, strict=True)):
        if statement in chosen:
            edits += _dedented(text, begin, end, inner, outer)
        elif index and node.body[index - 1] in chosen:
            edits.append(Edit(begin, begin, f"{outer}{header}:\n"))
    return tuple(edits)


def _without_item(block: Block, facts: Facts) -> tuple[Edit, ...]:
    """`with no_grad(), autocast():` loses its first item."""
    items = [i.context_expr for i in block.node.items]
    at = items.index(block.item)
    spans = [facts.source.span(i) for i in items]
    if at + 1 < len(items):
        return (Edit(spans[at][0], spans[at + 1][0], ""),)
    return (Edit(_item_end(block.node.items[at - 1], facts), spans[at][1], ""),)


def _item_end(item: ast.withitem, facts: Facts) -> int:
    return facts.source.span(item.optional_vars or item.context_expr)[1]


def _line(at: int, text: str) -> int:
    return text.rfind("\n", 0, at) + 1


def _indent(at: int, text: str) -> str:
    line = text[_line(at, text) : at]
    return line[: len(line) - len(line.lstrip())]


def _line_starts(node: ast.With, facts: Facts) -> list[int]:
    """Where each statement begins, the comments above it included."""
    text = facts.source.text
    found = []
    colon = _line(facts.source.span(node.body[0])[0], text)
    below = text.find("\n", facts.source.span(node.items[-1].context_expr)[1]) + 1
    for index, statement in enumerate(node.body):
        at = _line(facts.source.span(_first(statement))[0], text)
        limit = below if index == 0 else _end_of(node.body[index - 1], facts)
        while at > limit and text[_line(at - 1, text) : at].strip()[:1] in ("", "#"):
            at = _line(at - 1, text)
        found.append(max(at, limit) if index else min(at, colon))
    return found


def _first(statement: ast.stmt) -> ast.stmt | ast.expr:
    decorators = getattr(statement, "decorator_list", None)
    return decorators[0] if decorators else statement


def _end_of(statement: ast.stmt, facts: Facts) -> int:
    """Behind the line on which a statement ends."""
    text = facts.source.text
    end = text.find("\n", facts.source.span(statement)[1])
    return len(text) if end < 0 else end + 1


def _has_long_string(statement: ast.stmt, facts: Facts) -> bool:
    return any(
        isinstance(n, (ast.Constant, ast.JoinedStr)) and n.end_lineno != n.lineno
        for n in ast.walk(statement)
        if isinstance(n, ast.JoinedStr) or isinstance(getattr(n, "value", None), str)
    )


def _dedented(text: str, begin: int, end: int, inner: str, outer: str) -> Iterator[Edit]:
    at = begin
    while at < end:
        if text.startswith(inner, at):
            yield Edit(at + len(outer), at + len(inner), "")
        following = text.find("\n", at) + 1
        at = following if following else end


def said_to_be_frozen(statement: ast.stmt, facts: Facts) -> bool:
    """Does a comment above a statement, or behind it, say that it is left out on purpose?"""
    return _FROZEN.search(facts.source.remarks(statement)) is not None


def after(node: ast.stmt, facts: Facts) -> list[ast.AST]:
    """The statements behind this one, in its block."""
    block = facts.index.block_of(node)
    return [*block[block.index(node) + 1 :]]


def is_choice(node: ast.With, facts: Facts) -> bool:
    """`if frozen: with torch.no_grad(): x = f(x)`, `else: x = f(x)`: both ways call the same. (What
    is made a leaf afterwards is no choice.)"""
    around = facts.index.parents.get(node)
    made_leaves = any(facts.silencers(s) or facts.rewraps(s) for s in node.body)
    if not isinstance(around, ast.If) or made_leaves:
        return False
    other = around.orelse if node in around.body else around.body
    if node in around.body and not other and isinstance(around.body[-1], ast.Return):
        other = [s for s in after(around, facts) if isinstance(s, ast.stmt)]
    here = {ast.dump(call) for statement in node.body for call in calls_in(statement)}
    there = {ast.dump(call) for statement in other for call in calls_in(statement)}
    return bool(here & there)
