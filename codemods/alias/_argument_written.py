"""Functions that write into an argument they give back, and callers that use it again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._weights import uncut
from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import FunctionNode, last_name, root_name
from autofix.flow.objects import Closure, Instance
from autofix.flow.syntax import taken_from, unsubscripted
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.flow.walk import walk

_WRITES = frozenset({"add_", "sub_", "mul_", "div_", "neg_", "pow_", "addcmul_", "lerp_", "exp_"})
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_CALLED = frozenset({"__call__", "forward"})
_WRAPPERS = frozenset({"zip", "enumerate", "list", "reversed"})
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Written:
    argument: str
    statement: ast.stmt
    """What writes."""
    call: ast.Call
    """Whose argument is used again."""


def argument_written(facts: Facts, function: ast.FunctionDef) -> Written | None:
    """`def f(x): x[..., 2:] += x[..., :2]; return x`, called with what the next turn of a loop
    hands in again, or with what each turn puts into a list."""
    if function.name.endswith("_") and not function.name.endswith("__"):
        return None
    given_back = _given_back(facts, function)
    spec = [a for a in (*function.args.posonlyargs, *function.args.args) if a.arg != "self"]
    for parameter in spec:
        if parameter.arg != given_back:
            continue
        statement = _write(facts, function, parameter.arg)
        if statement is None:
            continue
        value = facts.argument(parameter)
        if value is None or value.leaf or value.graph == Graph.YES:
            continue
        calls = list(calls_of(facts, function))
        if any(isinstance(facts.index.parents.get(c), ast.Expr) for c in calls):
            continue  # it is called for what it does
        for call in calls:
            given = given_to(facts, function, call, parameter.arg)
            known = value.kind == Kind.TENSOR or (given is not None and _is_tensor(facts, given))
            if given is None or not known:
                continue
            if _is_of_leaf(facts, given) or _is_used_again(facts, call, given):
                return Written(parameter.arg, statement, call)
    return None


def _is_of_leaf(facts: Facts, given: ast.expr) -> bool:
    """`draw(x.detach()[0])`, where x is trained: it is the memory of `x`."""
    inner, cut = uncut(unsubscripted(given))
    if not cut or not isinstance(inner, (ast.Name, ast.Attribute)):
        return False
    value = facts.value(inner)
    return value.is_tensor and value.leaf and facts.index.trains


def _is_tensor(facts: Facts, node: ast.expr) -> bool:
    """Is it one at first, whatever a turn of the loop makes of it?"""
    kind = facts.value(node).kind
    return bool(kind & Kind.TENSOR) and not kind & ~(Kind.TENSOR | Kind.UNKNOWN)


def _write(facts: Facts, function: FunctionNode, name: str) -> ast.stmt | None:
    """Where the values of the argument are changed by what they were; None if the name is bound to
    another tensor as well."""
    found: ast.stmt | None = None
    for node in facts.index.body_nodes(function):
        match node:
            case ast.Name(id=other, ctx=ast.Store()) if other == name:
                if not isinstance(facts.index.parents.get(node), ast.AugAssign):
                    return None
            case ast.AugAssign(target=target, op=op) if isinstance(op, _ARITHMETIC):
                found = found or (node if _is_of(target, name) else None)
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                if _is_of(target, name) and any(_is_of(n, name) for n in walk(value)):
                    found = found or node
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr, value=owner))):
                if attr in _WRITES and _is_of(first_written(owner), name):
                    found = found or node
            case ast.For(target=target, iter=source, body=body):
                rows = {row.id for row, many in taken_from(target, source) if _is_of(many, name)}
                found = found or next((s for s in body if _writes_row(s, rows)), None)
    return found


def first_written(node: ast.expr) -> ast.expr:
    """`t` of `t.mul_(s)`, which gives `t` itself."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in _WRITES:
            return node
        node = node.func.value
    return node


def _writes_row(statement: ast.stmt, rows: set[str]) -> bool:
    """`t.mul_(s)` and `t *= s` of an element of the argument."""
    match statement:
        case ast.AugAssign(target=target, op=op) if isinstance(op, _ARITHMETIC):
            return any(_is_of(target, row) for row in rows)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr, value=owner))):
            return attr in _WRITES and any(_is_of(first_written(owner), row) for row in rows)
    return False


def _is_of(node: ast.AST, name: str) -> bool:
    inner = unsubscripted(node) if isinstance(node, ast.expr) else node
    return isinstance(inner, ast.Name) and inner.id == name


def _given_back(facts: Facts, function: FunctionNode) -> str | None:
    """The name that every `return` of the function gives."""
    results = [n.value for n in facts.index.body_nodes(function) if isinstance(n, ast.Return)]
    names = {r.id if isinstance(r, ast.Name) else None for r in results}
    return names.pop() if len(names) == 1 else None


