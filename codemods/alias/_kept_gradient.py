"""A gradient that is kept from one call or turn to the next, while its memory is set to zero."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._aliases import uncut
from autofix.codemods.alias._training import head
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode
from autofix.flow.syntax import is_false, is_none, keyword
from autofix.flow.uses import uses_in


@dataclass(frozen=True, slots=True)
class KeptGradient:
    holder: ast.expr
    node: ast.expr
    """What gives the gradient: `p.grad`, or a name for it."""
    zeroed: ast.Call
    read: ast.stmt


def kept_gradients(facts: Facts, statement: ast.Assign) -> Iterator[KeptGradient]:
    """`state["previous"] = grad`, which the next call reads together with its own gradient."""
    function = facts.index.function_of(statement)
    pairs = list(_kept(statement))
    zeroed = _zeroed(facts) if pairs else None
    if function is None or zeroed is None:
        return
    for holder, node in pairs:
        if not _is_gradient(facts, node) or _is_dropped(facts, function):
            continue
        read = _read_before(facts, function, statement, holder, node)
        if read is not None:
            yield KeptGradient(holder, node, zeroed, read)


def _kept(statement: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What outlives a call, and what is put there."""
    for holder, node in _pairs(statement):
        outlives = isinstance(holder, (ast.Subscript, ast.Attribute))
        if outlives and getattr(holder, "attr", None) not in ("data", "grad"):
            yield holder, node


def _pairs(statement: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    """Each target, and what is put there."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=left)], value=ast.Tuple(elts=right)):
            return list(zip(left, right, strict=False)) if len(left) == len(right) else []
        case ast.Assign(targets=[target]):
            return [(target, statement.value)]
    return []


def _looked_up(node: ast.expr) -> str:
    """The text of `kept[key]`, also for `kept.get(key)`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="get", value=owner), args=[key, *_]):
            return f"{ast.unparse(owner)}[{ast.unparse(key)}]"
    return ast.unparse(node)


def _is_gradient(facts: Facts, node: ast.expr) -> bool:
    """`p.grad`, `p.grad.data`, or a name that was given nothing else."""
    inner, _ = uncut(node)
    if isinstance(inner, ast.Name):
        names = uses_in(facts).names
        stores = [s for s in names.stores(inner) if inner in names.loads(s)]
        given = [g for s in stores for g in _given(facts, s)]
        return bool(given) and all(
            isinstance(uncut(g)[0], ast.Attribute) and _is_gradient(facts, g) for g in given
        )
    return isinstance(inner, ast.Attribute) and inner.attr == "grad"


def _given(facts: Facts, store: ast.Name) -> Iterator[ast.expr]:
    """What the name is bound to there, also by one part of a tuple."""
    parent = facts.index.parents.get(store)
    match parent:
        case ast.Assign(value=value) | ast.NamedExpr(value=value):
            yield value
        case ast.Tuple(elts=left):
            statement = facts.index.parents.get(parent)
            match statement:
                case ast.Assign(value=ast.Tuple(elts=right)) if len(right) == len(left):
                    yield right[left.index(store)]
                case _:
                    yield store
        case _:
            yield store


@functools.lru_cache(maxsize=4)
def _zeroed(facts: Facts) -> ast.Call | None:
    """Where the program sets gradients to zero, rather than to drop them."""
    for call in uses_in(facts).names.calls.get("zero_grad", ()):
        if is_false(keyword(call, "set_to_none")):
            return call
    for call in uses_in(facts).names.calls.get("zero_", ()):
        if isinstance(call.func, ast.Attribute) and _is_gradient(facts, call.func.value):
            return call
    return None


def _is_dropped(facts: Facts, function: FunctionNode | None) -> bool:
    """`p.grad = None` beside it: the next gradient has memory of its own."""
    return any(
        isinstance(n, ast.Assign)
        and is_none(n.value)
        and any(isinstance(t, ast.Attribute) and t.attr == "grad" for t in n.targets)
        for n in (facts.index.body_nodes(function) if function is not None else ())
    )


def _read_before(
    facts: Facts,
    function: FunctionNode | None,
    statement: ast.stmt,
    holder: ast.expr,
    node: ast.expr,
) -> ast.stmt | None:
    """Where what the last call kept is read, together with the gradient of this one."""
    assert function is not None
    held, gradient = {ast.unparse(holder)}, ast.unparse(uncut(node)[0])
    statements = [n for n in facts.index.body_nodes(function) if isinstance(n, ast.stmt)]
    for each in statements:
        if isinstance(each, ast.Assign):
            for target, value in _pairs(each):
                if isinstance(target, ast.Name) and _looked_up(value) in held:
                    held.add(target.id)
    for each in statements:
        if each is statement or each.lineno > statement.lineno or isinstance(each, ast.If):
            continue
        texts = {
            ast.unparse(n)
            for n in head(each)
            if isinstance(n, (ast.Name, ast.Attribute, ast.Subscript))
            and isinstance(n.ctx, ast.Load)
        }
        if gradient in texts and held & texts:
            return each
    return None
