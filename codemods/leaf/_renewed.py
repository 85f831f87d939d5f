"""Lists of weights that a turn of a training loop replaces by tensors that are no leaves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.frame import only_leaves
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import Closure
from autofix.flow.roles import runs_backward
from autofix.flow.syntax import calls_any
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk
from autofix.model import Edit

_WRAPPERS = frozenset({"tuple", "list", "dict"})
_LEAVES_AGAIN = frozenset({"requires_grad_", "requires_grad", "retain_grad", "Parameter"})


@dataclass(frozen=True, slots=True)
class Renewed:
    """`statement` binds `name` to new tensors, which the expressions `made` give."""

    statement: ast.Assign
    name: str
    made: tuple[ast.expr, ...]


def renewed(facts: Facts, node: ast.Assign) -> Renewed | None:
    """`weights = [w - lr * w.grad for w in weights]` in a loop that asks for their gradients."""
    loop = next(iter(facts.index.loops_around(node)), None)
    target = node.targets[0]
    names = [n.id for n in getattr(target, "elts", [target]) if isinstance(n, ast.Name)]
    if loop is None or not names or isinstance(node.value, (ast.BinOp, ast.Tuple)):
        return None
    if not runs_backward(loop, facts) or calls_any(loop, {"grad"}):
        return None
    made = tuple(_made(facts, node.value, 0))
    if not made or not any(_reads_gradient(facts, m) for m in made):
        return None
    before = [facts.before(loop).get(name) for name in names]
    if not all(value is not None and only_leaves(value) for value in before):
        return None
    if isinstance(target, ast.Name) and before[0].kind == Kind.TENSOR:  # type: ignore[union-attr]
        return None
    if not any(_is_computed_with(facts, loop, node, name) for name in names):
        return None
    here = facts.index.function_of(node)
    helpers = {f for m in made if (f := facts.index.function_of(m)) not in (here, None)}
    if any(_leaves_again(n) for n in (loop, *helpers)):
        return None
    return Renewed(node, ", ".join(names), made)


def _is_computed_with(facts: Facts, loop: ast.stmt, node: ast.Assign, name: str) -> bool:
    """Is it read for more than its gradients? (Not so the parameters of a model that computes.)"""
    return any(
        isinstance(n, ast.Name)
        and n.id == name
        and isinstance(n.ctx, ast.Load)
        and node not in facts.index.ancestors(n)
        and not isinstance(facts.index.parents.get(n), ast.comprehension)
        for n in walk(loop)
    )


def _made(facts: Facts, node: ast.expr, depth: int) -> Iterator[ast.expr]:
    """The expressions that give the elements of a list, tuple or dict that is made anew."""
    match node:
        case ast.ListComp(elt=inner) | ast.GeneratorExp(elt=inner) | ast.DictComp(value=inner):
            yield from _element(facts, inner, depth)
        case ast.List(elts=inner) | ast.Tuple(elts=inner) if inner:
            for each in inner:
                yield from _element(facts, each, depth)
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _WRAPPERS:
            yield from _made(facts, inner, depth)
        case ast.Call() if depth < 2:
            for result in _returned(facts, node):
                yield from _made(facts, result, depth + 1)
        case ast.Name() if depth < 4:
            yield from _named(facts, node, depth)


def _element(facts: Facts, node: ast.expr, depth: int) -> Iterator[ast.expr]:
    inside = list(_made(facts, node, depth)) if not isinstance(node, ast.Name) else []
    yield from inside or [node]


def _named(facts: Facts, node: ast.Name, depth: int) -> Iterator[ast.expr]:
    """What a name was bound to once: a list, also one that is filled by `append`."""
    names = uses_in(facts).names
    stores = names.stores(node)
    made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    if not isinstance(made, ast.Assign):
        return
    match made.value:
        case ast.List(elts=[]) | ast.Call(func=ast.Name(id="list"), args=[]):
            for load in names.all_loads(stores[0]):
                attribute = facts.index.parents.get(load)
                call = facts.index.parents.get(attribute) if attribute is not None else None
                match call:
                    case ast.Call(func=ast.Attribute(attr="append"), args=[added]):
                        yield from _element(facts, added, depth + 1)
        case _:
            yield from _made(facts, made.value, depth + 1)


def _returned(facts: Facts, call: ast.Call) -> Iterator[ast.expr]:
    """What a function of this file returns, if that is one expression."""
    ref = facts.value(call.func).ref
    function = ref.node if isinstance(ref, Closure) else None
    if not isinstance(function, FUNCTIONS) or is_foreign(function):
        return
    results = [n.value for n in walk(function) if isinstance(n, ast.Return)]
    if len(results) == 1 and results[0] is not None:
        yield results[0]


def _reads_gradient(facts: Facts, made: ast.expr) -> bool:
    """Is a gradient read where the element is made, or in the function around?"""
    around: list[ast.AST] = [made]
    around += [p for p in facts.index.ancestors(made) if isinstance(p, ast.stmt | ast.expr)]
    scope: ast.AST | None = facts.index.function_of(made)
    statement = facts.index.statement_of(made)
    if statement is not None and isinstance(statement, ast.Return) and scope is not None:
        around.append(scope)
    return any(
        isinstance(n, ast.Attribute) and n.attr == "grad" and isinstance(n.ctx, ast.Load)
        for owner in around
        if not isinstance(owner, (ast.For, ast.While, ast.With, ast.If))
        for n in walk(owner)
    )


def _leaves_again(scope: ast.AST) -> bool:
    """Is anything made a leaf in there? (`if loss.requires_grad:` only asks.)"""
    for n in walk(scope):
        match n:
            case ast.Attribute(attr="requires_grad", ctx=ast.Load()):
                continue
            case ast.Attribute() | ast.Name() if last_name(n) in _LEAVES_AGAIN:
                return True
            case ast.keyword(arg="requires_grad"):
                return True
    return False


def as_leaves(facts: Facts, found: Renewed) -> tuple[Edit, ...]:
    """The edits that make a leaf of each new tensor."""
    edits: list[Edit] = []
    for made in found.made:
        start, end = facts.source.span(made)
        match made:
            case ast.Call(func=ast.Attribute(attr="detach")):
                edits.append(Edit(end, end, ".requires_grad_()"))
            case ast.Name() | ast.Attribute() | ast.Call() | ast.Subscript():
                edits.append(Edit(end, end, ".detach().requires_grad_()"))
            case _:
                edits += [Edit(start, start, "("), Edit(end, end, ").detach().requires_grad_()")]
    return tuple(edits)
