"""Which modules a loss is computed with, read backwards from the loss through one function."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autofix.flow.handles import NOBODY, Handles, Scope, handles
from autofix.flow.index import last_name
from autofix.flow.roles import is_module_name
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

MOST = 60
"""Names that are followed for one loss."""
_STOPS = frozenset({"detach", "item", "tolist", "numpy", "data", "shape", "size", "backward"})


@dataclass(frozen=True)
class Sources:
    """The modules and leaves through which a value was computed, and whether these modules are
    all."""

    parts: Handles
    complete: bool


def sources(node: ast.expr, scope: Scope, facts: Facts) -> Sources:
    todo: list[ast.expr] = [node]
    seen: set[ast.AST] = set()
    parts: Handles = NOBODY
    complete = True
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        if len(seen) > MOST:
            return Sources(parts, False)
        for part in _live(one):
            if isinstance(part, ast.Call):
                made, known = _called(part, scope, facts)
                parts |= made
                complete = complete and known
            elif not isinstance(part, ast.Name) or _is_module(part, facts):
                parts |= handles(part, scope, facts)
            else:
                if facts.value(part).leaf:
                    parts |= handles(part, scope, facts)
                todo += _values(part, facts)
                complete = complete and not _came_with_graph(part, facts)
    return Sources(parts, complete)


def _came_with_graph(name: ast.Name, facts: Facts) -> bool:
    """Is it an argument that a caller has computed with a module?"""
    function = facts.index.function_of(name)
    given = () if function is None else ast.walk(function.args)
    is_argument = any(isinstance(a, ast.arg) and a.arg == name.id for a in given)
    value = facts.value(name)
    return is_argument and value.graph == Graph.YES and not value.leaf


def _is_module(name: ast.Name, facts: Facts) -> bool:
    return facts.value(name).kind == Kind.MODULE or is_module_name(name)


def _live(node: ast.AST) -> list[ast.expr]:
    """The calls, names and attributes in an expression through which a gradient can flow."""
    found: list[ast.expr] = []
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Attribute):
            if one.attr not in _STOPS:
                found.append(one)
                todo += _owner(one)
        elif isinstance(one, ast.Call):
            if last_name(one.func) not in _STOPS:
                found.append(one)
                todo += [*all_arguments(one), *_owner(one.func)]
        else:
            if isinstance(one, ast.Name):
                found.append(one)
            todo += ast.iter_child_nodes(one)
    return found


def _owner(node: ast.expr) -> list[ast.expr]:
    """What the attributes of `node` are taken of; nothing for those of an object's own."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return [] if isinstance(node, ast.Name) and node.id in ("self", "cls") else [node]


def _called(call: ast.Call, scope: Scope, facts: Facts) -> tuple[Handles, bool]:
    """What is called, if it is a module, and whether it surely brings nothing else."""
    name = facts.library_name(call.func) or ""
    if name.startswith(("torch.", "builtins.", "math.", "numpy.")):
        return NOBODY, True
    if isinstance(call.func, ast.Attribute):
        value = facts.value(call.func.value)
        if value.kind & (Kind.TENSOR | Kind.SEQUENCE | Kind.NUMBER | Kind.DICT):
            return NOBODY, True
    kind = facts.value(call.func).kind
    if kind == Kind.MODULE or is_module_name(call.func):
        return handles(call.func, scope, facts), True
    if kind == Kind.FUNCTION:
        return handles(call.func, scope, facts), False
    return handles(call.func, scope, facts), isinstance(call.func, ast.Attribute) and bool(
        kind & Kind.UNKNOWN and _is_tensor_method(call.func.attr)
    )


def _is_tensor_method(name: str) -> bool:
    from autofix.flow import torch_api

    return torch_api.method(name) is not None


def _values(name: ast.Name, facts: Facts) -> list[ast.expr]:
    """What is assigned to a name before it is read, where gradients are recorded."""
    found: list[ast.expr] = []
    for store in uses_in(facts).names.stores(name):
        parent: ast.AST | None = facts.index.parents.get(store)
        while isinstance(parent, (ast.Tuple, ast.List, ast.Starred)):
            parent = facts.index.parents.get(parent)
        if _without_gradients(store, facts):
            continue
        binds = isinstance(parent, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr))
        if binds and (value := getattr(parent, "value", None)) is not None:
            found.append(value)
    return found


def _without_gradients(node: ast.AST, facts: Facts) -> bool:
    for owner in facts.index.ancestors(node):
        if isinstance(owner, ast.With):
            for item in owner.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("no_grad"):
                    return True
    return False
