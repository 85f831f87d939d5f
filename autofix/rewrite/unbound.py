"""Names that an edit made a file use and nothing in it binds."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator


def newly_unbound(before: ast.Module, after: ast.Module) -> frozenset[str]:
    """Names that the new code reads and nowhere binds, unless the old code did so, too."""
    return _unbound(after) - _unbound(before)


def _unbound(tree: ast.Module) -> frozenset[str]:
    read: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            read.add(node.id)
        else:
            bound.update(_bound_by(node))
    return frozenset() if "*" in bound else frozenset(read - bound - set(dir(builtins)))


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.alias(name=name, asname=asname):
            yield asname or name.partition(".")[0]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
