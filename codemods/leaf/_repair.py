"""The edits that make a Parameter of what a program keeps."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._kept import transparent
from autofix.codemods.leaf._lost import Lost
from autofix.codemods.leaf._rewrap import moved, unwrapped, wrapped, wrapped_like, wrapper
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.model import Edit


def repaired(facts: Facts, lost: Lost) -> tuple[Edit, ...] | str:
    """The edits that make the Parameter of the result, or why there are none."""
    text = wrapper(facts, lost.call, lost.data)
    first, last = lost.keep.path[0], lost.keep.path[-1]
    if _direct(facts, lost.call, first.inner):
        if first is last:
            return moved(facts, text, lost.data, first.node)
        return (*_stripped(facts, lost), *wrapped_like(facts, text, last.node))
    if facts.index.loops_around(last.node)[:1] != facts.index.loops_around(lost.call)[:1]:
        return "it is bound again in a loop"
    if facts.index.function_of(last.node) is facts.index.function_of(lost.call):
        if _bound_plainly(facts, lost):
            return (*unwrapped(text), *wrapped_like(facts, text, last.node))
        if "\n" not in facts.source.segment(lost.call):
            return wrapped_like(facts, text, last.node)
    if lost.trains is None or lost.subclass:
        return "the Parameter is made elsewhere, with arguments of its own"
    return wrapped(facts, last.node)


def _direct(facts: Facts, call: ast.Call, inner: ast.expr) -> bool:
    """Is there nothing but calls that return it between the constructor and the operation?"""
    node: ast.AST = call
    while node is not inner:
        parent = facts.index.parents.get(node)
        if not isinstance(parent, (ast.Call, ast.Attribute)):
            return False
        node = parent
    return True


def _stripped(facts: Facts, lost: Lost) -> tuple[Edit, ...]:
    """`nn.Parameter(data)` in front of an operation becomes `data`, in parentheses if need be."""
    found = wrapper(facts, lost.call, lost.data)
    removed = unwrapped(found)
    opened = moved(facts, found, lost.data, lost.call)
    if not opened:
        return removed
    return (
        Edit(removed[0].start, removed[0].end, "("),
        Edit(removed[1].start, removed[1].end, ")"),
    )


def _bound_plainly(facts: Facts, lost: Lost) -> bool:
    """`w = nn.Parameter(data)` on one line, then `w = w.view(...)` in the same block, and nothing
    that needs the Parameter in between."""
    statement = facts.index.statement_of(lost.call)
    after = facts.index.statement_of(lost.keep.path[-1].node)
    if not isinstance(statement, ast.Assign) or after is None or len(statement.targets) != 1:
        return False
    if isinstance(lost.data, ast.Name) and lost.data.id == last_name(statement.targets[0]):
        return False  # `w = w` would be left
    same_block = facts.index.parents.get(statement) is facts.index.parents.get(after)
    simple = _direct(facts, lost.call, statement.value) and isinstance(
        statement.targets[0], ast.Name
    )
    one_line = lost.call.lineno == lost.call.end_lineno
    return same_block and simple and one_line and all(transparent(facts, u) for u in lost.others)
