"""Updates of weights by hand, as the syntax shows them."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in

_METHODS = frozenset({"sub", "subtract", "add"})


def pairs_of(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """`w = a`, and `w, b = a, c`."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            return list(zip(targets, values, strict=True)) if len(targets) == len(values) else []
        case ast.Assign(targets=[target], value=value):
            return [(target, value)]
    return []


def is_update(facts: Facts, statement: ast.stmt, target: ast.expr, value: ast.expr) -> bool:
    """`w - lr * w.grad` for `w`."""
    if not isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    if not isinstance(value, ast.BinOp) and not (
        isinstance(value, ast.Call) and last_name(value.func) in _METHODS
    ):
        return False
    name = ast.unparse(target)
    return step_of(value, name) is not None and _uses_gradient(facts, value, name)


def step_of(value: ast.expr, name: str) -> tuple[ast.expr | None, str] | None:
    """The step of `name - step`, `name + step`, `name.sub(step)`; None if the form is another."""
    match value:
        case ast.BinOp(left=left, op=ast.Sub() | ast.Add() as op, right=right):
            sign = "-" if isinstance(op, ast.Sub) else "+"
            if _is(left, name):
                return right, sign
            if isinstance(op, ast.Add) and _is(right, name):
                return left, sign
            return (None, "") if step_of(left, name) is not None else None
        case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[step], keywords=[]):
            if method in _METHODS and _is(owner, name):
                return step, "+" if method == "add" else "-"
    match value:
        case ast.Call(func=func, args=[first, *_]) if last_name(func) in _METHODS:
            owner = func.value if isinstance(func, ast.Attribute) else func
            return (None, "") if _is(first, name) or _is(owner, name) else None
    return None


def _is(node: ast.expr, name: str) -> bool:
    """`w`, or `w.data`, `w.detach()`, a copy of that"""
    text = ast.unparse(node).replace(".clone()", "")
    return text in (name, f"{name}.data", f"{name}.detach()")


def _uses_gradient(facts: Facts, value: ast.expr, name: str) -> bool:
    """Does the value read `<name>.grad`, or a variable that was computed from it?"""
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and node.attr == "grad" and _is(node.value, name):
            return True
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and node.id != name:
            for bound in _bindings(facts, node):
                if any(
                    isinstance(n, ast.Attribute) and n.attr == "grad" and _is(n.value, name)
                    for n in ast.walk(bound)
                ):
                    return True
    return False


def _bindings(facts: Facts, read: ast.Name) -> list[ast.expr]:
    """What a name of the same function may be bound to here."""
    names = uses_in(facts).names
    statements = [facts.index.parents.get(s) for s in names.stores(read) if read in names.loads(s)]
    return [s.value for s in statements if isinstance(s, ast.Assign)]


def loop_around(facts: Facts, node: ast.AST) -> ast.stmt | None:
    return next(iter(facts.index.loops_around(node)), None)