def calls_of(facts: Facts, function: ast.FunctionDef) -> Iterator[ast.Call]:
    if function.name not in _CALLED:
        yield from uses_in(facts).calls_of(function)
        return
    for call in facts.index.of_kind(ast.Call):
        ref = facts.value(call.func).ref if isinstance(call.func, (ast.Name, ast.Attribute)) else 0
        if isinstance(ref, Instance):
            found = ref.info.find(function.name)
            if found is not None and isinstance(found.ref, Closure) and found.ref.node is function:
                yield call


def _is_used_again(facts: Facts, call: ast.Call, given: ast.expr) -> bool:
    statement = facts.index.statement_of(call)
    if not isinstance(given, (ast.Name, ast.Attribute, ast.Subscript)) or statement is None:
        return False
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == ast.unparse(
        given
    ):
        return _is_collected(facts, call, given) or (
            _bound_by_loop(facts, given) is not None and _is_same_again(facts, call, given, _DEPTH)
        )
    return _is_same_again(facts, call, given, _DEPTH)


def _is_collected(facts: Facts, call: ast.Call, given: ast.expr) -> bool:
    """`x = step(x)`, `frames.append(x)` in a loop that does not bind x anew: all elements are one
    tensor."""
    loop = next(iter(facts.index.loops_around(call)), None)
    root = next((n for n in walk(given) if isinstance(n, ast.Name)), None)
    anew = [
        store
        for store in (uses_in(facts).names.stores(root) if root is not None else ())
        if loop in facts.index.ancestors(store)
        and facts.index.statement_of(store) is not facts.index.statement_of(call)
    ]
    if anew:
        return False
    for node in walk(loop) if loop is not None else ():
        match node:
            case ast.Call(func=ast.Attribute(attr="append"), args=[kept]):
                if ast.unparse(kept) == ast.unparse(given) and node.lineno > call.lineno:
                    return True
    return False


def _is_same_again(facts: Facts, call: ast.Call, given: ast.expr, depth: int) -> bool:
    """Does a loop around the call, or around one that leads to it, hand in the same tensor in
    each of its turns, and nothing else that changes?"""
    root = next((n for n in walk(given) if isinstance(n, ast.Name)), None)
    if root is None or root.id == "self" or root_name(given) != root.id or not depth:
        return False
    function = facts.index.function_of(call)
    others = [a for a in (*call.args, *(k.value for k in call.keywords)) if a is not given]
    loops = facts.index.loops_around(call)
    if function is not None and not uses_in(facts).names.stores(root):
        return bool(others == [] or _are_constant(facts, others, function)) and any(
            (outer := given_to(facts, function, c, root.id)) is not None
            and _is_same_again(facts, c, outer, depth - 1)
            for c in uses_in(facts).calls_of(function)
        )
    if not loops or not all(_stays(facts, other, loops[0]) for other in others):
        return False
    bound = _bound_by_loop(facts, root)
    if bound is None:
        return _stays(facts, root, loops[-1])
    if bound not in loops or bound is loops[-1]:
        return False
    sources = list(_sources(bound.iter))
    return bool(sources) and all(
        _stays(facts, s, loops[-1]) and _holds_tensors(facts, s) for s in sources
    )


def _are_constant(facts: Facts, others: list[ast.expr], function: FunctionNode) -> bool:
    bound = facts.index.bound_names(function)
    return not any(isinstance(n, ast.Name) and n.id in bound for o in others for n in walk(o))


def _bound_by_loop(facts: Facts, node: ast.expr) -> ast.For | None:
    """The `for` that binds the name (or the name that the expression begins with)."""
    root = next((n for n in walk(node) if isinstance(n, ast.Name)), None)
    for store in uses_in(facts).names.stores(root) if root is not None else ():
        for owner in facts.index.ancestors(store):
            if isinstance(owner, ast.For) and any(n is store for n in walk(owner.target)):
                return owner
    return None


def _sources(node: ast.expr) -> Iterator[ast.expr]:
    """`a` and `b` of `enumerate(zip(a, b))`."""
    if isinstance(node, ast.Call) and last_name(node.func) in _WRAPPERS:
        for each in node.args:
            yield from _sources(each)
    else:
        yield node


def _stays(facts: Facts, node: ast.expr, loop: ast.stmt) -> bool:
    """Is it a constant, or names that nothing binds in the loop?"""
    if any(isinstance(n, ast.Call) for n in walk(node)):
        return False
    return not any(
        loop in facts.index.ancestors(store)
        for n in walk(node)
        if isinstance(n, ast.Name)
        for store in uses_in(facts).names.stores(n)
    )


def _holds_tensors(facts: Facts, node: ast.expr) -> bool:
    """Is it a tensor, or a list of what is known? (A loader makes each batch anew.)"""
    value = facts.value(node)
    if value.kind == Kind.TENSOR:
        return True
    return (
        value.kind == Kind.SEQUENCE
        and value.elem is not None
        and not (value.elem.kind & Kind.UNKNOWN)
    )
