"""The memory of weights is kept, and copied back onto itself after they were trained."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.alias._elapsed import changes_between, in_other_method, is_of_object, waits
from autofix.codemods.alias._weights import Of, parameters_of, uncut, weights_of
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.records import INSIDE, NOT
from autofix.flow.syntax import calls_in, taken_from
from autofix.flow.uses import Use, uses_in

_SAME_MEMORY = frozenset({"view", "view_as", "reshape", "flatten", "squeeze", "unsqueeze", "t"})
_MOVING = frozenset(
    "copy_ load_state_dict append extend update add save deepcopy copy zip enumerate list dict"
    " tuple OrderedDict iter next len range sorted reversed print isinstance id".split()
)
"""What takes values, or those that hold them, and does not compute with them."""
_TAKEN_OUT = _SAME_MEMORY | {"to", "clone", "detach", "cpu", "data", "reshape_as"}


@dataclass(frozen=True, slots=True)
class KeptWeights:
    node: ast.expr
    """What is to be copied: `w.data`, `[p.data for p in model.parameters()]`."""
    read: ast.expr
    """What is brought back."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """The memory of `owner`: a tensor, or of each parameter (`every`) of a model."""

    node: ast.expr
    owner: ast.expr
    every: bool


def kept_weights(facts: Facts, node: ast.expr) -> KeptWeights | None:
    """`best = {"loss": v, "w": w.data}`, and later `w.data.copy_(best["w"])`."""
    taken = _taken(facts, node)
    if taken is None:
        return None
    several = not _is_cut(node)
    uses = uses_in(facts).follow(_viewed(facts, node), held=INSIDE if several else NOT)
    if several and any(_computes(use) for use in uses):
        return None  # it is what a gradient is wanted of
    stored = {use.origin for use in uses if use.stored and not _is_data(use.node)}
    for use in sorted(uses, key=lambda use: getattr(use.user, "lineno", 0)):
        place = _restored(facts, taken, use)
        if place is not None and _elapses(
            facts, taken, use, place, use.origin in stored or is_of_object(use)
        ):
            return KeptWeights(node, use.node)
    return None


def _is_cut(node: ast.expr) -> bool:
    return uncut(node)[1]


def _computes(use: Use) -> bool:
    """`functional_call(model, weights, x)`, `step(weights=weights)`: the weights themselves are
    wanted, with their graph. What only moves or copies values is another matter."""
    if use.stored or not isinstance(use.user, ast.Call):
        return not use.stored and isinstance(use.user, ast.BinOp)
    return use.user.func is not use.node and last_name(use.user.func) not in _MOVING


def _is_data(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "data"


def _taken(facts: Facts, node: ast.expr) -> _Taken | None:
    if not _is_cut(node):
        found = weights_of(node)
        if found is None or found[0] != Of.WEIGHTS:
            return None
        if any(last_name(c.func) == "state_dict" for c in calls_in(node)):
            return None
        owner = _named(node, found[1])
        return _Taken(node, owner, True) if owner is not None else None
    parent = facts.index.parents.get(node)
    if isinstance(parent, (ast.ListComp, ast.DictComp)) and weights_of(parent) is not None:
        return None  # found with the others
    if isinstance(parent, ast.Attribute) and _viewed(facts, node) is node:
        return None  # `w.data.clone()`
    inner, _ = uncut(node)
    if not isinstance(inner, (ast.Name, ast.Attribute)):
        return None
    model = _model_of_each(facts, inner)
    if model is not None:
        return _Taken(node, model, True)
    value = facts.value(inner)
    return _Taken(node, inner, False) if value.is_tensor and value.leaf else None


def _named(node: ast.expr, text: str) -> ast.expr | None:
    inside = (n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute)))
    return next((n for n in inside if ast.unparse(n) == text), None)


def _model_of_each(facts: Facts, node: ast.expr) -> ast.expr | None:
    """`model` of `p` in `for p, q in zip(model.parameters(), kept):`"""
    for loop in facts.index.loops_around(node) if isinstance(node, ast.Name) else ():
        if not isinstance(loop, ast.For):
            continue
        for name, source in taken_from(loop.target, loop.iter):
            model = parameters_of(source)
            if name.id == ast.unparse(node) and model is not None:
                return _named(source, model)
    return None


def _viewed(facts: Facts, node: ast.expr) -> ast.expr:
    """`w.data.view(-1)` of `w.data`: the same memory."""
    return _climbed(facts, node, _SAME_MEMORY)


def _climbed(facts: Facts, node: ast.expr, names: frozenset[str]) -> ast.expr:
    while True:
        parent = facts.index.parents.get(node)
        if isinstance(parent, ast.Subscript) and node is parent.value and "data" in names:
            node = parent  # one of several
            continue
        if not isinstance(parent, ast.Attribute) or parent.attr not in names:
            return node
        call = facts.index.parents.get(parent)
        called = isinstance(call, ast.Call) and call.func is parent
        node = call if called and isinstance(call, ast.Call) else parent


def _restored(facts: Facts, taken: _Taken, use: Use) -> ast.expr | None:
    """What the kept values are copied into, if they come from there."""
    node = use.node if use.stored else _climbed(facts, use.node, _TAKEN_OUT)
    match facts.index.parents.get(node):
        case ast.Call(func=ast.Attribute(attr="copy_", value=owner), args=[first, *_]):
            into = owner if first is node else None
        case ast.Call(func=ast.Attribute(attr="load_state_dict", value=owner), args=[first, *_]):
            same = taken.every and first is node and ast.unparse(owner) == ast.unparse(taken.owner)
            return owner if same else None
        case ast.Assign(targets=[ast.Attribute(attr="data") as into]):
            pass
        case _:
            return None
    if into is None or (use.contained and node is use.node and not use.stored):
        return None
    return into if _is_same(facts, taken, uncut(into)[0]) else None


def _is_same(facts: Facts, taken: _Taken, owner: ast.expr) -> bool:
    if taken.every:
        model = _model_of_each(facts, owner)
        return model is not None and ast.unparse(model) == ast.unparse(taken.owner)
    if ast.unparse(owner) != ast.unparse(taken.owner):
        return False
    index = facts.index
    if index.function_of(owner) is index.function_of(taken.owner):
        return True
    return bool(facts.value(owner).storage & facts.value(taken.owner).storage) or (
        isinstance(owner, ast.Attribute) and index.class_of(owner) is index.class_of(taken.owner)
    )


def _elapses(facts: Facts, taken: _Taken, use: Use, into: ast.expr, held: bool) -> bool:
    """Are the weights trained, in the very memory, before they are brought back?"""
    start, end = (facts.index.statement_of(n) for n in (use.origin or taken.node, into))
    if start is None or end is None or start is end or _is_replaced(facts, end):
        return False
    if facts.index.function_of(start) is facts.index.function_of(end):
        events = changes_between(facts, taken.owner, start, end, use)
        return any(not _is_of_another(taken, s) for s in events)
    if not (held or waits(facts, taken.owner, start, end, use)):
        return False
    return in_other_method(facts, start, end, taken.owner) is True


def _is_replaced(facts: Facts, restoring: ast.stmt) -> bool:
    """`p.data = averaged`: the weights get other memory, and what was kept stays what it is."""
    stores = uses_in(facts).names.stored.get("data", ())
    return any(facts.index.statement_of(store) is not restoring for store in stores)


def _is_of_another(taken: _Taken, statement: ast.stmt) -> bool:
    """`b.copy_(best_b)`: another tensor is written."""
    match statement:
        case ast.AugAssign(target=target):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name, value=target))):
            if not name.endswith("_"):
                return False
        case _:
            return False
    return not taken.every and ast.unparse(uncut(target)[0]) != ast.unparse(taken.owner)
