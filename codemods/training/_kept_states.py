"""What the methods of an object keep in its attributes from one call to the next, graph and all."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from autofix.codemods.modules._settings import ways_of_setting
from autofix.codemods.training._detaching import detaches
from autofix.codemods.training._ended import without_grad
from autofix.codemods.training._given_back import graph_of
from autofix.codemods.training._graphs import Graphs, graphs_around, reads
from autofix.flow.abroad import seen_from
from autofix.flow.class_table import Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.values import UNKNOWN, Graph, Value

_DEPTH = 4
"""Methods that call one another."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that a method reads from the call before, and sets with a graph."""

    attribute: str
    element: ast.expr | None
    """The index or key, if it is an element of what the attribute holds."""
    made: ast.stmt
    value: Value


Place = tuple[str, str]
"""An attribute, and the index of an element of it as it is written."""

_Stores = dict[Place, dict[ast.stmt, list[tuple[ast.stmt, ast.expr]]]]


@dataclass(eq=False)
class _Summary:
    """What one call of a method does to the attributes."""

    read: set[Place]
    """Those that are read before they are set."""
    made: dict[Place, list[tuple[ast.stmt, ast.expr]]]
    """The statements that set them, in whatever method, and what is set."""


def kept_by(facts: Facts, info: ClassInfo, entry: Method) -> Iterator[Kept]:
    """The states that go from one call of a method to the next."""
    summary = _summary(facts, info, entry, ())
    managed = facts.class_table(info.node).managed
    for place in (one for one in summary.made if one in summary.read):
        attribute = place[0]
        if attribute in managed:
            continue
        if _is_detached_somewhere(facts, info, attribute) or _is_parameter(facts, info, attribute):
            continue  # (a Parameter takes no tensor in its place: AG505)
        for made, target in summary.made[place]:
            here = seen_from(facts, made)
            value = here.value(target) if here is not None else UNKNOWN
            if graph_of(value) == Graph.YES and not value.leaf:
                index = target.slice if isinstance(target, ast.Subscript) else None
                yield Kept(attribute, index, made, value)
                break


def reachable(facts: Facts, info: ClassInfo, entry: Method) -> set[Method]:
    """The methods that a call of one of them runs."""
    found = {entry}
    todo = [entry]
    while todo:
        for inner in _own_calls(facts, info, todo.pop()).values():
            if inner not in found:
                found.add(inner)
                todo.append(inner)
    return found


def _own_calls(facts: Facts, info: ClassInfo, method: Method) -> dict[ast.Call, Method]:
    """`self.encode(x)`"""
    me, found = self_name(method), {}
    for node in ast.walk(method):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if owner == me:
                value = info.find(name)
                ref = value.ref if value is not None else None
                if isinstance(ref, Closure) and isinstance(ref.node, FUNCTIONS):
                    found[node] = ref.node
    return found


def _summary(facts: Facts, info: ClassInfo, method: Method, stack: tuple[Method, ...]) -> _Summary:
    here = seen_from(facts, method)
    me = self_name(method)
    found = _Summary(set(), defaultdict(list))
    if here is None or me is None or method in stack or len(stack) >= _DEPTH:
        return found
    graphs = graphs_around(here, method.body[0])
    inner = {
        call: _summary(facts, info, callee, (*stack, method))
        for call, callee in _own_calls(facts, info, method).items()
    }
    stores = _stores(graphs, me, inner)
    for place, statements in stores.items():
        found.made[place] = [one for many in statements.values() for one in many]
    loads = {
        _place(n, me) for n in ast.walk(method) if isinstance(n, (ast.Attribute, ast.Subscript))
    }
    for place in {*(one for one in loads if one), *(p for one in inner.values() for p in one.read)}:
        if _is_read_first(graphs, (info, me), place, stores, inner):
            found.read.add(place)
    return found


def _stores(graphs: Graphs, me: str, inner: dict[ast.Call, _Summary]) -> _Stores:
    """For each place, the statements of the method that set it, and those that do so in what it
    calls."""
    found: _Stores = defaultdict(lambda: defaultdict(list))
    for many in (graphs.stores, graphs.elements):
        for statement in dict.fromkeys(s for stores in many.values() for s, _ in stores):
            for target in _targets(statement):
                if (place := _place(target, me)) is not None:
                    found[place][statement].append((statement, target))
    for call, summary in inner.items():
        at = graphs.facts.index.statement_of(call)
        if at is None:
            continue
        for place, made in summary.made.items():
            found[place][at] += [one for one in made if one not in found[place][at]]
    return found


def _targets(statement: ast.stmt) -> Iterator[ast.expr]:
    head = statement.target if isinstance(statement, (ast.For, ast.AsyncFor)) else statement
    for node in ast.walk(head):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            yield node


