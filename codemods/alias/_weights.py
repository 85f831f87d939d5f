"""What gives the weights of a model, or their gradients: lists and dicts of them."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from enum import Enum

from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import last_name, root_name
from autofix.flow.objects import Closure
from autofix.flow.syntax import taken_from
from autofix.flow.walk import walk

_PARAMETERS = frozenset({"parameters", "named_parameters", "state_dict"})


class Of(Enum):
    GRADIENT = "the gradient"
    GRADIENTS = "the gradients"
    WEIGHT = "the weight"
    WEIGHTS = "the weights"
    PART = "a part of the tensor"


@dataclass(frozen=True, slots=True)
class Gathered:
    """`holder[name] = each`, in a loop over the parameters of a model."""

    holder: ast.expr
    each: ast.expr
    model: ast.expr
    cut: bool


def uncut(node: ast.expr) -> tuple[ast.expr, bool]:
    """`x` of `x.data`, `x.detach()`, `x.data.detach()`."""
    cut = False
    while True:
        match node:
            case ast.Attribute(attr="data", value=inner):
                node, cut = inner, True
            case ast.Call(func=ast.Attribute(attr="detach", value=inner)):
                node, cut = inner, True
            case _:
                return node, cut


def gathered(facts: Facts, node: ast.stmt) -> Gathered | None:
    """`old[name] = p.data`, `old.append(p.data)` in `for name, p in net.named_parameters():`"""
    match node:
        case ast.Assign(targets=[ast.Subscript(value=holder)], value=value):
            pass
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="append" | "setdefault", value=holder), args=[*_, value]
            )
        ):
            pass
        case _:
            return None
    each = value.elts[-1] if isinstance(value, ast.Tuple) and value.elts else value
    inner, cut = uncut(each)
    for loop in facts.index.loops_around(node):
        pairs = taken_from(loop.target, loop.iter) if isinstance(loop, ast.For) else []
        for name, source in pairs:
            model = owner_of(source)
            if model is None or not isinstance(inner, ast.Name) or inner.id != name.id:
                continue
            swapped = any(_is_swapped(n, name.id) for n in walk(loop))
            return None if swapped else Gathered(holder, each, model, cut)
    return None


def _is_swapped(node: ast.AST, name: str) -> bool:
    """`p.data = ...`: the weight gets other memory, and what was kept is left as it is."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr="data", ctx=ast.Store()):
            return owner == name
    return False


def weights_of(value: ast.expr) -> tuple[Of, str, bool] | None:
    """The model of `list(model.parameters())`, `[p.data for p in model.parameters()]`,
    `{name: p for name, p in model.named_parameters()}`, `model.state_dict()`; with `p.grad`
    its gradients."""
    found: str | None = None
    of, cut = Of.WEIGHTS, False
    match value:
        case ast.Call(func=ast.Attribute(attr="state_dict"), args=[], keywords=[]):
            found = parameters_of(value)
        case ast.Call(func=ast.Name(id="list" | "dict" | "tuple"), args=[source]):
            found = parameters_of(source)
        case ast.ListComp(elt=made, generators=[one]) | ast.DictComp(value=made, generators=[one]):
            inner, cut = uncut(made)
            if isinstance(inner, ast.Attribute) and inner.attr == "grad":
                of, inner = Of.GRADIENTS, inner.value
            names = [n.id for n in ast.walk(one.target) if isinstance(n, ast.Name)]
            if isinstance(inner, ast.Name) and names and inner.id == names[-1]:
                found = parameters_of(one.iter)
    return (of, found, cut) if found is not None else None


def handed_out(facts: Facts, value: ast.expr) -> tuple[Of, str, bool] | None:
    """`snapshot(model)`, where the function returns such a list or dict of its argument."""
    if not isinstance(value, ast.Call) or not may_hand_out(facts, value):
        return None
    ref = facts.value(value.func).ref
    function = ref.node if isinstance(ref, Closure) and ref.bound_to is None else None
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    returned = [n.value for n in walk(function) if isinstance(n, ast.Return)]
    found = _returned(facts, returned[0]) if len(returned) == 1 else None
    if found is None:
        return None
    of, name, cut = found
    given = given_to(facts, function, value, name)
    if not isinstance(given, (ast.Name, ast.Attribute)):
        return None
    return of, ast.unparse(given), cut


def _returned(facts: Facts, value: ast.expr | None) -> tuple[Of, str, bool] | None:
    """What a function returns: a list of weights, or a name under which it has gathered them."""
    function = facts.index.function_of(value) if isinstance(value, ast.Name) else None
    for node in walk(function) if function is not None else ():
        found = gathered(facts, node) if isinstance(node, (ast.Assign, ast.Expr)) else None
        if found is not None and ast.unparse(found.holder) == ast.unparse(value or found.each):
            return Of.WEIGHTS, ast.unparse(found.model), found.cut
    return weights_of(value) if value is not None else None


def may_hand_out(facts: Facts, call: ast.Call) -> bool:
    """Is a function called by the name of one that does so, or one of another file?"""
    if last_name(call.func) in _handing(facts):
        return True
    return facts.project is not None and root_name(call.func) in facts.index.imported


@functools.lru_cache(maxsize=4)
def _handing(facts: Facts) -> frozenset[str]:
    """The names of the functions of this file that return weights or a list of them."""
    returns = [r for r in facts.index.of_kind(ast.Return) if _returned(facts, r.value)]
    return frozenset(f.name for r in returns if (f := facts.index.function_of(r)) is not None)


def parameters_of(node: ast.expr) -> str | None:
    owner = owner_of(node)
    return None if owner is None else ast.unparse(owner)


def owner_of(parameters: ast.expr) -> ast.expr | None:
    """`model` of `model.parameters()`"""
    match parameters:
        case ast.Call(func=ast.Attribute(attr="items" | "values", value=ast.Call() as inner)):
            return owner_of(inner)
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _PARAMETERS:
            return owner
    return None
