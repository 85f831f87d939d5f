"""Objects of this file's classes that stand in a `with` statement: what runs around its body."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.objects import Closure, Instance
from autofix.flow.stages import callee

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


def around(manager: ast.expr, name: str, facts: Facts) -> FunctionNode | None:
    """The `__enter__` or `__exit__` of the object that an expression gives."""
    ref = facts.value(manager).ref
    found = ref.info.find(name) if isinstance(ref, Instance) else None
    closure = found.ref if found is not None else None
    return closure.node if isinstance(closure, Closure) else None


def generator(manager: ast.Call, facts: Facts) -> bool:
    """Is it a call of a function of this file that runs the body where it yields?"""
    found = callee(manager.func, facts)
    decorators = getattr(found[0], "decorator_list", []) if found is not None else ()
    return any(last_name(decorator) == "contextmanager" for decorator in decorators)


def entering(function: FunctionNode, facts: Facts) -> list[ast.With]:
    """The `with` statements that run an `__enter__` or `__exit__`."""
    name = getattr(function, "name", "")
    if name not in ("__enter__", "__exit__") or not isinstance(function, FUNCTIONS):
        return []
    return [
        node
        for node in facts.index.of_kind(ast.With)
        if any(around(item.context_expr, name, facts) is function for item in node.items)
    ]
