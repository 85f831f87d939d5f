"""What a write in place computes: is it a part of a state that goes on from turn to turn?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum

from autofix.codemods.alias._argument_written import first_written
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.syntax import all_arguments, mentions, unsubscripted
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.flow.walk import walk

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_METHODS = frozenset({"add_", "sub_", "subtract_", "mul_", "multiply_", "div_", "divide_", "pow_"})
_FILLS = frozenset({"masked_fill_", "fill_", "zero_"})
_RANDOM = frozenset({"rand", "randn", "rand_like", "randn_like", "bernoulli", "normal", "empty"})


class Change(Enum):
    """What is written over the old values."""

    CONSTANT = "computed from them and from what stays the same in all turns"
    RANDOM = "computed from them and from random numbers"
    OWN = "computed from them alone"
    FILLED = "a number in place of some of them"


def first_target(statement: ast.stmt) -> ast.expr | None:
    """The expression whose tensor a statement changes by what it was, or fills in parts."""
    match statement:
        case ast.AugAssign(target=target, op=op) if isinstance(op, _ARITHMETIC):
            return target
        case ast.Assign(targets=[ast.Subscript() as target]):
            return target
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr, value=owner))):
            if attr in _METHODS | _FILLS:
                return first_written(owner)
    return None


def change(
    facts: Facts,
    name: ast.Name,
    function: FunctionNode | None,
    statement: ast.stmt,
    loop: ast.stmt,
) -> Change | None:
    """What a write computes; None if it brings in anything else."""
    parts: list[ast.expr] = []
    match statement:
        case ast.AugAssign(value=value):
            parts = [value]
        case ast.Assign(value=value):
            if isinstance(value, ast.Constant):
                return Change.FILLED
            parts = list(_operands(value, name.id))
        case ast.Expr(value=ast.Call() as call):
            if last_name(call.func) in _FILLS:
                return Change.FILLED
            while isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                parts += all_arguments(call)
                call = call.func.value  # type: ignore[assignment]
    kinds = {_of(facts, name, function, part, loop) for part in parts}
    if None in kinds or not kinds:
        return None
    order = (Change.RANDOM, Change.CONSTANT, Change.OWN)
    return next(kind for kind in order if kind in kinds)


def _operands(value: ast.expr, name: str) -> Iterator[ast.expr]:
    """`2` and `m` of `(w[:3] - m) / 2`: what is done to the old values, or all of it."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, _ARITHMETIC):
        for side, other in ((value.left, value.right), (value.right, value.left)):
            inner = unsubscripted(side)
            if isinstance(inner, ast.Name) and inner.id == name:
                yield other
                return
            if isinstance(side, ast.BinOp) and mentions(side, name):
                yield other
                yield from _operands(side, name)
                return
    yield value


def _of(
    facts: Facts,
    name: ast.Name,
    function: FunctionNode | None,
    part: ast.expr,
    loop: ast.stmt,
    depth: int = 4,
) -> Change | None:
    """What an operand is made of, through names that are bound once."""
    found: set[Change] = set()
    for node in walk(part):
        if isinstance(node, ast.Call) and last_name(node.func) in _RANDOM:
            found.add(Change.RANDOM)
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if node.id == name.id:
            found.add(Change.OWN)
            continue
        if facts.value(node).storage & facts.value(name).storage:
            return None  # one part of a state changes another
        stores = uses_in(facts).names.all_stores(node)
        inside = [s for s in stores if _runs_with(facts, s, function, loop)]
        if not inside:
            if _is_argument(facts, node) and not _is_number(facts, node):
                return None
            continue
        made = facts.index.parents.get(inside[0])
        if len(inside) > 1 or not isinstance(made, ast.Assign) or not depth:
            return None
        deeper = _of(facts, name, function, made.value, loop, depth - 1)
        if deeper is None:
            return None
        found.add(deeper)
    for kind in (Change.RANDOM, Change.OWN):
        if kind in found:
            return kind
    return Change.CONSTANT


def _runs_with(
    facts: Facts, store: ast.Name, function: FunctionNode | None, loop: ast.stmt
) -> bool:
    """Is the name bound in the loop, or in the function that it calls?"""
    if loop in facts.index.ancestors(store):
        return True
    inside = function is not None and loop not in facts.index.ancestors(function)
    return (
        inside and facts.index.function_of(store) is function and not _is_around(facts, loop, store)
    )


def _is_around(facts: Facts, loop: ast.stmt, store: ast.Name) -> bool:
    """Is it bound in the function of the loop, before it?"""
    mine = facts.index.function_of(store)
    return mine is not None and any(loop is n for n in facts.index.body_nodes(mine))


def _is_argument(facts: Facts, node: ast.Name) -> bool:
    function = facts.index.function_of(node)
    return (
        function is not None
        and any(isinstance(a, ast.arg) and a.arg == node.id for a in ast.walk(function.args))
        and node.id != "self"
    )


def _is_number(facts: Facts, node: ast.Name) -> bool:
    value = facts.value(node)
    return value.is_number or (value.is_tensor and value.graph == Graph.NO)
