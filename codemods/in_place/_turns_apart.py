"""Lists of tensors that a loop writes one by one: what a turn kept is not what another writes."""

from __future__ import annotations

import ast

from autofix.codemods.in_place._places import Place
from autofix.flow.facts import Facts
from autofix.flow.syntax import keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.writes import Break


def turn_of_its_own(place: Place, facts: Facts) -> ast.For | None:
    """`for i in range(n): xs[i] += 1` of a list: each turn of the loop writes another tensor. (With
    a loop around that, every tensor comes again.)"""
    match place.target, facts.index.loops_around(place.statement):
        case ast.Subscript(value=owner, slice=index), [ast.For() as loop]:
            counted = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            moves = any(_shift(index, name) is not None for name in counted)
            return loop if moves and facts.value(owner).kind == Kind.SEQUENCE else None
    return None


def is_before(one: Break, place: Place, loop: ast.For | None, facts: Facts) -> bool:
    """Was it kept by an earlier turn of the loop, behind the write, or is it another tensor?"""
    if loop is None:
        return False
    end = place.statement.end_lineno or place.statement.lineno
    inside = [n for n in (*one.save.calls, one.save.node) if loop in facts.index.ancestors(n)]
    if not inside:
        return False
    plain = isinstance(place.target, ast.Subscript) and isinstance(place.target.slice, ast.Name)
    behind = plain and getattr(inside[0], "lineno", 0) > end
    return behind or _reads_what_is_done(place, loop, facts)


def _reads_what_is_done(place: Place, loop: ast.For, facts: Facts) -> bool:
    """`for i in range(n): xs[i] += f(xs[i - 1])`: no turn reads what a later one writes."""
    target, down = place.target, _counts_down(loop)
    if not isinstance(target, ast.Subscript) or down is None or _is_repeated(target.value, facts):
        return False
    counter = _counter(loop)
    written = _shift(target.slice, counter)
    if written is None:
        return False
    name = ast.unparse(target.value)
    uses = [n for n in ast.walk(loop) if isinstance(n, (ast.Name, ast.Attribute))]
    for use in uses:
        if ast.unparse(use) != name:
            continue
        read = facts.index.parents[use]
        if read is target:
            continue
        shift = _shift(read.slice, counter) if isinstance(read, ast.Subscript) else None
        if shift is None or (shift <= written if down else shift >= written):
            return False
    return True


def _is_repeated(owner: ast.expr, facts: Facts) -> bool:
    """`[x] * n` is one tensor, many times."""
    stores = uses_in(facts).names.stores(owner) if isinstance(owner, ast.Name) else ()
    made = [facts.index.statement_of(store) for store in stores]
    if not made or not all(isinstance(one, ast.Assign) for one in made):
        return True
    return any(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult) and _has_list(n)
        for one in made
        if one is not None
        for n in ast.walk(one)
    )


def _has_list(node: ast.BinOp) -> bool:
    return isinstance(node.left, ast.List) or isinstance(node.right, ast.List)


def _counter(loop: ast.For) -> str:
    """`i` of `for i in range(n)` and of `for i, x in enumerate(xs)`."""
    target = loop.target
    if isinstance(target, ast.Tuple) and target.elts:
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else ""


def _shift(index: ast.expr, name: str) -> int | None:
    """1 of `i + 1`."""
    match index:
        case ast.Name(id=found) if found == name:
            return 0
        case ast.BinOp(
            left=ast.Name(id=found), op=ast.Add() | ast.Sub() as op, right=ast.Constant(value=by)
        ) if found == name and isinstance(by, int):
            return by if isinstance(op, ast.Add) else -by
    return None


def _counts_down(loop: ast.For) -> bool | None:
    """None: nobody knows."""
    match loop.iter:
        case ast.Call(func=ast.Name(id="range"), args=[_] | [_, _]):
            return False
        case ast.Call(func=ast.Name(id="range"), args=[_, _, ast.Constant(value=int() as step)]):
            return step < 0
        case ast.Call(
            func=ast.Name(id="range"),
            args=[_, _, ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int()))],
        ):
            return True
        case ast.Call(func=ast.Name(id="reversed"), args=[ast.Call(func=ast.Name(id="range"))]):
            return True
        case ast.Call(func=ast.Name(id="enumerate")) as call if keyword(call, "start") is None:
            return False if len(call.args) == 1 else None
    return None
