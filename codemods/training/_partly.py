"""States of several parts of which only some are detached: `(h.detach(), c)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.training._graphs import graphs_around, key_of, keys
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph


@dataclass(frozen=True, slots=True)
class Part:
    node: ast.expr
    key: str
    """The state that it is a part of."""
    graph: Graph


def left_attached(facts: Facts, value: ast.expr, targets: set[str]) -> Iterator[Part]:
    """The parts that keep their history, where another part of the same state leaves it behind.
    `targets`: the state that the value becomes."""
    if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) < 2:
        return
    without = [inner for each in value.elts if (inner := _detached(each)) is not None]
    rest = [each for each in value.elts if _detached(each) is None]
    origins = [_origin(facts, each, targets) for each in without]
    for each in rest:
        key = _origin(facts, each, targets)
        found = facts.value(each)
        if key is None or key not in origins or found.graph == Graph.NO or not found.may_be_tensor:
            continue
        yield Part(each, key, found.graph)


def _detached(node: ast.expr) -> ast.expr | None:
    """`h` of `h.detach()`, `h.data`, `h.detach().clone()`"""
    match node:
        case ast.Call(func=ast.Attribute(attr="detach", value=inner)):
            return inner
        case ast.Attribute(attr="data", value=inner):
            return inner
        case ast.Call(func=ast.Attribute(attr="clone" | "requires_grad_", value=inner)):
            return _detached(inner)
    return None


def _origin(facts: Facts, node: ast.expr, targets: set[str]) -> str | None:
    """The state of which `node` is a part: it was taken out of it, or made of the one before."""
    if isinstance(node, ast.Subscript):
        key = key_of(node)
        return key if key in targets else None
    key = key_of(node)
    stores = graphs_around(facts, node).stores.get(key or "", [])
    made = [value for store, value in stores if store.lineno <= node.lineno]
    if not made or made[-1] is None:
        return None
    return next((target for target in targets if target in keys(made[-1])), None)


def becomes(facts: Facts, node: ast.Assign | ast.Return) -> set[str]:
    """The states that a value is: what it is assigned to; of what a function returns, the arguments
    in whose place a caller puts it: `state = repackage(state)`."""
    if isinstance(node, ast.Assign):
        return {key for target in node.targets if (key := key_of(target)) is not None}
    function = facts.index.function_of(node)
    if function is None:
        return set()
    names = [a.arg for a in function.args.args]
    if facts.index.class_of(function) is not None:
        names = names[1:]
    found = set()
    for call in uses_in(facts).names.calls.get(function.name, ()):
        statement = facts.index.parents.get(call)
        if isinstance(statement, ast.Assign):
            bound = {ast.unparse(target) for target in statement.targets}
            given = zip(names, call.args, strict=False)
            found |= {name for name, value in given if ast.unparse(value) in bound}
    return found


def is_read_again(facts: Facts, node: ast.Assign | ast.Return, key: str) -> bool:
    """Does a later turn or call see the state?"""
    if isinstance(node, ast.Return):
        return True
    if "." in key:
        attribute = key.rpartition(".")[2]
        reads = uses_in(facts).names.attributes.get(attribute, ())
        return any(facts.index.function_of(read) is not None for read in reads)
    graphs = graphs_around(facts, node)
    again = graphs.order.after(node)
    return any(
        isinstance(read, ast.Name)
        and read.id == key
        and isinstance(read.ctx, ast.Load)
        and facts.index.statement_of(read) in again
        and read.lineno <= node.lineno
        for read in ast.walk(graphs.scope)
    )
