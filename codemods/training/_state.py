"""Which variables a loop hands on to its next turn together with a graph that was freed."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import TypeGuard

from autofix.codemods.training._cut_by_helper import comes_back_cut
from autofix.codemods.training._detaching import detaches
from autofix.codemods.training._ended import (
    detached_in_place,
    guards,
    inside,
    set_before,
    without_grad,
)
from autofix.codemods.training._given_back import forwards, graph_of, returned_by_the_model
from autofix.codemods.training._graphs import Backward, Graphs, key_of, keys, reads
from autofix.codemods.training._renewed_around import is_renewed_around
from autofix.codemods.training._repeated import is_repeated
from autofix.flow.facts import Facts
from autofix.flow.frame import only_leaves
from autofix.flow.roles import optimizer_class
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind, Value

_RESETS = ("reset", "init_hidden", "zero_state")


class Form(Enum):
    TENSOR = "one tensor"
    TUPLE = "a tuple of tensors"
    LIST = "a list of tensors"
    EITHER = "one tensor or a tuple"
    UNKNOWN = "one of these"


@dataclass(frozen=True, slots=True)
class Carried:
    """`key`, a variable or an entry of a dict, is bound by `made`, lives through `backward`, and is
    read again in the next turn (of a loop; None: the next call of the function)."""

    key: str
    made: ast.stmt
    value: Value
    read: ast.expr
    backward: Backward
    turn: ast.stmt | None
    doubtful: bool = False
    """The model is an argument, taken for the one that the file defines."""
    filled: bool = False
    """It is a list whose elements are written, so that a tuple would not do."""


def carried_states(graphs: Graphs, backward: Backward) -> list[Carried]:
    """What the innermost loop around a backward pass carries, or what a function without a loop
    hands to its next call: in an attribute of `self`, or by returning what was its argument."""
    turn = next(iter(graphs.facts.index.loops_around(backward.call)), None)
    if not is_repeated(graphs, turn):
        return []
    keys_ = _candidates(graphs, turn)
    return [c for key in keys_ if (c := _carried(graphs, key, backward, turn)) is not None]


def steps_in(graphs: Graphs, turn: ast.stmt | None) -> bool:
    """Does the turn change weights?"""
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "step"
        for n in ast.walk(turn or graphs.scope)
    )


def _candidates(graphs: Graphs, turn: ast.stmt | None) -> list[str]:
    """Variables that the turn binds, and that have a value before it."""
    found = []
    shared, arguments = _shared_names(graphs.scope), _arguments(graphs)
    for key in {**graphs.stores, **graphs.elements}:
        stores = [*graphs.stores.get(key, ()), *graphs.elements.get(key, ())]
        mine = [s for s, _ in stores if inside(graphs, s, turn)]
        if any(s is turn for s, _ in stores):
            continue  # `for x, y in batches` binds it anew
        if _is_optimized(graphs, key):
            continue  # a weight: AG302, AG307
        if turn is None:
            kept = key.startswith("self.") or key in shared
            if (key in arguments and _returned(graphs, key)) or (
                kept and not is_renewed_around(graphs, key)
            ):
                found.append(key)
        elif mine and (len(mine) < len(stores) or "." in key or key in (arguments | shared)):
            found.append(key)
    return found


def _shared_names(scope: ast.AST) -> set[str]:
    """Those that outlive the call: `global hidden`, `nonlocal hidden`."""
    found = [n.names for n in ast.walk(scope) if isinstance(n, (ast.Global, ast.Nonlocal))]
    return {name for names in found for name in names}


def _is_optimized(graphs: Graphs, key: str) -> bool:
    index = graphs.facts.index
    return any(
        isinstance(part, ast.expr) and key_of(part) == key
        for call in index.of_kind(ast.Call)
        if "." in key or (index.function_of(call) or graphs.facts.tree) is graphs.scope
        if optimizer_class(call, graphs.facts) is not None
        for part in ast.walk(call)
    )


def _returned(graphs: Graphs, key: str) -> bool:
    """Is it given back, to a caller of this file that hands it in again: `h = step(x, h)`?"""
    name = getattr(graphs.scope, "name", "")
    again = False
    for call in uses_in(graphs.facts).names.calls.get(name, ()):
        statement = graphs.facts.index.statement_of(call)
        if isinstance(statement, ast.Assign):
            bound = {key_of(n) for t in statement.targets for n in ast.walk(t) if _is_place(n)}
            again = again or any(key_of(a) in bound for a in call.args if key_of(a) is not None)
    return again and any(
        isinstance(n, ast.Return) and n.value is not None and key in keys(n.value)
        for n in graphs.nodes
    )


def _is_place(node: ast.AST) -> TypeGuard[ast.expr]:
    return isinstance(node, (ast.Name, ast.Attribute))


def _is_rebound_leaf(graphs: Graphs, key: str, turn: ast.stmt | None) -> bool:
    """`w = w * 2`, `w = w - rate * w.grad` of a leaf or a list of leaves: what is wrong there, if
    anything, is the name."""
    for store, _ in graphs.stores.get(key, ()):
        if not inside(graphs, store, turn):
            value = stored_value(graphs.facts, store, key)
            if value is not None and (value.leaf or only_leaves(value)):
                return True
    return False


def _arguments(graphs: Graphs) -> set[str]:
    spec = getattr(graphs.scope, "args", None)
    names = (*spec.posonlyargs, *spec.args, *spec.kwonlyargs) if spec is not None else ()
    return {a.arg for a in names}


def _carried(graphs: Graphs, key: str, backward: Backward, turn: ast.stmt | None) -> Carried | None:
    facts = graphs.facts
    if key not in graphs.made_of(keys(backward.root)):
        return None
    if _handled(graphs, key, turn) or _is_rebound_leaf(graphs, key, turn):
        return None
    stores = {s for s, _ in graphs.stores.get(key, ()) if inside(graphs, s, turn)}
    kills = {*stores, *guards(graphs, key, turn), *detached_in_place(graphs, key, turn)}
    read = _read_in_next_turn(graphs, key, backward, turn, kills)
    if read is None or _is_run_later(graphs, key, read, backward, turn):
        return None
    for made, bound in [*graphs.stores.get(key, ()), *graphs.elements.get(key, ())]:
        if not inside(graphs, made, turn) or bound is None or isinstance(made, ast.For):
            continue
        value = stored_value(facts, made, key) if made in stores else facts.value(read)
        place = key
        if value is not None and value.kind == Kind.DICT and made not in stores:
            place, value = _entry(facts, made, key)
        doubtful = value is not None and value.kind == Kind.UNKNOWN
        if doubtful:
            value = returned_by_the_model(facts, made, key, bound)
        if value is None or graph_of(value) != Graph.YES:
            continue
        if value.kind == Kind.DICT and not all(part.is_tensor for part in value.inner):
            continue
        if _lives_on(graphs, made, turn, kills) and _shared(graphs, made, bound, backward):
            several = doubtful and len(forwards(facts)) > 1
            filled = place == key and bool(graphs.elements.get(key)) and not value.is_tensor
            if filled and value.kind != Kind.SEQUENCE:
                continue
            return Carried(place, made, value, read, backward, turn, several, filled)
    return None


def _entry(facts: Facts, made: ast.stmt, key: str) -> tuple[str, Value | None]:
    """`state["h"]`, where a statement sets that one."""
    for node in ast.walk(made):
        match node:
            case ast.Subscript(value=owner, slice=ast.Constant(), ctx=ast.Store()):
                if key_of(owner) == key and not isinstance(owner, ast.Subscript):
                    return facts.source.segment(node), facts.value(node)
    return key, None


def _is_run_later(
    graphs: Graphs, key: str, read: ast.expr, backward: Backward, turn: ast.stmt | None
) -> bool:
    """`if step: loss.backward()`, and `loss = f(x)` at the end: each is run once, a turn later."""
    stores = [bound for s, bound in graphs.stores.get(key, ()) if inside(graphs, s, turn)]
    anew = all(bound is not None and key not in graphs.made_of(keys(bound)) for bound in stores)
    return anew and any(part is read for part in ast.walk(backward.root))


def _lives_on(graphs: Graphs, made: ast.stmt, turn: ast.stmt | None, kills: set[ast.stmt]) -> bool:
    """Is the value still there when the turn ends?"""
    after = graphs.order.after(made, kills)
    if turn is not None:
        return turn in after
    return any(not graphs.order.next.get(s) for s in ({made} | after) - (kills - {made}))


def stored_value(facts: Facts, made: ast.stmt, key: str) -> Value | None:
    for node in ast.walk(made):
        stored = isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store)
        if stored and key_of(node) == key:  # type: ignore[arg-type]
            return facts.value(node)  # type: ignore[arg-type]
    return None


def _shared(graphs: Graphs, made: ast.stmt, bound: ast.expr, backward: Backward) -> bool:
    """Does the backward pass free what the new value was computed by? It does if both come out of
    one computation, or the loss is made of the new value. (What is computed of a leaf behind the
    pass has a graph of its own: `self.alpha = self.log_alpha.exp()`.)"""
    parts = keys(bound)
    if made.lineno > backward.call.lineno:
        methods = {n.func for n in ast.walk(bound) if isinstance(n, ast.Call)}
        values = ((n, graphs.facts.value(n)) for n in reads(bound) if n not in methods)
        parts = {key_of(n) or "" for n, v in values if v.graph > Graph.NO and not v.leaf}
    return bool(parts & graphs.made_of(keys(backward.root)))


def _handled(graphs: Graphs, key: str, turn: ast.stmt | None) -> bool:
    """Is it detached or begun anew somewhere in the loop, if only now and then?"""
    for store, bound in (*graphs.stores.get(key, ()), *graphs.elements.get(key, ())):
        if bound is None or not inside(graphs, store, turn):
            continue
        if isinstance(bound, ast.Constant):
            return True
        if detaches(graphs.facts, bound, _RESETS) or comes_back_cut(graphs.facts, bound, key):
            return True
    return False


def _read_in_next_turn(
    graphs: Graphs, key: str, backward: Backward, turn: ast.stmt | None, kills: set[ast.stmt]
) -> ast.expr | None:
    """A read of the variable that sees what an earlier turn has bound, and goes into the loss."""
    index, order = graphs.facts.index, graphs.order
    first = graphs.scope.body[0]
    if turn is not None:
        again = order.after(turn, kills)
    else:
        again = frozenset({first}) | (order.after(first, kills) if first not in kills else set())
    for node in ast.walk(turn or graphs.scope):
        if not isinstance(node, (ast.Name, ast.Attribute)) or key_of(node) != key:
            continue
        statement = index.statement_of(node)
        if not isinstance(node.ctx, ast.Load) or statement is None or statement not in again:
            continue
        if set_before(graphs, key, node, turn):
            continue
        if statement is not turn and _feeds(graphs, node, statement, backward):
            return node
    return None


def _feeds(graphs: Graphs, node: ast.expr, statement: ast.stmt, backward: Backward) -> bool:
    """Does the value that is read here go, with its graph, into the backward pass?"""
    if not any(r is node for r in reads(statement)) or without_grad(graphs, statement):
        return False
    if statement is backward.statement:
        return True
    roots = graphs.made_of(keys(backward.root))
    targets = {
        key_of(n)
        for n in ast.walk(statement)
        if isinstance(n, ast.expr) and isinstance(getattr(n, "ctx", None), ast.Store)
        if not graphs.facts.value(n).leaf  # a leaf that a function was given comes back from it
    }
    return bool(targets & roots) or isinstance(statement, (ast.AugAssign, ast.Expr))


def form_of(value: Value) -> Form:
    """Is the state one tensor, a tuple of them (an LSTM's), or a list?"""
    if value.is_tensor:
        return Form.TENSOR
    listed = bool(value.kind & Kind.SEQUENCE and value.aliases)
    if listed and min(value.aliases) >= 0 and not value.kind & ~(Kind.SEQUENCE | Kind.UNKNOWN):
        return Form.LIST
    if value.kind == Kind.SEQUENCE and not listed:
        return Form.TUPLE
    return Form.UNKNOWN if listed or value.kind & Kind.UNKNOWN else Form.EITHER


def holds_sequences(value: Value) -> bool:
    return value.elem is not None and value.elem.kind == Kind.SEQUENCE
