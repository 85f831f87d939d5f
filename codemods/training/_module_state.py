"""States that the `forward` of a module keeps from one call to the next, graph and all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeGuard

from autofix.codemods.training._detaching import detaches
from autofix.codemods.training._given_back import graph_of
from autofix.codemods.training._graphs import Backward, Graphs, graphs_around, key_of, reads
from autofix.codemods.training._state import is_tuple, steps_in, stored_value
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.values import Graph, Kind, Value

Path = tuple[str, ...]
DEPTH = 4
"""Modules inside of modules."""
_MADE = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)
_NO_MODEL = frozenset({"backward", "step", "zero_grad"})


@dataclass(frozen=True, slots=True)
class ModuleState:
    attribute: str
    made: ast.stmt
    """Where `forward` sets it."""
    owner: str
    """How the module is called where the fix goes."""
    backward: Backward
    forward: ast.stmt | None
    """The first statement of `forward`, if it is to be detached there."""
    several: bool | None
    may_be_none: bool


def module_states(graphs: Graphs, backward: Backward) -> Iterator[ModuleState]:
    facts = graphs.facts
    turn = graphs.facts.index.loops_around(backward.call)[:1]
    if backward.retains and (
        len(graphs.backwards) > 1 or not steps_in(graphs, turn[0] if turn else None)
    ):
        return
    for call in (n for n in graphs.nodes if isinstance(n, ast.Call)):
        around = graphs.facts.index.loops_around(call)
        if turn and turn[0] not in around:
            continue
        once = len(around) == len(graphs.facts.index.loops_around(backward.call))
        classes = _classes_called(facts, call)
        for node, path in classes.items():
            alone = once and _runs_once(facts, node, call)
            if not alone and path is None:
                continue  # a part of what is called: there is no name for it here
            owner = None if alone else ".".join((ast.unparse(call.func), *(path or ())))
            for attribute, made in _kept_attributes(facts, node):
                if not _is_reset(graphs, node, attribute, turn):
                    yield _state(facts, node, attribute, made, owner, backward)
        if classes:
            return  # of several calls in one turn, the first will do


def _runs_once(facts: Facts, node: ast.ClassDef, call: ast.Call, depth: int = DEPTH) -> bool:
    """Does a turn that makes this call run the `forward` of the class once? Then its state may be
    detached there: otherwise that would part one step from the next, too."""
    calls = [c for c in facts.index.of_kind(ast.Call) if _calls_instance(facts, c, node)]
    if calls == [call] or (not calls and facts.value(call.func).kind == Kind.UNKNOWN):
        return True
    if not depth or len(calls) != 1 or _is_repeated(facts, calls[0]):
        return False
    outer = facts.index.class_of(calls[0])
    function = facts.index.function_of(calls[0])
    if outer is None or outer is node or getattr(function, "name", "") != "forward":
        return False
    return _runs_once(facts, outer, call, depth - 1)


def _calls_instance(facts: Facts, call: ast.Call, node: ast.ClassDef) -> bool:
    ref = facts.value(call.func).ref
    return isinstance(ref, Instance) and ref.info.node is node


def _is_repeated(facts: Facts, call: ast.Call) -> bool:
    around = facts.index.ancestors(call)
    inside = takewhile(lambda n: not isinstance(n, FUNCTIONS), around)
    return any(isinstance(n, (ast.For, ast.While, ast.comprehension, *_MADE)) for n in inside)


def _state(
    facts: Facts,
    info: ast.ClassDef,
    attribute: str,
    made: ast.stmt,
    owner: str | None,
    backward: Backward,
) -> ModuleState:
    function = facts.index.function_of(made)
    assert function is not None
    value = stored_value(facts, made, f"{_me(function)}.{attribute}")
    body = function.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if documented and len(body) > 1 else body[0]
    return ModuleState(
        attribute,
        made,
        owner or _me(function),
        backward,
        first if owner is None else None,
        is_tuple(value) if value is not None else None,
        _may_be_none(info, attribute),
    )


def _me(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return function.args.args[0].arg


def _classes_called(facts: Facts, call: ast.Call) -> dict[ast.ClassDef, Path | None]:
    """The modules of this file that a call runs, parts included, and the attributes that lead to
    each. An argument is taken for the only one that the file defines."""
    if key_of(call.func) is None:
        return {}
    value = facts.value(call.func)
    found: dict[ast.ClassDef, Path | None] = {}
    for info, path in _modules_in(value, DEPTH, ()):
        found[info.node] = path if info.node not in found else None
    if found or value.kind != Kind.UNKNOWN or last_name(call.func) in _NO_MODEL:
        return found
    modules = [
        info.node
        for info in list(facts.program.classes.values())  # more are found meanwhile
        if info.is_module and _forward(info.node)
    ]
    is_model = re.search(r"model|net|rnn|cell|filter|module", ast.unparse(call.func))
    return dict.fromkeys(modules, ()) if len(modules) == 1 and is_model else {}


def _modules_in(
    value: Value, depth: int, path: Path | None
) -> Iterator[tuple[ClassInfo, Path | None]]:
    parts: list[tuple[Value, Path | None]]
    if isinstance(value.ref, Instance):
        yield value.ref.info, path
        table = value.ref.info.table.items()
        parts = [(part, None if path is None else (*path, name)) for name, part in table]
    else:
        elements = (*(value.items or ()), *([value.elem] if value.elem is not None else []))
        parts = [(part, None) for part in elements]
    for part, way in parts if depth else ():
        if part.kind & Kind.MODULE:
            yield from _modules_in(part, depth - 1, way)


def _forward(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next(
        (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "forward"), None
    )


def _kept_attributes(facts: Facts, node: ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    """The attributes that `forward` reads from the call before, and sets with a graph."""
    forward = _forward(node)
    if forward is None or not forward.args.args:
        return
    graphs = graphs_around(facts, forward.body[0])
    for key, stores in graphs.stores.items():
        owner, _, attribute = key.rpartition(".")
        if owner != _me(forward) or _is_detached_somewhere(facts, node, attribute):
            continue
        if _is_parameter(facts, node, attribute):
            continue  # AG505: it takes no tensor in its place
        statements = {s for s, _ in stores}
        statements |= {p for s in statements for p in facts.index.ancestors(s) if _asks_mode(p)}
        first = forward.body[0]
        seen = {first} | (
            graphs.order.after(first, statements) if first not in statements else set()
        )
        read = any(
            key_of(r) == key and isinstance(r, ast.Attribute) for s in seen for r in _reads_of(s)
        )
        for made, _ in stores:
            value = stored_value(facts, made, key)
            carries = value is not None and graph_of(value) == Graph.YES and not value.leaf
            if read and carries:
                yield attribute, made
                break


def _is_parameter(facts: Facts, node: ast.ClassDef, attribute: str) -> bool:
    stores = facts.class_table(node).stores.get(attribute, [])
    return any(s.value is not None and facts.value(s.value).parameter for s in stores)


def _asks_mode(node: ast.AST) -> TypeGuard[ast.stmt]:
    """`if self.training:`: what it sets, it sets whenever there is a backward pass."""
    return isinstance(node, ast.If) and any(
        isinstance(n, ast.Attribute) and n.attr == "training" for n in ast.walk(node.test)
    )


def _reads_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """The reads of a statement, of a compound one those of its head."""
    match statement:
        case ast.If(test=head) | ast.While(test=head) | ast.For(iter=head):
            yield from reads(head)
        case ast.With() | ast.Try() | ast.FunctionDef() | ast.ClassDef():
            return
        case _:
            for node in reads(statement):
                if not isinstance(getattr(node, "ctx", None), ast.Store):
                    yield node


def _is_detached_somewhere(facts: Facts, node: ast.ClassDef, attribute: str) -> bool:
    for inner in ast.walk(node):
        match inner:
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if name == attribute:
                if detaches(facts, value):
                    return True
            case ast.Attribute(attr="detach_" | "data", value=ast.Attribute(attr=name)):
                if name == attribute:
                    return True
    return False


def _may_be_none(node: ast.ClassDef, attribute: str) -> bool:
    return any(
        isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Constant)
        and any(isinstance(t, ast.Attribute) and t.attr == attribute for t in n.targets)
        for n in ast.walk(node)
    )


def _is_reset(graphs: Graphs, node: ast.ClassDef, attribute: str, turn: Sequence[ast.stmt]) -> bool:
    """Is it set by another method that every turn calls, or from outside?"""
    facts = graphs.facts
    methods = {
        n.name
        for n in node.body
        if isinstance(n, FUNCTIONS) and n.name not in ("forward", "__init__")
        if any(
            isinstance(a, ast.Attribute) and a.attr == attribute and isinstance(a.ctx, ast.Store)
            for a in ast.walk(n)
        )
    }
    inside = turn[0] if turn else graphs.scope
    for inner in ast.walk(inside):
        if isinstance(inner, ast.Call) and last_name(inner.func) in methods:
            return True
    return any(
        isinstance(n, ast.Attribute)
        and n.attr == attribute
        and not isinstance(n.ctx, ast.Load)
        and facts.index.class_of(n) is not node
        for n in ast.walk(facts.tree)
    )
