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


def _code_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if issubclass(kind, (ast.Constant, ast.Import, ast.ImportFrom, ast.MatchSingleton)):
        return ()
    return tuple(name for name in kind._fields if name not in _NO_CODE)


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


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
            found += [item for item in value if item is not None and item.__class__ is not str]
        elif value is not None and value.__class__ is not str:
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """The node and all below it."""
    found = [node]
    for inner in found:  # grows while it is read
        found += children(inner)
    return found


def statements(tree: ast.Module) -> list[ast.stmt]:
    """Every statement of a module, without looking into expressions."""
    found: list[ast.stmt] = list(tree.body)
    for node in found:  # grows while it is read
        for block in ("body", "orelse", "finalbody"):
            found += getattr(node, block, ())
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            found += part.body
    return found
