"""Cuts between tensors: `x.detach()`, `x.data`, `Variable(x)`."""

from __future__ import annotations

import ast
import re

from autofix.codemods.graph._landing import VARIABLE
from autofix.codemods.graph._unwrapping import appended, constant_for, unwrapped
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.edits import apply_edits
from autofix.rewrite.statements import remove_statement

IN_SETUP = re.compile(r"_*(init|reset)")
"""The names of functions that give weights their first values."""
_TURNED = frozenset({"t", "T", "mT", "transpose", "view", "reshape", "permute", "unsqueeze"})
_PRODUCTS = frozenset(
    {"linear", "bilinear", "matmul", "mm", "bmm", "embedding"}
    | {f"conv{turned}{n}d" for turned in ("", "_transpose") for n in (1, 2, 3)}
)


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


def is_layers_weight(node: ast.expr, source: ast.expr, facts: Facts) -> bool:
    """`F.linear(h, emb.weight.data)`, `h @ self.out.data.t()`: the weight of a layer, of which
    the layer does nothing but multiply with it."""
    value = facts.value(source)
    if not (isinstance(source, ast.Attribute) and value.leaf) or value.computed:
        return False
    if any(_is_averaged(read, facts) for read in _same(source, facts)):
        return False
    uses = uses_in(facts).follow(node)
    return any(_multiplies(u.node, facts) for u in uses if not (u.contained or u.stored))


def _same(source: ast.Attribute, facts: Facts) -> list[ast.Attribute]:
    """The reads of an attribute in its class, or in the file."""
    text, owner = ast.unparse(source), facts.index.class_of(source)
    reads = uses_in(facts).names.attributes.get(source.attr, ())
    return [r for r in reads if facts.index.class_of(r) is owner and ast.unparse(r) == text]


def _is_averaged(read: ast.Attribute, facts: Facts) -> bool:
    """Is it written in place where it is used? Such a weight learns in a way of its own."""
    function = facts.index.function_of(read)
    if function is not None and IN_SETUP.match(function.name):
        return False
    parent = facts.index.parents.get(read)
    if isinstance(parent, ast.Attribute) and parent.attr == "data":
        if isinstance(parent.ctx, ast.Store):
            return True
        read = parent
    return is_written(read, facts)


def _multiplies(node: ast.expr, facts: Facts) -> bool:
    """Is it the second factor of a matrix product, as it is or turned?"""
    parent = facts.index.parents.get(node)
    match parent:
        case ast.Attribute(attr=attr) if attr in _TURNED:
            call = facts.index.parents.get(parent)
            turned = call if isinstance(call, ast.Call) and call.func is parent else parent
            return _multiplies(turned, facts)
        case ast.BinOp(op=ast.MatMult()):
            return True
        case ast.Call(func=ast.Attribute(attr="matmul" | "mm" | "bmm"), args=[first]):
            return first is node
        case ast.Call(func=func, args=[_, second, *_]) if second is node:
            name = facts.library_name(func) or ""
            return name.startswith("torch.") and last_name(func) in _PRODUCTS
        case ast.keyword(arg="weight"):
            call = facts.index.parents.get(parent)
            return isinstance(call, ast.Call) and last_name(call.func) in _PRODUCTS
    return False


def freed(node: ast.expr, inner: ast.expr, facts: Facts) -> list[Edit]:
    """Edits that take the cut away, and what raises once there is a graph."""
    edits = unwrapped(facts, node, inner)
    for read in facts.arrays(node):
        edits += constant_for(facts, read)
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
