"""Who else would see the rows change: other names, containers, the caller, later code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.in_place._row_body import Base, Nest
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.flow.state import Key
from autofix.flow.values import Kind, Value
from autofix.rewrite.liveness import read_later


def check_leaf(base: Base, shown: str) -> None:
    if base.value.leaf:
        raise DeclinedError(
            f"`{shown}` is a leaf that requires grad: nothing may be written into it, and a new "
            "tensor under its name would not be the one that is trained"
        )


def check_names_after(nest: Nest, facts: Facts) -> None:
    """The loop's variable and temporaries are gone after the rewrite."""
    for name in sorted(nest.bound):
        if read_later(name, nest.loop, facts):
            raise DeclinedError(f"`{name}` is used after the loop")


def check_aliases(base: Base, nest: Nest, facts: Facts) -> None:
    """No other name or container may hold the same memory and be read later."""
    before = facts.before(nest.loop)
    mine = base.node.id if isinstance(base.node, ast.Name) else None
    storage = base.value.storage
    reachable = _reachable(before)
    for key, value in before.items():
        if isinstance(key, str):
            if key == mine or key in nest.bound:
                continue
            shares = value.kind & Kind.TENSOR and value.storage & storage
            if shares and (read_later(key, nest.loop, facts) or _read_in(key, nest.loop)):
                raise DeclinedError(f"`{key}` shares its memory and is read later")
        elif isinstance(key, int) and key in reachable and _holds(value, storage):
            raise DeclinedError("a list or dict holds the same tensor, which changes with it")
        elif isinstance(key, tuple) and _holds(value, storage) and not _is_it(base, key):
            raise DeclinedError(
                f"the attribute `{key[1]}` holds the same tensor, which changes with it"
            )


def _is_it(base: Base, key: tuple[int, str]) -> bool:
    return isinstance(base.node, ast.Attribute) and base.node.attr == key[1]


def _reachable(before: dict[Key, Value]) -> set[int]:
    """Lists and dicts that a name, an attribute or another container refers to."""
    found: set[int] = set()
    todo = [v for key, v in before.items() if not isinstance(key, int)]
    while todo:
        value = todo.pop()
        for identity in value.aliases - found:
            found.add(identity)
            if identity in before:
                todo.append(before[identity])
        todo += value.items or ([value.elem] if value.elem is not None else [])
    return found


def _holds(value: Value, storage: frozenset[int], depth: int = 3) -> bool:
    if value.kind & Kind.TENSOR and value.storage & storage:
        return True
    inner = [*(value.items or ()), *(value.entries or {}).values()]
    if value.elem is not None:
        inner.append(value.elem)
    return depth > 0 and any(_holds(v, storage, depth - 1) for v in inner)


def check_binding(base: Base, nest: Nest, facts: Facts) -> None:
    """The tensor must have a name here that can be bound anew."""
    function = facts.index.function_of(nest.loop)
    shown = facts.source.segment(base.node)
    if isinstance(base.node, ast.Attribute):
        if isinstance(base.node.value, ast.Name) and _assigned_before(base, nest, facts):
            return
        raise DeclinedError(f"`{shown}` is not set here, so other code may hold the same tensor")
    if not isinstance(base.node, ast.Name):
        raise DeclinedError(f"`{shown}` is kept in a container")
    if function is None:
        return
    name = base.node.id
    nodes = facts.index.body_nodes(function)
    outside = any(isinstance(n, (ast.Global, ast.Nonlocal)) and name in n.names for n in nodes)
    if outside or not _is_local(name, function, facts):
        raise DeclinedError(
            f"`{name}` belongs to the code around the function, which keeps the old one"
        )


def _is_local(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef, facts: Facts) -> bool:
    if any(a.arg == name for a in _parameters(function)):
        return True
    return any(
        isinstance(n, ast.Name)
        and n.id == name
        and isinstance(n.ctx, ast.Store)
        and facts.index.function_of(n) is function
        for n in facts.index.body_nodes(function)
    )


def _assigned_before(base: Base, nest: Nest, facts: Facts) -> bool:
    """Was the attribute bound in this very function, before the loop?"""
    function = facts.index.function_of(nest.loop)
    nodes = ast.walk(facts.tree) if function is None else facts.index.body_nodes(function)
    wanted = ast.dump(base.node)
    return any(
        isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and n.lineno < nest.loop.lineno
        and ast.dump(ast.Attribute(n.value, n.attr, ast.Load())) == wanted
        for n in nodes
    )


def argument_written(base: Base, nest: Nest, facts: Facts) -> str | None:
    """The argument whose memory the loop writes, so that the caller sees it."""
    function = facts.index.function_of(nest.loop)
    if function is None:
        return None
    for parameter in _parameters(function):
        value = facts.argument(parameter)
        if value is not None and value.storage & base.value.storage:
            return parameter.arg
    return None


def check_caller(argument: str, base: Base, nest: Nest, facts: Facts) -> bool:
    """Nobody outside may rely on the argument being changed. True if all callers are known."""
    function = facts.index.function_of(nest.loop)
    assert function is not None
    name = base.node.id if isinstance(base.node, ast.Name) else ""
    returns = [
        n.value
        for n in facts.index.body_nodes(function)
        if isinstance(n, ast.Return) and n.value is not None
    ]
    if not any(isinstance(n, ast.Name) and n.id == name for r in returns for n in ast.walk(r)):
        raise DeclinedError(
            f"the caller's tensor is changed through `{argument}`, and not returned"
        )
    position = [a.arg for a in _parameters(function)].index(argument)
    method = facts.index.class_of(function) is facts.index.parents.get(function)
    for call in _calls(function.name, facts):
        given = call.args[position - method : position - method + 1] if position >= method else []
        given += [k.value for k in call.keywords if k.arg == argument]
        for value in given:
            _check_given(value, call, function.name, facts)
    return function.name.startswith("_") and not function.name.endswith("__")


def _check_given(value: ast.expr, call: ast.Call, name: str, facts: Facts) -> None:
    if isinstance(value, (ast.Attribute, ast.Subscript)):
        raise DeclinedError(f"a caller of `{name}` keeps the tensor that it passes")
    statement = facts.index.statement_of(call)
    if not isinstance(value, ast.Name) or statement is None:
        return
    match statement:
        case ast.Assign(targets=[ast.Name(id=bound)]) if bound == value.id:
            return
        case ast.Return():
            return
    if read_later(value.id, statement, facts):
        raise DeclinedError(
            f"a caller of `{name}` uses the tensor that it passed, changed, afterwards"
        )


def _calls(name: str, facts: Facts) -> Iterator[ast.Call]:
    for owner in facts.index.callers(name):
        for node in ast.walk(owner):
            if isinstance(node, ast.Call):
                called = node.func
                last = (
                    called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                )
                if last == name:
                    yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    spec = function.args
    return [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]


def _read_in(name: str, loop: ast.stmt) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        for n in ast.walk(loop)
    )