def _place(node: ast.expr, me: str) -> Place | None:
    """`self.h`, `self.states["h"]`"""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner == me:
            return attribute, ""
        case ast.Subscript(value=ast.Attribute() as owner, slice=index):
            place = _place(owner, me)
            return (place[0], ast.unparse(index)) if place is not None else None
    return None


def _is_read_first(
    graphs: Graphs,
    owner: tuple[ClassInfo, str],
    place: Place,
    stores: _Stores,
    inner: dict[ast.Call, _Summary],
) -> bool:
    """Does the method read what was there before it was called?"""
    index, (info, me) = graphs.facts.index, owner
    sets = {*stores.get(place, ()), *stores.get((place[0], ""), ())}
    kills = sets | {p for s in sets for p in index.ancestors(s) if _asks(p, graphs)}
    first = graphs.scope.body[0]
    ways = ways_of_setting(graphs.facts, info.node, me, sets)
    seen = {first} | (graphs.order.after(first, kills, ways) if first not in kills else set())
    calls = {call: index.statement_of(call) for call in inner}
    setting = [c for c, summary in inner.items() if place in summary.made]
    for statement in seen:
        if _is_behind_loop(graphs, statement, sets):
            continue
        here = [c for c, at in calls.items() if at is statement]
        if any(place in inner[c].read for c in here):
            return True
        for read in _reads_of(graphs, statement):
            if _place(read, me) == place and not without_grad(graphs, statement):
                before = [c for c in setting if c in here and not _holds(c, read)]
                if not before:
                    return True
    return False


def _is_behind_loop(graphs: Graphs, statement: ast.stmt, sets: set[ast.stmt]) -> bool:
    """Does it come after a loop that sets the place, which surely runs at least once?"""
    index = graphs.facts.index
    loops = {loop for one in sets for loop in index.loops_around(one)}
    around = index.ancestors(statement)
    return any((loop.end_lineno or 0) < statement.lineno and loop not in around for loop in loops)


def _holds(call: ast.Call, part: ast.expr) -> bool:
    return any(node is part for node in ast.walk(call))


def _asks(node: ast.AST, graphs: Graphs) -> TypeGuard[ast.stmt]:
    """`if self.training:`: what it sets, it sets whenever there is a backward pass. And `if reset:`
    of an argument: the caller may say so each time."""
    if not isinstance(node, ast.If):
        return False
    asked = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
    spec = getattr(graphs.scope, "args", None)
    given = {a.arg for a in ast.walk(spec) if isinstance(a, ast.arg)} if spec is not None else set()
    return (isinstance(asked, ast.Name) and asked.id in given) or any(
        isinstance(n, ast.Attribute) and n.attr == "training" for n in ast.walk(node.test)
    )


def _reads_of(graphs: Graphs, statement: ast.stmt) -> Iterator[ast.expr]:
    """The reads of a statement, of a compound one those of its head, with the elements that are
    taken out of them."""
    match statement:
        case ast.If(test=head) | ast.While(test=head) | ast.For(iter=head):
            found = reads(head)
        case ast.With() | ast.Try() | ast.FunctionDef() | ast.ClassDef():
            return
        case _:
            found = reads(statement)
    for node in found:
        around = graphs.facts.index.parents.get(node)
        for one in (node, around if isinstance(around, ast.Subscript) else node):
            if isinstance(getattr(one, "ctx", None), ast.Load):
                yield one


def _is_parameter(facts: Facts, info: ClassInfo, attribute: str) -> bool:
    stores = facts.class_table(info.node).stores.get(attribute, [])
    return any(s.value is not None and facts.value(s.value).parameter for s in stores)


def _is_detached_somewhere(facts: Facts, info: ClassInfo, attribute: str) -> bool:
    for node in (one.node for one in info.lineage):
        here = seen_from(facts, node)
        if here is None or any(_detaches_it(here, inner, attribute) for inner in ast.walk(node)):
            return True
    return any(_detaches_it(facts, inner, attribute) for inner in ast.walk(facts.tree))


def _detaches_it(here: Facts, node: ast.AST, attribute: str) -> bool:
    match node:
        case ast.Assign(targets=targets, value=value):
            names = {n.attr for t in targets for n in ast.walk(t) if isinstance(n, ast.Attribute)}
            return attribute in names and detaches(here, value)
        case ast.Attribute(attr="detach_" | "data", value=owner):
            while isinstance(owner, ast.Subscript):
                owner = owner.value
            return isinstance(owner, ast.Attribute) and owner.attr == attribute
        case ast.For(iter=source) if attribute in _attributes(source):
            return any(isinstance(n, ast.Attribute) and n.attr == "detach_" for n in ast.walk(node))
    return False


def _attributes(node: ast.AST) -> set[str]:
    return {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
