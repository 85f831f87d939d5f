"""Cuts between tensors: `x.detach()`, `x.data`, `Variable(x)`."""

from __future__ import annotations

import ast

from autofix.codemods.graph._landing import VARIABLE
from autofix.codemods.graph._unwrapping import appended, unwrapped
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.edits import apply_edits
from autofix.rewrite.statements import remove_statement


def stopped(node: ast.expr, facts: Facts) -> ast.expr | None:
    """The tensor of which `node` is a constant copy; None if `node` is no such thing."""
    match node:
        case ast.Attribute(value=inner, attr="data", ctx=ast.Load()):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr="detach"), args=[], keywords=[]):
            return inner
        case ast.Call(args=[inner, *_]) if last_name(node.func) == "Variable":
            return inner if facts.library_name(node.func) in VARIABLE else None
        case ast.Call(args=[inner], keywords=[]) if last_name(node.func) == "detach":
            return inner if facts.library_name(node.func) == "torch.detach" else None
    return None


def is_written(node: ast.expr, facts: Facts) -> bool:
    """`x.data.clamp_(0, 1)`: the memory is written through the cut."""
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Store) or is_written(parent, facts)
    if isinstance(parent, ast.Attribute):
        return parent.attr.endswith("_") and not parent.attr.startswith("_")
    return isinstance(parent, ast.AugAssign) and parent.target is node


def freed(node: ast.expr, inner: ast.expr, facts: Facts) -> list[Edit]:
    """Edits that take the cut away, and what raises once there is a graph."""
    edits = unwrapped(facts, node, inner)
    for read in facts.arrays(node):
        if isinstance(read.func, ast.Attribute):
            at = facts.source.span(read.func.value)[1]
            edits.append(Edit(at, at, ".detach()"))
    if facts.value(inner).parameter:  # it takes no format of a number
        for use in uses_in(facts).follow(node):
            if isinstance(use.user, ast.FormattedValue):
                edits += appended(facts, use.node, ".detach()")
    return edits


def tidied(edits: list[Edit], facts: Facts) -> list[Edit]:
    """Without statements that the edits make into `x = x`."""
    kept = list(dict.fromkeys(edits))
    for edit in list(kept):
        statement = _assignment_at(edit, facts)
        if statement is None:
            continue
        start, end = facts.source.span(statement)
        inside = [e for e in kept if start <= e.start and e.end <= end]
        moved = [Edit(e.start - start, e.end - start, e.text) for e in inside]
        if _assigns_itself(apply_edits(facts.source.text[start:end], moved)):
            removal = remove_statement(facts, statement)
            if removal is not None:
                kept = [e for e in kept if e not in inside and e != removal]
                kept.append(removal)
    return kept


def _assignment_at(edit: Edit, facts: Facts) -> ast.Assign | None:
    line = facts.source.line_of(edit.start)
    for node in ast.walk(facts.tree):
        if isinstance(node, ast.Assign) and node.lineno <= line <= (node.end_lineno or 0):
            start, end = facts.source.span(node)
            if start <= edit.start and edit.end <= end:
                return node
    return None


def _assigns_itself(text: str) -> bool:
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    match body:
        case [ast.Assign(targets=[target], value=value)]:
            return ast.unparse(target) == ast.unparse(value)
    return False
