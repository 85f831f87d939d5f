"""Where a loop reads the tensor that it rewrites."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.in_place._row_body import Nest, Store, indices
from autofix.codemods.in_place._row_header import parts_of
from autofix.codemods.in_place._row_operations import COUNTED, METADATA


def mentions(node: ast.AST, code: str) -> bool:
    return any(_same(n, code) for n in ast.walk(node))


def _same(node: ast.AST, code: str) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and ast.dump(node) == code


def outside_reads(nest: Nest, store: Store) -> Iterator[ast.expr]:
    """Places in the loop that read the tensor other than by a row number."""
    code = store.base.code
    rows = isinstance(nest.loop, ast.For) and parts_of(nest.loop.iter) is not None
    allowed = set(ast.walk(nest.loop.iter)) if rows else set()  # type: ignore[union-attr]
    for node in ast.walk(nest.loop):
        if isinstance(node, ast.Subscript) and indices(node, store.base):
            inner: ast.expr = node
            while isinstance(inner, ast.Subscript):
                allowed.add(inner.value)
                inner = inner.value
        elif isinstance(node, ast.Attribute) and node.attr in METADATA:
            allowed.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in COUNTED:
            allowed.update(node.args)
    for node in ast.walk(nest.loop):
        if isinstance(node, ast.expr) and _same(node, code) and node not in allowed:
            yield node
