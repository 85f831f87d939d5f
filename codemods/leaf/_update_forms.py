"""Updates of weights by hand, as the syntax shows them."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in

_METHODS = frozenset({"sub", "subtract", "add"})


def pairs_of(statement: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
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
    return any(
        step_of(value, name) is not None and _uses_gradient(facts, statement, value, name)
        for name in names_of(facts, statement, target)
    )


def names_of(facts: Facts, statement: ast.stmt, target: ast.expr) -> list[str]:
    """How a target is written, and `w` for `weights[k]` in `for k, w in weights.items():`."""
    found = [ast.unparse(target)]
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Name):
        return found
    for loop in facts.index.loops_around(statement):
        match loop:
            case ast.For(
                target=ast.Tuple(elts=[ast.Name(id=key), ast.Name(id=name)]),
                iter=ast.Call(func=ast.Attribute(value=owner, attr="items"), args=[])
                | ast.Call(func=ast.Name(id="enumerate"), args=[owner]),
            ) if key == target.slice.id and ast.unparse(owner) == ast.unparse(target.value):
                found.append(name)
    return found


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


def _uses_gradient(facts: Facts, statement: ast.stmt, value: ast.expr, name: str) -> bool:
    """Does the value read `<name>.grad`, or a variable that was computed from it?"""
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and node.attr == "grad" and _is(node.value, name):
            return True
    for node in ast.walk(value):
        if isinstance(node, (ast.Name, ast.Subscript)) and ast.unparse(node) != name:
            for bound in _bindings(facts, statement, node):
                if any(
                    isinstance(n, ast.Attribute) and n.attr == "grad" and _is(n.value, name)
                    for n in ast.walk(bound)
                ):
                    return True
    return False


def _bindings(facts: Facts, statement: ast.stmt, read: ast.Name | ast.Subscript) -> list[ast.expr]:
    """What a name of the same function may be bound to here; of `velocity[k]` what the loop sets
    it to."""
    names = uses_in(facts).names
    if isinstance(read, ast.Subscript):
        text = ast.unparse(read)
        pairs = [p for n in ast.walk(_turn(facts, statement)) for p in pairs_of(n)]
        return [value for target, value in pairs if ast.unparse(target) == text]
    statements = [facts.index.parents.get(s) for s in names.stores(read) if read in names.loads(s)]
    return [s.value for s in statements if isinstance(s, ast.Assign)]


def _turn(facts: Facts, statement: ast.stmt) -> ast.stmt:
    return loop_around(facts, statement) or statement


def loop_around(facts: Facts, node: ast.AST) -> ast.stmt | None:
    return next(iter(facts.index.loops_around(node)), None)
