"""Weights that are divided by their own norm, of which the graph is cut."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._kept import without_gradient
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph

_NORMS = frozenset({"norm", "vector_norm", "matrix_norm"})
_BOUNDS = frozenset({"clamp", "clamp_min", "clip", "view", "unsqueeze", "reshape", "expand_as"})


def divided_by(facts: Facts, cut: ast.Attribute) -> ast.BinOp | None:
    """`g * v / v.data.norm()` of `v.data`, where `v` is trained and has its graph above."""
    weight, norm = cut.value, _norm_of(facts, cut)
    if norm is None or not isinstance(weight, (ast.Name, ast.Attribute)):
        return None
    value = facts.value(weight)
    if not (value.is_tensor and value.leaf and value.graph == Graph.YES) or value.computed:
        return None
    for use in uses_in(facts).follow(norm):
        if use.contained or use.stored:
            continue
        found = _division(facts, use.node)
        if found is None or facts.index.function_of(found) is not facts.index.function_of(cut):
            continue
        if _is_factor(found.left, ast.unparse(weight)) and not without_gradient(facts, cut):
            trained = facts.value(found).graph == Graph.YES and not _is_put_back(facts, found)
            return found if trained else None
    return None


def _norm_of(facts: Facts, cut: ast.Attribute) -> ast.Call | None:
    """`cut.norm(...)`, `torch.norm(cut, ...)`"""
    parent = facts.index.parents.get(cut)
    match parent:
        case ast.Attribute(attr=name) if name in _NORMS:
            call = facts.index.parents.get(parent)
            return call if isinstance(call, ast.Call) and call.func is parent else None
        case ast.Call(func=func, args=[first, *_]) if first is cut and last_name(func) in _NORMS:
            return parent if (facts.library_name(func) or "").startswith("torch.") else None
    return None


def _division(facts: Facts, node: ast.expr) -> ast.BinOp | None:
    """`x / node`, also `x / (node + eps)` and `x / node.clamp(min=eps)`."""
    while True:
        parent = facts.index.parents.get(node)
        match parent:
            case ast.BinOp(op=ast.Div(), right=right) if right is node:
                return parent
            case ast.BinOp(op=ast.Add()):
                node = parent
            case ast.Attribute(attr=name) if name in _BOUNDS:
                call = facts.index.parents.get(parent)
                if not isinstance(call, ast.Call) or call.func is not parent:
                    return None
                node = call
            case _:
                return None


def _is_put_back(facts: Facts, node: ast.expr) -> bool:
    """`v.data = v / v.data.norm()`, `v.data.copy_(...)`: the weight is brought to another size."""
    statement = facts.index.statement_of(node)
    return statement is not None and any(
        isinstance(n, ast.Attribute)
        and (n.attr == "copy_" or (n.attr == "data" and isinstance(n.ctx, ast.Store)))
        for n in ast.walk(statement)
    )


def _is_factor(node: ast.expr, text: str) -> bool:
    """Is the weight a factor of the expression?"""
    match node:
        case ast.BinOp(op=ast.Mult() | ast.Div(), left=left, right=right):
            return _is_factor(left, text) or _is_factor(right, text)
    return ast.unparse(node) == text
