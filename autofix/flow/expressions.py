"""What each kind of expression evaluates to."""

from __future__ import annotations

import ast
from typing import Any

from autofix.flow.access import iterate
from autofix.flow.frame import Frame, expression
from autofix.flow.joins import join, join_all, sequence
from autofix.flow.objects import Closure
from autofix.flow.state import State
from autofix.flow.stores import assign
from autofix.flow.values import NONE, OTHER, STRING, UNKNOWN, Kind, Value, fresh


@expression(ast.Constant)
def _constant(node: ast.Constant, frame: Frame) -> Value:
    if node.value is None:
        return NONE
    if isinstance(node.value, str):
        return Value(Kind.STRING, const=node.value)
    if isinstance(node.value, (bool, int, float, complex)):
        return Value(Kind.NUMBER, const=node.value)
    return OTHER


@expression(ast.Name)
def _name(node: ast.Name, frame: Frame) -> Value:
    return frame.name(node.id)


@expression(ast.JoinedStr, ast.FormattedValue)
def _formatted(node: ast.JoinedStr, frame: Frame) -> Value:
    for child in ast.walk(node):
        if isinstance(child, ast.FormattedValue):
            frame.eval(child.value)
    return STRING


@expression(ast.Tuple, ast.List, ast.Set)
def _display(node: ast.Tuple | ast.List, frame: Frame) -> Value:
    items: list[Value] = []
    exact = True
    for element in node.elts:
        if isinstance(element, ast.Starred):
            value = frame.eval(element.value)
            if value.items is not None:
                items.extend(value.items)
            else:
                exact = False
                items.append(iterate(value, frame, element.value))
        else:
            items.append(frame.eval(element))
    identity = frozenset({fresh()}) if isinstance(node, ast.List) else frozenset()
    value = sequence(tuple(items) if exact else None, join_all(items))
    if identity:
        value = value.but(aliases=identity)
        frame.state.bound[next(iter(identity))] = value
    return value


@expression(ast.Dict)
def _dict(node: ast.Dict, frame: Frame) -> Value:
    entries: dict[Any, Value] | None = {}
    elem: Value | None = None
    for key, value_node in zip(node.keys, node.values, strict=True):
        value = frame.eval(value_node)
        if key is None:
            entries = None
            elem = join(elem, value.elem or UNKNOWN)
            continue
        const = frame.eval(key).const
        if entries is not None and isinstance(const, (str, int)):
            entries[const] = value
        else:
            entries = None
        elem = join(elem, value)
    identity = fresh()
    result = Value(Kind.DICT, elem=elem, entries=entries, aliases=frozenset({identity}))
    frame.state.bound[identity] = result
    return result


@expression(ast.ListComp, ast.GeneratorExp, ast.SetComp)
def _comprehension(node: ast.ListComp, frame: Frame) -> Value:
    outer = frame.state
    frame.state = outer.fork()
    single = len(node.generators) == 1 and not node.generators[0].ifs
    source = _generators(node.generators, frame)
    items = None
    if single and source is not None and source.items is not None and len(source.items) <= 8:
        parts = []
        for item in source.items:
            assign(node.generators[0].target, item, frame)
            parts.append(frame.eval(node.elt))
        items = tuple(parts)
    value = sequence(items, None if items is not None else frame.eval(node.elt))
    _leave_comprehension(outer, frame)
    return value


def _leave_comprehension(outer: State, frame: Frame) -> None:
    """Its names are gone; what it did to objects, and what its operations have kept for a backward
    pass, is not."""
    outer.saved, outer.broken = frame.state.saved, frame.state.broken
    outer.absorb(frame.state)
    frame.state = outer


def _generators(generators: list[ast.comprehension], frame: Frame) -> Value | None:
    from autofix.flow.narrowing import narrow

    first: Value | None = None
    for generator in generators:
        source = frame.eval(generator.iter)
        first = first or source
        assign(generator.target, iterate(source, frame, generator.iter), frame)
        for condition in generator.ifs:
            frame.eval(condition)
            narrow(condition, True, frame)
    return first


@expression(ast.DictComp)
def _dict_comprehension(node: ast.DictComp, frame: Frame) -> Value:
    outer = frame.state
    frame.state = outer.fork()
    single = len(node.generators) == 1 and not node.generators[0].ifs
    source = _generators(node.generators, frame)
    entries: dict[Any, Value] = {}
    items = source.items if single and source is not None else None
    for item in items if items is not None and len(items) <= 8 else ():
        assign(node.generators[0].target, item, frame)
        entries[frame.eval(node.key).const] = frame.eval(node.value)
    known = bool(entries) and all(isinstance(key, (str, int)) for key in entries)
    elem = join_all(list(entries.values())) if known else frame.eval(node.value)
    frame.eval(node.key)
    value = Value(Kind.DICT, elem=elem, entries=entries if known else None)
    _leave_comprehension(outer, frame)
    return value


@expression(ast.IfExp)
def _conditional(node: ast.IfExp, frame: Frame) -> Value:
    from autofix.flow.narrowing import narrow

    frame.eval(node.test)
    outer, began, lost = frame.state, fresh(), _memory_left(node, frame)
    values, saved = [], dict(outer.saved)
    for branch, holds in ((node.body, True), (node.orelse, False)):
        frame.state = outer.fork()
        if narrow(node.test, holds, frame) is not None:
            values.append(frame.eval(branch))
            kept = frame.state.saved.items()
            saved.update({m: saves for m, saves in kept if m > began or m not in lost})
            outer.absorb(frame.state)
    outer.saved = saved if len(saved) > len(outer.saved) else outer.saved
    frame.state = outer
    return join_all(values) or UNKNOWN


def _memory_left(node: ast.IfExp, frame: Frame) -> frozenset[int]:
    """In `x = x.clip(0) if c else x` nobody can write any more what `clip` has kept: the memory of
    the names that the statement binds anew."""
    statement = frame.index.statement_of(node)
    bound = statement.targets if isinstance(statement, ast.Assign) else []
    names = [n.id for target in bound for n in ast.walk(target) if isinstance(n, ast.Name)]
    held = [frame.state.bound[name] for name in names if name in frame.state.bound]
    return frozenset().union(*(value.storage for value in held))


@expression(ast.BoolOp)
def _bool_op(node: ast.BoolOp, frame: Frame) -> Value:
    return join_all([frame.eval(value) for value in node.values]) or UNKNOWN


@expression(ast.NamedExpr)
def _walrus(node: ast.NamedExpr, frame: Frame) -> Value:
    value = frame.eval(node.value)
    assign(node.target, value, frame)
    return value


@expression(ast.Lambda)
def _lambda(node: ast.Lambda, frame: Frame) -> Value:
    return Value(Kind.FUNCTION, ref=Closure(node, (frame, *frame.scopes)))


@expression(ast.Await, ast.Starred)
def _inner(node: ast.Await, frame: Frame) -> Value:
    return frame.eval(node.value)


@expression(ast.Yield, ast.YieldFrom)
def _yield(node: ast.Yield, frame: Frame) -> Value:
    if node.value is not None:
        frame.yielded.append(frame.eval(node.value))  # data for whoever asks: see `Frame.give`
    modes, function = frame.program.modes, frame.function
    if function is not None:
        modes[function] = modes.get(function, False) or frame.state.grad
    return UNKNOWN
