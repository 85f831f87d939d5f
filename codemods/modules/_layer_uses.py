"""What is done with a layer that was made: is it called, and are its weights its own?"""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in

_OWN_WEIGHTS = frozenset(
    {"weight", "bias", "load_state_dict", "state_dict", "requires_grad_", "eval", "parameters"}
    | {"data", "apply", "named_parameters"}
)
"""Whoever touches these of a layer gives it weights of his own."""
_FIXED_VALUES = ("constant_", "ones_", "eye_", "dirac_")


def calls_layer(node: ast.AST | None, layer: ast.expr) -> bool:
    return isinstance(node, ast.Call) and node.func is layer


def calls_elements(facts: Facts, many: ast.expr) -> bool:
    """`layers = [...]`, and then `layers[0](x)` or `for layer in layers: x = layer(x)`"""
    match facts.index.parents.get(many):
        case ast.Assign(targets=[ast.Name() as name]):
            loads = uses_in(facts).names.loads(name)
        case _:
            return False
    for load in loads:
        match facts.index.parents.get(load):
            case ast.Subscript() as element if calls_layer(
                facts.index.parents.get(element), element
            ):
                continue
            case ast.For(target=ast.Name() as each, iter=listed) if listed is load:
                if is_called(facts, each):
                    continue
        return False
    return bool(loads)


def is_called(facts: Facts, target: ast.expr) -> bool:
    """Is the layer called, and are its weights left alone?"""
    assert isinstance(target, ast.Name)
    called = False
    for load in uses_in(facts).names.loads(target):
        parent = facts.index.parents.get(load)
        own = isinstance(parent, ast.Attribute) and parent.attr in _OWN_WEIGHTS
        if own and not _is_drawn(facts, parent):
            return False
        if isinstance(parent, ast.Call) and load in parent.args:
            return False  # handed on: initialised, or kept
        called = called or (isinstance(parent, ast.Call) and parent.func is load)
    return called


def _is_drawn(facts: Facts, weight: ast.AST | None) -> bool:
    """`nn.init.xavier_uniform_(layer.weight)`: they are as random as before."""
    call = facts.index.parents.get(weight) if weight is not None else None
    name = (facts.library_name(call.func) or "") if isinstance(call, ast.Call) else ""
    return name.startswith("torch.nn.init.") and not name.endswith(_FIXED_VALUES)


def is_drawn_again(facts: Facts, layer: ast.expr) -> bool:
    """`layer = nn.Linear(2, 2)`, and then `nn.init.xavier_uniform_(layer.weight)`"""
    match facts.index.parents.get(layer):
        case ast.Assign(targets=[ast.Name() as name]):
            parents = [facts.index.parents.get(one) for one in uses_in(facts).names.loads(name)]
            return any(_is_drawn(facts, p) for p in parents)
    return False
