"""A weight that an optimizer keeps for its next step, to see how far it has moved until then."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._aliases import is_written_near
from autofix.codemods.alias._anchored import compared_in
from autofix.codemods.alias._kept_gradient import looked_up, pairs_of
from autofix.codemods.alias._weights import uncut
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, root_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind


@dataclass(frozen=True, slots=True)
class KeptBefore:
    holder: ast.expr
    node: ast.expr
    cut: bool
    compared: ast.expr
    """`p - state["previous"]`"""


def kept_before(facts: Facts, statement: ast.Assign) -> Iterator[KeptBefore]:
    """`state["previous"] = p` of each parameter, which the next call subtracts from `p`."""
    function = facts.index.function_of(statement)
    for holder, node in pairs_of(statement) if function is not None else ():
        inner, cut = uncut(node)
        if not isinstance(holder, ast.Subscript) or not isinstance(inner, ast.Name):
            continue
        if not is_written_near(facts, statement, inner) or not _is_weight(facts, inner):
            continue
        assert function is not None
        if not _is_of_each(facts, holder, inner) or _is_moved(facts, function, inner, cut):
            continue
        compared = _compared(facts, function, statement, holder, inner)
        if compared is not None:
            yield KeptBefore(holder, node, cut, compared)


def _is_weight(facts: Facts, name: ast.Name) -> bool:
    """Is it known for a leaf, or asked for its gradient?"""
    value = facts.value(name)
    if value.kind == Kind.TENSOR and value.leaf:
        return True
    loads = uses_in(facts).names.all_loads(name)
    return any(getattr(facts.index.parents.get(load), "attr", None) == "grad" for load in loads)


def _is_of_each(facts: Facts, holder: ast.Subscript, weight: ast.Name) -> bool:
    """Does each weight that a loop goes through have a place of its own?"""
    names, loops = uses_in(facts).names, facts.index.loops_around(weight)
    stores = [s for s in names.stores(weight) if not _is_update(facts, s)]
    loop = next((o for o in loops if isinstance(o, ast.For) and _binds(o, stores)), None)
    if loop is None or len(stores) != 1:
        return False
    bound = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    if _is_looked_up_by(holder, bound):
        return True
    root = root_name(holder)
    given = [
        value
        for node in ast.walk(loop)
        if isinstance(node, ast.Assign)
        for target, value in pairs_of(node)
        if isinstance(target, ast.Name) and target.id == root
    ]
    return bool(given) and all(_is_looked_up_by(value, bound) for value in given)


def _is_looked_up_by(node: ast.expr, names: set[str]) -> bool:
    """`self.state[p]["previous"]`, `kept[id(p)]`, `states.setdefault(name, {})`"""
    for part in ast.walk(node):
        keys: list[ast.expr] = []
        match part:
            case ast.Subscript(slice=ast.Call(func=ast.Name(id="id"), args=[key])):
                keys = [key]
            case ast.Subscript(slice=key) | ast.Call(args=[key, *_]):
                keys = [key]
        if any(isinstance(key, ast.Name) and key.id in names for key in keys):
            return True
    return False


def _binds(loop: ast.For, stores: list[ast.Name]) -> bool:
    inside = set(ast.walk(loop.target))
    return bool(stores) and all(store in inside for store in stores)


def _is_update(facts: Facts, store: ast.AST) -> bool:
    return isinstance(facts.index.parents.get(store), ast.AugAssign)


def _is_moved(facts: Facts, function: FunctionNode, weight: ast.Name, cut: bool) -> bool:
    """`p.data = new`: what was kept of `p.data` is the old memory then."""
    return cut and any(
        isinstance(n, ast.Attribute)
        and n.attr == "data"
        and isinstance(n.ctx, ast.Store)
        and not _is_update(facts, n)
        and root_name(n) == weight.id
        for n in facts.index.body_nodes(function)
    )


def _compared(
    facts: Facts, function: FunctionNode, statement: ast.Assign, holder: ast.expr, weight: ast.Name
) -> ast.expr | None:
    """The difference between the weight and what the last call kept of it."""
    held, texts = ast.unparse(holder), {ast.unparse(holder)}
    nodes = list(facts.index.body_nodes(function))
    for node in nodes:
        if not isinstance(node, ast.Assign):
            continue
        for target, value in pairs_of(node):
            if isinstance(target, ast.Name) and looked_up(value) == held:
                texts.add(target.id)
            elif ast.unparse(target) == held and node.lineno > statement.lineno:
                return None  # something else is kept in the end
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr=attr, value=owner)) if attr.endswith("_"):
                if ast.unparse(uncut(owner)[0]) in texts:
                    return None  # by way of it the weight is written
    for node in nodes:
        sides = compared_in(node)
        if sides is not None and isinstance(node, ast.expr):
            a, b = (ast.unparse(uncut(side)[0]) for side in sides)
            if (a == weight.id and b in texts) or (b == weight.id and a in texts):
                return node
    return None
