"""What code that is called, or that calls, does to a leaf before it is written."""

from __future__ import annotations

import ast
import re

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, Index, last_name
from autofix.flow.modes import OFF
from autofix.flow.objects import Closure
from autofix.flow.syntax import loads_in
from autofix.flow.unit import is_foreign
from autofix.flow.users import users
from autofix.flow.values import Kind

_OFF = frozenset(name.rpartition(".")[2] for name in OFF)
_LOOKS = re.compile(r"(?i)print|summary|log|info|debug|watch|save|dump|graph|count|flops|show|plot")
"""What functions are called that only look at a model."""
_STOPS = frozenset({"detach", "data", "item", "tolist", "numpy", "argmax"})


def is_run_without_gradients(node: ast.AST, facts: Facts) -> bool:
    """Does every call of the function around, in the files that may know it, stand in `no_grad`?"""
    found = _calls_by_name(node, facts)
    return bool(found) and all(_is_off(call, index) for call, index in found)


def is_used_without_graph(node: ast.AST, facts: Facts) -> bool:
    """Does every such call, or the next thing that is done to its result, leave the graph?"""
    found = _calls_by_name(node, facts)
    return bool(found) and all(_is_off(c, index) or _is_stopped(c, index) for c, index in found)


def _calls_by_name(node: ast.AST, facts: Facts) -> list[tuple[ast.Call, Index]]:
    """The calls of the function around, in the files that may know it. (Methods of several classes
    are called by one name: `kind.make(...)`.)"""
    function = facts.index.function_of(node)
    if function is None or isinstance(function, ast.Lambda) or function.name.startswith("__"):
        return []
    owner = facts.index.class_of(function)
    names = (function.name,) if owner is None else (function.name, owner.name)
    return [
        (call, index)
        for index in (facts.index, *(user.index for user in users(facts, *names)))
        for call in index.of_kind(ast.Call)
        if last_name(call.func) == function.name
    ]


def _is_stopped(node: ast.expr, index: Index) -> bool:
    """`model.sample(n)[0].cpu().numpy()`, or bound to names that are read like that."""
    parent = index.parents.get(node)
    match parent:
        case ast.Attribute(attr=attr):
            call = index.parents.get(parent)
            called = isinstance(call, ast.Call) and call.func is parent
            if attr in _STOPS and (called or attr == "data"):
                return True
            return called and isinstance(call, ast.Call) and _is_stopped(call, index)
        case ast.Subscript(value=value) if value is node:
            return _is_stopped(parent, index)
        case ast.Expr():
            return True
        case ast.Assign(targets=[ast.Name() | ast.Tuple() as target]):
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            names = [part.id for part in parts if isinstance(part, ast.Name)]
            scope = index.function_of(parent) or index.tree
            return len(names) == len(parts) and all(
                _is_stopped(read, index) for read in loads_in(scope, names)
            )
    return False


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
