"""What a state dict is handed on in: copies of the dict that hold the same tensors."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo
from autofix.flow.uses import ADDING, uses_in

_SAME_MEMORY = frozenset({"detach", "data", "contiguous"})


@dataclass(frozen=True, slots=True)
class Wrapped:
    node: ast.expr
    element: ast.expr | None = None
    shallow: ast.Call | None = None


def wrapped_state(facts: Facts, call: ast.Call) -> Wrapped | None:
    """The dict with what makes a new dict of the same tensors; None if they are copied."""
    node: ast.expr = call
    parents = facts.index.parents
    while True:
        parent = parents.get(node)
        above = parents.get(parent) if parent is not None else None
        if isinstance(parent, ast.Attribute) and isinstance(above, ast.Call):
            if parent.attr == "copy" and above.func is parent:
                node = above
                continue
            if parent.attr == "items" and isinstance(parents.get(above), ast.comprehension):
                return _comprehension(parents.get(parents.get(above)))  # type: ignore[arg-type]
            return None
        if isinstance(parent, ast.Call) and node in parent.args:
            name = last_name(parent.func)
            if name == "copy":
                return Wrapped(parent, shallow=parent)
            if name in ("dict", "OrderedDict"):
                return Wrapped(parent)
            return Wrapped(node) if name in ADDING or _is_record(facts, parent) else None
        return Wrapped(node)


def _is_record(facts: Facts, call: ast.Call) -> bool:
    """Of a dataclass or named tuple, which keep their arguments as they are."""
    if last_name(call.func) in uses_in(facts).records.fields:
        return True
    ref = facts.value(call.func).ref
    return isinstance(ref, ClassInfo) and ref.find("__init__") is None


def _comprehension(node: ast.AST | None) -> Wrapped | None:
    """`{k: v for k, v in ...}`: `v`, `v.data` and `v.detach()` share the memory."""
    if not isinstance(node, ast.DictComp):
        return None
    inner: ast.expr = node.value
    while isinstance(inner, (ast.Attribute, ast.Call)):
        name = last_name(inner.func if isinstance(inner, ast.Call) else inner)
        if name not in _SAME_MEMORY:
            return None
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return Wrapped(node, element=node.value) if isinstance(inner, ast.Name) else None
