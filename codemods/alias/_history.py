"""A tensor is put into a list in each turn of a loop that goes on writing it in place."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk

_WRITES = frozenset({"add_", "sub_", "mul_", "div_", "copy_", "clamp_", "addcmul_", "lerp_"})


def written_in_turns(
    facts: Facts, call: ast.Call, listed: ast.Name, kept: ast.expr
) -> ast.stmt | ast.expr | None:
    """Where the loop around writes what is appended; None if that is nothing or another tensor."""
    name = _whole(kept)
    loop = next(iter(facts.index.loops_around(call)), None)
    if name is None or loop is None:
        return None
    nodes = (n for n in walk(loop) if isinstance(n, (ast.AugAssign, ast.Call)))
    write = next((n for n in nodes if _writes(n, name.id)), None)
    if write is None or loop not in facts.index.loops_around(write)[:1]:
        return None
    value = facts.value(name)
    if not value.is_tensor or value.leaf or value.parameter:
        return None
    if _bound_in(facts, loop, name) or _bound_in(facts, loop, listed):
        return None
    return write if _read_outside(facts, loop, listed) else None


def _whole(node: ast.expr) -> ast.Name | None:
    """`x`, `x[:]`, `x.detach()`, `x.data`."""
    match node:
        case ast.Name():
            return node
        case ast.Subscript(value=ast.Name() as inner, slice=ast.Slice(None, None, None)):
            return inner
        case ast.Attribute(attr="data", value=ast.Name() as inner):
            return inner
        case ast.Call(func=ast.Attribute(attr="detach", value=ast.Name() as inner), args=[]):
            return inner
    return None


def _writes(node: ast.AugAssign | ast.Call, name: str) -> bool:
    match node:
        case ast.AugAssign(target=ast.Name(id=other)):
            return other == name
        case ast.Call(func=ast.Attribute(attr=method, value=ast.Name(id=other))):
            return other == name and method in _WRITES
    return False


def _bound_in(facts: Facts, loop: ast.AST, name: ast.Name) -> bool:
    """Does a turn give the name another object? (`+=` on a tensor does not.)"""
    return any(
        (
            loop in facts.index.ancestors(store)
            and not isinstance(facts.index.statement_of(store), ast.AugAssign)
        )
        or facts.index.statement_of(store) is loop
        for store in uses_in(facts).names.stores(name)
    )


def _read_outside(facts: Facts, loop: ast.AST, listed: ast.Name) -> bool:
    scope = facts.index.function_of(listed) or facts.tree
    return any(
        isinstance(n, ast.Name)
        and n.id == listed.id
        and isinstance(n.ctx, ast.Load)
        and loop not in facts.index.ancestors(n)
        for n in walk(scope)
    )
