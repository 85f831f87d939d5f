"""Code that nobody is likely to differentiate."""

from __future__ import annotations

import ast
import re

from autofix.codemods.graph._casting import kept_in_buffer
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.uses import uses_in

_NOT_TRAINED = re.compile(
    r"(?i)(?:pre|post)_?process|visuali[sz]|plot|draw|nms|bbox|gaussian_(?:filter|kernel|window)"
    r"|augment|beam_?search|top_?[kp](?:_|$)"
)
"""What functions are called that work on data and results."""
_TOOL = re.compile(r"(?i)(?:pre|post)_?process|augment|visuali[sz]|beam_?search")
"""What classes are called of which all methods do."""
_STATE = re.compile(r"(?i)(?:^|_)(?:states?|caches?|past|kv)(?:_|$)")
"""What callers keep from call to call, of whose graph nothing is wanted."""
_MANY = 3
_DEPTH = 4
"""Calls between a class of data and what works for it."""


def saves_memory(node: ast.AST, facts: Facts) -> bool:
    """Does the function do most of what it does in place? Its author would have met the error."""
    function = facts.index.function_of(node)
    nodes = facts.index.body_nodes(function) if function is not None else ()
    return sum(_writes(n, facts) for n in nodes) >= _MANY


def _writes(node: ast.AST, facts: Facts) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return name.endswith("_") and not name.endswith("__")
        case ast.AugAssign(target=ast.Name() as target):
            return facts.value(target).is_tensor
    return False


def works_on_data(node: ast.AST, facts: Facts) -> bool:
    """Is the function, or its class, called like one that works on data or results; is it of a
    class of data, or called by such alone; does it set weights by their `.data`?"""
    owner = facts.index.class_of(node)
    if owner is not None and (_TOOL.search(owner.name) or _gives_data(owner)):
        return True
    function = facts.index.function_of(node)
    name = getattr(function, "name", "")
    if _NOT_TRAINED.search(name) or (function is not None and _sets_weights(function, facts)):
        return True
    return _is_called_for_data(function, facts, _DEPTH)


def _gives_data(owner: ast.ClassDef) -> bool:
    return any((last_name(base) or "").endswith("Dataset") for base in owner.bases)


def _is_called_for_data(function: FunctionNode | None, facts: Facts, depth: int) -> bool:
    """Is it called in this file, and by methods of classes of data alone?"""
    calls = uses_in(facts).calls_of(function) if depth else []
    for call in calls:
        owner = facts.index.class_of(call)
        around = facts.index.function_of(call)
        if not (owner is not None and _gives_data(owner)) and not (
            around is not function and _is_called_for_data(around, facts, depth - 1)
        ):
            return False
    return bool(calls)


def explores(node: ast.AST, facts: Facts) -> bool:
    """`def step(self, obs, explore=False)`: what it gives is done in an environment."""
    function = facts.index.function_of(node)
    if function is None:
        return False
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    seen = any(re.match(r"obs|state|observation", name) for name in names)
    return seen and any(re.match(r"(?:add_)?(?:explor|nois[ey])", name) for name in names)


def _sets_weights(function: FunctionNode, facts: Facts) -> bool:
    """`p.data.copy_(...)` of an argument: the step of an optimizer"""
    names = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}
    for node in facts.index.body_nodes(function):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    attr=method, value=ast.Attribute(attr="data", value=ast.Name(id=name))
                )
            ) if method.endswith("_") and name in names:
                return True
    return False


def is_kept_state(written: ast.expr, handed: bool, facts: Facts) -> bool:
    """Is it a state or cache that the caller keeps, as `state` or `state[1]`?"""
    base = written
    while isinstance(base, ast.Subscript):
        base = base.value
    if not isinstance(base, ast.Name) or not _STATE.search(base.id):
        return False
    function = facts.index.function_of(written)
    if handed or not isinstance(function, FUNCTIONS):
        return handed
    return base is not written and base.id in {
        a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)
    }


def is_kept_in_buffer(written: ast.expr, facts: Facts) -> bool:
    """`norm *= 2; self.norm = norm`, where the class registers a buffer `norm`: statistics."""
    if not isinstance(written, ast.Name):
        return False
    loads = uses_in(facts).names.all_loads(written)
    return any(kept_in_buffer(load, facts) for load in loads if load.lineno > written.lineno)
