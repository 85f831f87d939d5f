"""Optimizers of tensors that no loss can have a gradient for."""

from __future__ import annotations

import ast
import re

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import optimizer_class
from autofix.flow.uses import uses_in

_LOOKS = re.compile(r"^(?:print|log\w*|info|debug|add_\w+|format|item)$")


def gets_no_gradients(optimizer: ast.expr, facts: Facts) -> bool:
    """Was it made of nothing but tensors that have no elements, as `[Parameter(torch.zeros(0))]`,
    or that nothing computes with: `[scale, shift]`, which are only logged?"""
    if not isinstance(optimizer, ast.Name):
        return False
    stores = uses_in(facts).names.stores(optimizer) or _of_module(optimizer, facts)
    parent = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    call = parent.value if isinstance(parent, ast.Assign) else None
    if not isinstance(call, ast.Call) or not call.args or not optimizer_class(call, facts):
        return False
    given = call.args[0]
    if not isinstance(given, (ast.List, ast.Tuple)) or not given.elts:
        return False
    return all(
        isinstance(part, ast.Name) and (_is_empty(part, facts) or _is_idle(part, facts))
        for part in given.elts
    )


def _of_module(name: ast.Name, facts: Facts) -> list[ast.Name]:
    return [
        node
        for node in facts.index.of_kind(ast.Name)
        if node.id == name.id
        and isinstance(node.ctx, ast.Store)
        and facts.index.function_of(node) is None
    ]


def _is_empty(part: ast.Name, facts: Facts) -> bool:
    value = facts.value(part)
    return value.is_tensor and value.has_no_elements


def _is_idle(part: ast.Name, facts: Facts) -> bool:
    """Is it a leaf that is read only to be optimized, or looked at?"""
    value = facts.value(part)
    if not (value.is_tensor and value.leaf) or value.parameter:
        return False
    return all(_is_looked_at(read, facts) for read in uses_in(facts).names.all_loads(part))


def _is_looked_at(read: ast.Name, facts: Facts) -> bool:
    for around in facts.index.ancestors(read):
        if isinstance(around, ast.Call):
            if optimizer_class(around, facts):
                return True
            name = last_name(around.func)
            dropped = isinstance(facts.index.parents.get(around), ast.Expr)
            return dropped and name is not None and _LOOKS.match(name) is not None
        if isinstance(around, ast.stmt):
            return False
    return False
