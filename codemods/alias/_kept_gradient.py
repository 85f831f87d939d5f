"""A gradient that is kept from one call or turn to the next, while its memory is set to zero."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._training import head
from autofix.codemods.alias._weights import uncut
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode
from autofix.flow.objects import Closure
from autofix.flow.syntax import is_false, is_none, keyword, taken_from
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk


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
    pairs = list(_kept(facts, statement))
    if not pairs or _is_dropped(facts, function):
        return
    reset = zeroed(facts)
    for holder, node in pairs:
        reset = reset or _zeroed_abroad(facts, node)
        if reset is None:
            continue
        each = _of_each(node)
        if each is not None:
            found = _read_with_gradients(facts, function, holder)
            if found is not None:
                yield KeptGradient(holder, each, reset, found)
        elif _is_gradient(facts, node):
            read = _read_before(facts, statement, holder, node)
            if read is not None:
                yield KeptGradient(holder, node, reset, read)


def _kept(facts: Facts, statement: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What outlives a call or a turn, and what is put there."""
    inside = facts.index.function_of(statement) is not None
    for holder, node in pairs_of(statement):
        outlives = inside and isinstance(holder, (ast.Subscript, ast.Attribute))
        turns = isinstance(holder, ast.Name) and facts.index.loops_around(statement)
        if (outlives or turns) and getattr(holder, "attr", None) not in ("data", "grad"):
            yield holder, node


def _of_each(node: ast.expr) -> ast.expr | None:
    """`p.grad` of `[p.grad for p in params]`"""
    match node:
        case ast.Call(func=ast.Name(id="list" | "tuple" | "dict"), args=[inner]):
            return _of_each(inner)
        case ast.ListComp(elt=made) | ast.GeneratorExp(elt=made) | ast.DictComp(value=made):
            inner, _ = uncut(made)
            gradient = isinstance(inner, ast.Attribute) and inner.attr == "grad"
            return made if gradient else None
    return None


