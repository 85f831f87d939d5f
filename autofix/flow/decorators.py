"""Decorators of functions, as far as it is known what they make of them."""

from __future__ import annotations

import ast

from autofix.flow.index import FunctionNode, last_name
from autofix.flow.objects import Closure
from autofix.flow.program import Program
from autofix.flow.values import UNKNOWN

_WRAPPERS = ("torch.", "functools.", "contextlib.", "builtins.", "abc.", "typing.", "numba.")
"""What these make of a function gives what the function gives."""
_OF_PROPERTY = ("setter", "getter", "deleter")


def is_replaced(function: FunctionNode, program: Program) -> bool:
    """Does a decorator put something else in its place, perhaps?"""
    return any(is_unseen(one, program) for one in getattr(function, "decorator_list", ()))


def is_unseen(decorator: ast.expr, program: Program) -> bool:
    """Is it not known what the decorator does with a function?"""
    maker = decorator.func if isinstance(decorator, ast.Call) else decorator
    ref = program.values.get(maker, UNKNOWN).ref
    if isinstance(ref, str) and ref != "torch.library.custom_op":
        return not ref.startswith(_WRAPPERS)
    return not isinstance(ref, Closure) and last_name(decorator) not in _OF_PROPERTY
