"""What code that is called, or that calls, does to a leaf before it is written."""

from __future__ import annotations

import ast
import re

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, Index, last_name
from autofix.flow.modes import OFF
from autofix.flow.objects import Closure
from autofix.flow.unit import is_foreign
from autofix.flow.users import users
from autofix.flow.values import Kind

_OFF = frozenset(name.rpartition(".")[2] for name in OFF)
_LOOKS = re.compile(r"(?i)print|summary|log|info|debug|watch|save|dump|graph|count|flops|show|plot")
"""What functions are called that only look at a model."""


def is_run_without_gradients(node: ast.AST, facts: Facts) -> bool:
    """Does every call of the function around, in the files that may know it, stand in `no_grad`?
    (Methods of several classes are called by one name: `kind.make(...)`.)"""
    function = facts.index.function_of(node)
    if function is None or isinstance(function, ast.Lambda) or function.name.startswith("__"):
        return False
    owner = facts.index.class_of(function)
    names = (function.name,) if owner is None else (function.name, owner.name)
    found = [
        (call, index)
        for index in (facts.index, *(user.index for user in users(facts, *names)))
        for call in index.of_kind(ast.Call)
        if last_name(call.func) == function.name
    ]
    return bool(found) and all(_is_off(call, index) for call, index in found)


def is_handed_over(base: ast.expr, facts: Facts) -> bool:
    """`quantize_(model, config)` and then `model.layer.weight.copy_(w)`: code that is not known may
    have put other weights into a module, or have frozen them."""
    function, root = facts.index.function_of(base), base
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    if function is None or root is base or not isinstance(root, ast.Name) or root.id == "self":
        return False
    return any(
        isinstance(n, ast.Expr)
        and n.lineno < base.lineno
        and isinstance(n.value, ast.Call)
        and any(isinstance(a, ast.Name) and a.id == root.id for a in n.value.args)
        and _is_unknown(n.value.func, facts)
        for n in facts.index.body_nodes(function)
    )


def _is_unknown(func: ast.expr, facts: Facts) -> bool:
    if _LOOKS.search(last_name(func) or ""):
        return False
    name = facts.library_name(func)
    if name is not None:
        return not name.startswith(("torch.", "builtins."))
    value = facts.value(func)
    if isinstance(value.ref, Closure):
        return is_foreign(value.ref.node)
    return not value.kind & (Kind.FUNCTION | Kind.CLASS | Kind.MODULE)


def _is_off(node: ast.AST, index: Index) -> bool:
    for around in index.ancestors(node):
        items = around.items if isinstance(around, ast.With) else []
        managers = [item.context_expr for item in items]
        if isinstance(around, FUNCTIONS) and not isinstance(around, ast.Lambda):
            managers = around.decorator_list
        if any(_name(manager) in _OFF for manager in managers):
            return True
    return False


def _name(manager: ast.expr) -> str | None:
    return last_name(manager.func if isinstance(manager, ast.Call) else manager)
