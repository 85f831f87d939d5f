"""What a program does to a plain tensor and cannot do to a Parameter."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._kept import How, all_uses, rebound, without_gradient
from autofix.codemods.leaf._lost import Lost
from autofix.flow.class_table import How as Store
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import is_none
from autofix.flow.uses import uses_in

_ALLOWED = frozenset({"requires_grad_", "share_memory_"})


def conflict(facts: Facts, lost: Lost) -> str | None:
    """Why what it keeps cannot, or should not, be a Parameter."""
    line = _assigned_again(facts, lost)
    if line is not None:
        return f"it is assigned again (line {line}), which a registered Parameter refuses"
    line = _buffered(facts, lost)
    if line is not None:
        return f"it is a buffer on another way (line {line}), which must not be trained"
    if _before_module_is_made(facts, lost):
        return "a module takes no Parameter before `super().__init__()`"
    line = _added_to(facts, lost)
    if line is not None:
        return f"it is written in place (line {line}), which a leaf refuses"
    for use in all_uses(facts, lost.keep.path[-1].node):
        if not use.contained and _writes(facts, use.node) and not without_gradient(facts, use.node):
            return f"it is written in place (line {use.node.lineno}), which a leaf refuses"
    return None


def _assigned_again(facts: Facts, lost: Lost) -> int | None:
    """Where the class sets the attribute to what may be a plain tensor."""
    target = lost.keep.use.node
    if not (lost.keep.use.stored and isinstance(target, ast.Attribute)) or lost.keep.use.contained:
        return None
    for other in uses_in(facts).names.stored.get(target.attr, ()):
        same = facts.index.class_of(other) is facts.index.class_of(target)
        if other is target or not same or ast.dump(other.value) != ast.dump(target.value):
            continue
        statement = facts.index.statement_of(other)
        if not _sets_parameter(facts, statement, lost):
            return other.lineno
    return None


def _buffered(facts: Facts, lost: Lost) -> int | None:
    """Where the class registers the attribute as a buffer, as for what is not to be learned."""
    target = lost.keep.use.node
    owner = facts.index.class_of(target)
    if not isinstance(target, ast.Attribute) or owner is None:
        return None
    stores = facts.class_table(owner).stores.get(target.attr, ())
    return next((s.node.lineno for s in stores if s.how == Store.BUFFER), None)


def _before_module_is_made(facts: Facts, lost: Lost) -> bool:
    """Is the attribute set in `__init__` before that of the base class is called?"""
    target = lost.keep.use.node
    function = facts.index.function_of(target)
    if lost.keep.how != How.REGISTERED or function is None or function.name != "__init__":
        return False
    calls = [
        n.lineno
        for n in facts.index.body_nodes(function)
        if isinstance(n, ast.Call) and last_name(n.func) == "__init__"
    ]
    return bool(calls) and min(calls) > target.lineno


def _added_to(facts: Facts, lost: Lost) -> int | None:
    """`w += 1` of the name that the result is bound to."""
    name = rebound(facts, lost.keep.path[-1].node)
    if name is None:
        return None
    function = facts.index.function_of(lost.keep.path[-1].node)
    nodes = facts.index.body_nodes(function) if function is not None else facts.tree.body
    for node in nodes:
        match node:
            case ast.AugAssign(target=ast.Name(id=target)) if target == name:
                return None if without_gradient(facts, node) else node.lineno
    return None


def _sets_parameter(facts: Facts, statement: ast.stmt | None, lost: Lost) -> bool:
    """None or a Parameter, or what this very fix will make one."""
    if isinstance(statement, ast.AugAssign):
        return without_gradient(facts, statement)
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    value = statement.value
    if value is None or is_none(value):
        return True
    held = set(ast.walk(statement))
    return any(isinstance(n, ast.Call) and _makes(facts, n) for n in held) or (
        lost.call in held or lost.keep.use.node in held
    )


def _makes(facts: Facts, call: ast.Call) -> bool:
    return (last_name(call.func) or "").endswith("Parameter") or facts.value(call).parameter


def _writes(facts: Facts, node: ast.expr) -> bool:
    """`w[0] = 1`, `w.fill_(1)`"""
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.Subscript):
        return parent.value is node and not isinstance(parent.ctx, ast.Load)
    if not isinstance(parent, ast.Attribute):
        return False
    call = facts.index.parents.get(parent)
    is_call = isinstance(call, ast.Call) and call.func is parent
    return is_call and parent.attr.endswith("_") and parent.attr not in _ALLOWED
