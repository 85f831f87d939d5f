"""Reads that only look at a tensor: they ask what it is, or report its numbers."""

from __future__ import annotations

import ast

from autofix.flow.index import Index, last_name
from autofix.flow.walk import walk

ASKED = frozenset(
    {"grad", "shape", "size", "device", "dtype", "dim", "ndim", "numel", "requires_grad", "item"}
    | {"tolist"}
)
_REPORTING = frozenset({"float", "print", "len", "info", "debug", "warning", "format"})


def attribute_of(read: ast.expr, index: Index) -> str | None:
    """`shape` of `read.shape`"""
    parent = index.parents.get(read)
    return parent.attr if isinstance(parent, ast.Attribute) else None


def is_looked_at(read: ast.expr, index: Index) -> bool:
    return attribute_of(read, index) in ASKED or _is_reported(read, index)


def _is_reported(read: ast.expr, index: Index) -> bool:
    """`w.exp().item()`, `print([x.mean() for x in w])`, `f"{1 - w}"`: what is made of it is read as
    a number."""
    node: ast.AST = read
    while True:
        parent = index.parents.get(node)
        match parent:
            case ast.Attribute(attr="item" | "tolist") | ast.FormattedValue():
                return True
            case ast.Attribute(attr="detach"):
                return not _is_written(parent, index)
            case ast.Attribute():
                call = index.parents.get(parent)
                called = isinstance(call, ast.Call) and call.func is parent
                node = call if called and call is not None else parent
            case ast.Call(func=func, args=args) if node in args:
                if last_name(func) in _REPORTING:
                    return True
                node = parent
            case ast.comprehension(iter=many) if many is node:
                node = index.parents[parent]
                if _elements_are_looked_at(node, parent, index):
                    return True
            case ast.BinOp() | ast.UnaryOp() | ast.ListComp() | ast.GeneratorExp():
                node = parent
            case _:
                return False


def _is_written(attribute: ast.AST, index: Index) -> bool:
    """`w.detach().clamp_(0)`, `w.detach()[0] = 1`, `w.detach().data -= ...`: it is its memory."""
    node: ast.AST | None = attribute
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if name == "clone":
            return False
        if name.endswith("_") or isinstance(getattr(node, "ctx", None), ast.Store):
            return True
        node = index.parents.get(node)
    return isinstance(node, ast.AugAssign)


def _elements_are_looked_at(made: ast.AST, loop: ast.comprehension, index: Index) -> bool:
    """`[w.detach().clone() for w in net.gates]`"""
    if not isinstance(loop.target, ast.Name) or not isinstance(
        made, (ast.ListComp, ast.GeneratorExp)
    ):
        return False
    loads = [n for n in walk(made.elt) if isinstance(n, ast.Name) and n.id == loop.target.id]
    return bool(loads) and all(is_looked_at(load, index) for load in loads)
