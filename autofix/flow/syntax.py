"""Questions that a piece of syntax answers by itself, whatever the program around it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from autofix.flow.index import last_name
from autofix.flow.walk import walk


def is_true(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def is_false(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """What is given by a name."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What is given at a position or else by a name."""
    return call.args[position] if position < len(call.args) else keyword(call, name)


def all_arguments(call: ast.Call) -> list[ast.expr]:
    """All that is given, by position and by name."""
    return [*call.args, *(k.value for k in call.keywords)]


def unsubscripted(node: ast.expr) -> ast.expr:
    """`x` of `x`, `x[i]` and `x[i][:, j]`."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def plain_name(node: ast.expr) -> str | None:
    """`opt` of `opt`, `self.opt`, `opts[0]` is `opts`."""
    return last_name(unsubscripted(node))


def key_name(node: ast.expr) -> str | None:
    """`sched` of `states[0]["sched"]`"""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript(value=inner):
            return key_name(inner)
    return None


def is_named(node: ast.AST, text: str) -> bool:
    """Is it a name, or an attribute, that is written like this?"""
    return isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node) == text


def mentions(node: ast.AST, text: str) -> list[ast.Name | ast.Attribute]:
    """The names, or attributes, in a node that are written like this."""
    return [n for n in walk(node) if isinstance(n, (ast.Name, ast.Attribute)) and is_named(n, text)]


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """The calls in a node, itself among them."""
    return (n for n in walk(node) if isinstance(n, ast.Call))


def calls_any(node: ast.AST, names: Collection[str]) -> bool:
    """Is something called in a node whose last name is one of these?"""
    return any(last_name(call.func) in names for call in calls_in(node))


def taken_from(target: ast.expr, source: ast.expr) -> list[tuple[ast.Name, ast.expr]]:
    """Which name of the target of a loop takes the elements of what."""
    parts = target.elts if isinstance(target, ast.Tuple) else []
    match source:
        case ast.Call(func=ast.Name(id="zip"), args=sources) if len(parts) == len(sources):
            pairs = zip(parts, sources, strict=True)
            return [found for part, one in pairs for found in taken_from(part, one)]
        case ast.Call(func=ast.Name(id="enumerate"), args=[counted, *_]) if len(parts) == 2:
            return taken_from(parts[1], counted)
        case ast.Call(func=ast.Attribute(attr="named_parameters" | "items")) if len(parts) == 2:
            return taken_from(parts[1], source)
    return [(target, source)] if isinstance(target, ast.Name) else []


def loads_in(scope: ast.AST, names: Collection[str]) -> Iterator[ast.Name]:
    for node in walk(scope):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            yield node
