"""What the way in which a stop is written tells of whether it is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._exports import Export
from autofix.codemods.graph._intent import is_wanted
from autofix.codemods.graph._stops import is_layers_weight
from autofix.flow.class_table import attribute_of, self_name
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import unsubscripted
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph


def is_meant_number(export: Export, facts: Facts) -> bool:
    """Does it weigh a log-probability, or is it kept for later calls?"""
    return is_advantage(export, facts) or is_for_later_calls(export.whole, facts)


def is_advantage(export: Export, facts: Facts) -> bool:
    """`value.detach().item()` that weighs a log-probability: two stops say that it is meant."""
    chain = [n for n in ast.walk(export.whole) if isinstance(n, ast.Attribute)]
    twice = len([n for n in chain if n.attr in ("detach", "data", "item")]) > 1
    return twice and facts.weighs_log_probability(export.cut)


def is_own_scale(node: ast.expr, source: ast.expr, facts: Facts) -> bool:
    """`w / (u @ w.data @ v)`: a weight that is scaled by what is computed from it."""
    return isinstance(node, ast.Attribute) and facts.value(source).leaf and facts.is_weight(node)


def says_enough(
    node: ast.expr, source: ast.expr, found: tuple[Graph, Demand], facts: Facts
) -> bool:
    """Is the stop no mistake, as it stands there?"""
    graph, demand = found
    if graph < Graph.YES and _is_variable(node):
        return True  # data, as it was written for old versions
    if isinstance(facts.index.parents.get(node), ast.Return) and not is_old(node):
        return not demand.backward  # `return loss.detach()`: the number is all there is to have
    return _is_baseline(source, demand, facts) or _is_report(node, source, facts)


def _is_report(node: ast.expr, source: ast.expr, facts: Facts) -> bool:
    """`return loss, kl.data[0]` where `loss` is made of `kl`: its graph goes out beside it."""
    whole: ast.AST = node
    around = facts.index.parents.get(whole)
    while isinstance(around, ast.Subscript) and isinstance(around.slice, ast.Constant):
        whole, around = around, facts.index.parents.get(around)
    if not isinstance(around, (ast.Tuple, ast.List, ast.Dict)):
        return False
    if not isinstance(facts.index.parents.get(around), ast.Return):
        return False
    parts = around.values if isinstance(around, ast.Dict) else around.elts
    text = ast.dump(source)
    return any(
        ast.dump(read) == text
        for part in parts
        if part is not whole
        for read in _goes_into(part, facts, _STEPS)
        if not isinstance(facts.index.parents.get(read), ast.Attribute)
    )


_STEPS = 3
"""Assignments that a result is followed back through."""


def _goes_into(node: ast.expr, facts: Facts, depth: int) -> Iterator[ast.expr]:
    """The names and attributes that an expression is computed from, in the same function."""
    for read in ast.walk(node):
        if not isinstance(read, (ast.Name, ast.Attribute)):
            continue
        yield read
        if not depth or not isinstance(read, ast.Name) or facts.value(read).graph == Graph.NO:
            continue
        for store in uses_in(facts).names.stores(read):
            bound = facts.index.parents.get(store)
            if isinstance(bound, (ast.Assign, ast.AugAssign)):
                yield from _goes_into(bound.value, facts, depth - 1)


def _is_variable(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) not in ("detach", "data")


def _is_baseline(source: ast.expr, demand: Demand, facts: Facts) -> bool:
    """`returns - Variable(values)` beside `criterion(values, returns)`: values that another
    expression of the function reads with their graph, and that this one takes as they are."""
    value = facts.value(source)
    function = facts.index.function_of(source)
    if demand.is_sole or not demand.carries or value.is_scalar or function is None:
        return False
    if isinstance(source, ast.Name) and len(uses_in(facts).names.stores(source)) > 1:
        return False  # the other one may be another
    text = ast.dump(source)
    for other in facts.index.body_nodes(function):
        if other is not source and isinstance(other, type(source)) and ast.dump(other) == text:
            call = facts.index.parents.get(other)
            handed = call if isinstance(call, ast.Call) and other in call.args else None
            if handed is not None and facts.value(handed).graph > Graph.NO:
                return True
    return False


def is_old(node: ast.expr) -> bool:
    """`x.data`, and `Variable(x)`: written where nothing is meant to stop."""
    return not (isinstance(node, ast.Call) and last_name(node.func) == "detach")


def is_old_habit(
    node: ast.expr, source: ast.expr, found: tuple[Graph, Demand], facts: Facts
) -> bool:
    """`h.data` and `Variable(h)` in the middle of a model, also `F.linear(h, emb.weight.data)`:
    `detach` would say that it is meant."""
    graph, demand = found
    if not is_old(node):
        return False
    computed = facts.value(source).computed and not facts.value(source).leaf
    middle = computed or is_layers_weight(node, source, facts)
    return graph == Graph.YES and middle and is_wanted(demand, node, facts)


def is_state(node: ast.expr, facts: Facts) -> bool:
    """Is it handed on to the next turn, and not by a write into the memory of a tensor?"""
    statement = facts.index.statement_of(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    written = any(isinstance(target, ast.Subscript) for target in targets)
    return facts.is_recurrent(node) and not written


def is_part_of_weight(node: ast.expr, facts: Facts) -> bool:
    """`a.item() / b.item()`: if one is a weight by what it is multiplied with, so is the other."""
    if facts.is_weight(node):
        return True
    statement = facts.index.statement_of(node)
    value = getattr(statement, "value", None)
    parts = ast.walk(value) if isinstance(value, ast.expr) else ()
    return any(facts.is_weight(n) for n in parts if isinstance(n, (ast.Call, ast.Attribute)))


def is_for_later_calls(node: ast.expr, facts: Facts) -> bool:
    """`self.low = x.min().item()` on one way through a method, and `self.low` is read on another:
    what a call keeps for the next ones. (A graph kept so would be freed by then.)"""
    statement, method = facts.index.statement_of(node), facts.index.function_of(node)
    if not isinstance(statement, ast.Assign) or not isinstance(method, FUNCTIONS):
        return False
    me = self_name(method)
    kept = {attribute_of(unsubscripted(target), me) for target in statement.targets} - {None}
    if len(kept) != 1:
        return False
    reads = [
        n
        for n in facts.index.body_nodes(method)
        if isinstance(n, ast.Attribute) and attribute_of(n, me) in kept and _is_read(n, facts)
    ]
    later = {id(inner) for s in _behind(statement, facts) for inner in ast.walk(s)}
    return bool(reads) and not any(id(read) in later for read in reads)


def _is_read(node: ast.Attribute, facts: Facts) -> bool:
    """Not as the owner of an element that is written."""
    outer: ast.AST = node
    while isinstance(parent := facts.index.parents.get(outer), ast.Subscript):
        outer = parent
    return isinstance(getattr(outer, "ctx", None), ast.Load)


def _behind(statement: ast.stmt, facts: Facts) -> Iterator[ast.stmt]:
    """The statements that a call comes to behind this one, in the same turn of loops."""
    inner: ast.AST = statement
    for outer in facts.index.ancestors(statement):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(outer, name, None)
            if isinstance(block, list) and inner in block:
                yield from block[block.index(inner) + 1 :]
        if isinstance(outer, FUNCTIONS):
            return
        inner = outer
