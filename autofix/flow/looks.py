"""Reads that only look at a tensor: they ask what it is, or report its numbers."""

from __future__ import annotations

import ast

from autofix.flow.index import Index, last_name

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
            case ast.BinOp() | ast.UnaryOp() | ast.ListComp() | ast.GeneratorExp():
                node = parent
            case _:
                return False
