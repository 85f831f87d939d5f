"""Which object an expression refers to, told by names: aliases, attributes and arguments resolved.

Two handles that are related may be the same object; handles that are not are different ones, as far
as one file shows.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autofix.flow.index import FunctionNode
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in

if TYPE_CHECKING:
    from autofix.flow.events import Seq
    from autofix.flow.facts import Facts

Handle = tuple[str, ...]
Handles = frozenset[Handle]

NOBODY: Handles = frozenset()
OF_SELF = "self of "
"""How the handle of an object begins that only methods of its class show."""
_DEPTH = 6
_PARTS = frozenset(
    {"values", "items", "get", "children", "modules", "named_children", "named_modules"}
)
"""Methods that give what an object consists of."""


@dataclass(frozen=True)
class Scope:
    """Code that runs as part of other code: what its arguments are there."""

    function: FunctionNode | None
    arguments: Mapping[str, Handles] = field(default_factory=dict)
    wrapped: Seq | None = None
    """What runs where it yields: the body of the `with` that it manages."""


def handles(node: ast.expr, scope: Scope, facts: Facts, depth: int = _DEPTH) -> Handles:
    """The objects that an expression may refer to; empty where it makes a new one."""
    match node:
        case ast.Name():
            return _of_name(node, scope, facts, depth)
        case ast.Attribute(value=owner, attr=attr):
            return frozenset((*one, attr) for one in handles(owner, scope, facts, depth))
        case ast.Subscript(value=owner, slice=at):
            key = f"[{at.value!r}]" if isinstance(at, ast.Constant) else "*"
            return frozenset((*one, key) for one in handles(owner, scope, facts, depth))
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return NOBODY.union(*(handles(part, scope, facts, depth) for part in parts))
        case ast.IfExp(body=first, orelse=second):
            return handles(first, scope, facts, depth) | handles(second, scope, facts, depth)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _PARTS:
            return frozenset((*one, "*") for one in handles(owner, scope, facts, depth))
        case ast.Call(func=ast.Name(id="enumerate" | "list" | "tuple"), args=[many, *_]):
            return handles(many, scope, facts, depth)
    return NOBODY


def related(a: Handle, b: Handle) -> bool:
    """The same object, one a part of the other, or elements of one container."""
    return all(x == y or "*" in (x, y) for x, y in zip(a, b, strict=False))


def any_related(some: Handles, others: Handles) -> bool:
    return any(related(a, b) for a in some for b in others)


def _of_name(node: ast.Name, scope: Scope, facts: Facts, depth: int) -> Handles:
    if node.id in scope.arguments:
        return scope.arguments[node.id]
    if is_foreign(node):
        return NOBODY  # a name of another file
    owner = _binder(node, facts)
    if depth and (found := _aliased(node, scope, facts, depth - 1)):
        return found
    if node.id == "self" and owner is not None and (cls := facts.index.class_of(owner)):
        return frozenset({(f"{OF_SELF}{cls.name}",)})
    where = "" if owner is None else f"{owner.name}:{owner.lineno}:"
    return frozenset({(f"{where}{node.id}",)})


def _binder(node: ast.Name, facts: Facts) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function whose variable the name is; None for the module's."""
    owner = facts.index.function_of(node)
    while owner is not None:
        if node.id in facts.index.bound_names(owner):
            return owner
        owner = facts.index.outer_function(owner)
    return None


def _aliased(node: ast.Name, scope: Scope, facts: Facts, depth: int) -> Handles:
    """`opt = self.optimizer`, `for opt in (opt_a, opt_b)`: what a name that is bound once is."""
    target: ast.AST | None = _bound_by(node, facts)
    if target is None:
        return NOBODY
    match facts.index.parents.get(target):
        case ast.Assign(targets=[only], value=value) if only is target:
            return handles(value, scope, facts, depth) if not _is_fresh(value) else NOBODY
        case ast.For(target=only, iter=many) | ast.comprehension(target=only, iter=many) if (
            only is target
        ):
            listed = _listed(many, facts)
            if listed is not None:
                return handles(listed, scope, facts, depth)
            return frozenset((*one, "*") for one in handles(many, scope, facts, depth))
        case ast.Tuple(elts=parts) as both:
            at = parts.index(target)  # type: ignore[arg-type]
            match facts.index.parents.get(both):
                case ast.Assign(targets=[only], value=ast.Tuple(elts=values)) if only is both:
                    return handles(values[at], scope, facts, depth)
                case ast.For(target=only, iter=many) if only is both and at == len(parts) - 1:
                    inner = handles(many, scope, facts, depth)  # `for name, part in ...`
                    return frozenset((*one, "*") for one in inner)
    return NOBODY


def _bound_by(node: ast.Name, facts: Facts) -> ast.Name | None:
    """The one place that gives the name a value: the only one, or the target of the loop around."""
    stores = uses_in(facts).names.stores(node)
    if len(stores) == 1:
        return stores[0]
    for loop in facts.index.loops_around(node):
        inside = [store for store in stores if loop in facts.index.ancestors(store)]
        if inside:
            return (
                inside[0] if inside[0] is getattr(loop, "target", None) and not inside[1:] else None
            )
    return None


def _listed(many: ast.expr, facts: Facts) -> ast.expr | None:
    """`(a, b)`, or what a name stands for that is bound once, to `[a, b]`."""
    if isinstance(many, ast.Name) and not is_foreign(many):
        stores = uses_in(facts).names.all_stores(many)
        bound = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
        many = bound.value if isinstance(bound, ast.Assign) else many
    return many if isinstance(many, (ast.Tuple, ast.List)) else None


def _is_fresh(value: ast.expr) -> bool:
    return isinstance(value, (ast.Call, ast.Tuple, ast.List, ast.Constant))


def arguments_of(
    call: ast.Call, function: FunctionNode, bound: int, scope: Scope, facts: Facts
) -> dict[str, Handles]:
    """Which objects a function of this file is called with, by the names that they have inside; the
    first `bound` names are not given by the call."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)][bound:]
    found = {n: handles(v, scope, facts) for n, v in zip(names, call.args, strict=False)}
    for keyword in call.keywords:
        if keyword.arg is not None:
            found[keyword.arg] = handles(keyword.value, scope, facts)
    return {name: objects for name, objects in found.items() if objects}
