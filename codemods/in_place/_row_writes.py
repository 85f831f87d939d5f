"""What a loop writes into a row under the name that it gives to it."""

from __future__ import annotations

import ast

_METHODS: dict[str, ast.operator | None] = {
    "add_": ast.Add(),
    "sub_": ast.Sub(),
    "mul_": ast.Mult(),
    "div_": ast.Div(),
    "copy_": None,
}


def row_writes(node: ast.AST, row: str) -> list[tuple[ast.expr, ast.expr, ast.operator | None]]:
    """What a statement writes into all of the tensor with this name, in order."""
    match node:
        case ast.AugAssign(target=target, value=value, op=op) if _is_all_of(target, row):
            return [(target, value, op)]
        case ast.Assign(targets=[ast.Subscript() as target], value=value) if _is_all_of(
            target, row
        ):
            return [(target, value, None)]
        case ast.Expr(value=ast.Call() as call):
            return _methods(call, row)
    return []


def _methods(call: ast.Call, row: str) -> list[tuple[ast.expr, ast.expr, ast.operator | None]]:
    """`row.sub_(row.mean()).div_(row.std())`"""
    match call:
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[given], keywords=[]) if (
            name in _METHODS
        ):
            if isinstance(owner, ast.Call):
                before = _methods(owner, row)
                return [*before, (before[-1][0], given, _METHODS[name])] if before else []
            return [(owner, given, _METHODS[name])] if _is_all_of(owner, row) else []
    return []


def _is_all_of(target: ast.expr, row: str) -> bool:
    """`row`, `row[:]`"""
    if isinstance(target, ast.Subscript) and is_full(target.slice):
        target = target.value
    return isinstance(target, ast.Name) and target.id == row


def is_full(node: ast.expr) -> bool:
    """`:` and `...`"""
    if isinstance(node, ast.Constant):
        return node.value is Ellipsis
    match node:
        case ast.Slice(lower=None, upper=None, step=None):
            return True
    return False
