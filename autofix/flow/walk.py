"""Walking an `ast` tree, without looking at what holds no code."""

from __future__ import annotations

import ast

_NO_CODE = frozenset(
    {
        "ctx",
        "op",
        "ops",
        "id",
        "attr",
        "arg",
        "name",
        "asname",
        "module",
        "level",
        "names",
        "kind",
        "conversion",
        "is_async",
        "simple",
        "type_comment",
        "type_ignores",
        "tag",
        "rest",
        "kwd_attrs",
    }
)


_LEAVES = frozenset({ast.Name, ast.Constant, ast.Import, ast.ImportFrom, ast.Pass})
"""The most frequent kinds of nodes that have none below."""


def _code_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if issubclass(kind, (ast.Constant, ast.Import, ast.ImportFrom, ast.MatchSingleton)):
        return ()
    return tuple(name for name in kind._fields if name not in _NO_CODE)


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_WITH_GAPS = frozenset({ast.Dict, ast.arguments})
"""Kinds of nodes with lists in which None stands for what is left out."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below, in source order (nearly: fields in their declared order)."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = _code_fields(kind)
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += value
        elif value is not None:
            found.append(value)
    return [each for each in found if each is not None] if kind in _WITH_GAPS else found


def walk(node: ast.AST) -> list[ast.AST]:
    """The node and all below it."""
    found = [node]
    for inner in found:  # grows while it is read
        if inner.__class__ not in _LEAVES:
            found += children(inner)
    return found


def in_order(tree: ast.Module) -> tuple[list[ast.AST], dict[ast.AST, ast.AST]]:
    """All nodes of a module, each before what is below it and that in source order; and the parent
    of each."""
    found: list[ast.AST] = []
    parents: dict[ast.AST, ast.AST] = {}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if node.__class__ not in _LEAVES:
            below = children(node)
            for child in below:
                parents[child] = node
            below.reverse()
            waiting += below
    return found, parents


def statements(tree: ast.Module) -> list[ast.stmt]:
    """Every statement of a module, without looking into expressions."""
    found: list[ast.stmt] = list(tree.body)
    for node in found:  # grows while it is read
        for block in ("body", "orelse", "finalbody"):
            found += getattr(node, block, ())
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            found += part.body
    return found