def pairs_of(statement: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    """Each target, and what is put there."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=left)], value=ast.Tuple(elts=right)):
            return list(zip(left, right, strict=False)) if len(left) == len(right) else []
        case ast.Assign(targets=[target]):
            return [(target, statement.value)]
    return []


def looked_up(node: ast.expr) -> str:
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
        case ast.Assign(value=ast.Call() as call):
            yield from _returned(facts, call, None)
        case ast.Assign(value=value) | ast.NamedExpr(value=value):
            yield value
        case ast.Tuple(elts=left):
            statement = facts.index.parents.get(parent)
            match statement:
                case ast.Assign(value=ast.Tuple(elts=right)) if len(right) == len(left):
                    yield right[left.index(store)]
                case ast.Assign(value=ast.Call() as call):
                    yield from _returned(facts, call, left.index(store))
                case _:
                    yield store
        case _:
            yield store


def _returned(facts: Facts, call: ast.Call, at: int | None) -> Iterator[ast.expr]:
    """What a function of this file returns there, or as that part of a tuple."""
    ref = facts.value(call.func).ref
    node = ref.node if isinstance(ref, Closure) else None
    returns = (
        []
        if node is None
        else [n for n in facts.index.body_nodes(node) if isinstance(n, ast.Return)]
    )
    for each in returns:
        value = each.value
        if at is not None:
            value = (
                value.elts[at] if isinstance(value, ast.Tuple) and at < len(value.elts) else None
            )
        yield call if value is None else value
    if not returns:
        yield call


@functools.lru_cache(maxsize=4)
def zeroed(facts: Facts) -> ast.Call | None:
    """Where the program sets gradients to zero, rather than to drop them."""
    for call in uses_in(facts).names.calls.get("zero_grad", ()):
        if is_false(keyword(call, "set_to_none")):
            return call
    for call in uses_in(facts).names.calls.get("zero_", ()):
        if isinstance(call.func, ast.Attribute) and _is_gradient(facts, call.func.value):
            return call
    return None


def _zeroed_abroad(facts: Facts, node: ast.expr) -> ast.Call | None:
    """The same in the files that use this one."""
    if _of_each(node) is None and not _is_gradient(facts, node):
        return None
    return next(iter(facts.zeroes(node)), None)


def _is_dropped(facts: Facts, function: FunctionNode | None) -> bool:
    """`p.grad = None` beside it: the next gradient has memory of its own."""
    return any(
        isinstance(n, ast.Assign)
        and is_none(n.value)
        and any(isinstance(t, ast.Attribute) and t.attr == "grad" for t in n.targets)
        for n in (facts.index.body_nodes(function) if function is not None else ())
    )


def _read_before(
    facts: Facts, statement: ast.stmt, holder: ast.expr, node: ast.expr
) -> ast.stmt | None:
    """Where what the last call or turn kept is read, in one block with the gradient of this one."""
    held, gradient = {ast.unparse(holder)}, ast.unparse(uncut(node)[0])
    function = facts.index.function_of(statement)
    around: ast.AST = function if function is not None else facts.tree
    if isinstance(holder, ast.Name):
        around = facts.index.loops_around(statement)[0]
        if not uses_in(facts).names.next_turn(holder):
            return None  # each turn binds it anew before it reads it
    statements = [n for n in walk(around) if isinstance(n, ast.stmt)]
    for each in statements:
        if isinstance(each, ast.Assign):
            for target, value in pairs_of(each):
                if isinstance(target, ast.Name) and looked_up(value) in held:
                    held.add(target.id)
    earlier = [
        each
        for each in statements
        if each is not statement
        and each.lineno <= statement.lineno
        and not isinstance(each, ast.If)
        and held & _texts_read(each)
    ]
    of_now = {
        facts.index.parents.get(s)
        for s in statements
        if s is not statement and gradient in _texts_read(s)
    }
    return next((each for each in earlier if facts.index.parents.get(each) in of_now), None)


def _texts_read(statement: ast.stmt) -> set[str]:
    return {
        ast.unparse(n)
        for n in head(statement)
        if isinstance(n, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(n.ctx, ast.Load)
    }


def _read_with_gradients(
    facts: Facts, keeping: FunctionNode | None, holder: ast.expr
) -> ast.stmt | None:
    """Where another method reads the kept gradients beside those of its own time; None also where
    they are worked on in place."""
    if not isinstance(holder, ast.Attribute) or getattr(keeping, "name", "") == "__init__":
        return None
    found: ast.stmt | None = None
    for read in uses_in(facts).attribute_loads(holder):
        if facts.index.function_of(read) is keeping:
            continue
        statement = facts.index.statement_of(read)
        inside = [statement] if statement is not None else []
        if isinstance(statement, ast.For) and read in ast.walk(statement.iter):
            names = {
                name.id
                for name, source in taken_from(statement.target, statement.iter)
                if read in ast.walk(source)
            }
            inside = [s for s in walk(statement) if isinstance(s, ast.stmt) and s is not statement]
            inside = [s for s in inside if names & _texts_read(s)]
            if any(_works_on(s, names) for s in inside):
                return None
        if any(_reads_gradient(s) for s in inside):
            found = found or statement
    return found


def _reads_gradient(statement: ast.stmt) -> bool:
    return any(
        isinstance(n, ast.Attribute) and n.attr == "grad" and isinstance(n.ctx, ast.Load)
        for n in head(statement)
    )


def _works_on(statement: ast.stmt, names: set[str]) -> bool:
    """`g.mul_(0.5)`, where that is a kept gradient, or may be."""
    for node in head(statement):
        match node:
            case ast.AugAssign(target=ast.Name(id=name)) if name in names:
                return True
            case ast.Call(func=ast.Attribute(attr=attr, value=ast.Name(id=name))):
                if name in names and attr.endswith("_"):
                    return True
    return False
