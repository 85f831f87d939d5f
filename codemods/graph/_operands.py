"""What an operation is done on, called as a function or as a method."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.syntax import argument


def is_method(call: ast.Call, facts: Facts) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and facts.value(func.value).is_tensor


def operand(call: ast.Call, facts: Facts) -> ast.expr | None:
    """The tensor that an operation, called as a function or as a method, is done on."""
    if isinstance(call.func, ast.Attribute) and is_method(call, facts):
        return call.func.value
    return argument(call, 0, "input")
