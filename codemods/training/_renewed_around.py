"""Whether whoever calls the function of a turn begins a state anew before each call."""

from __future__ import annotations

import ast
from collections.abc import Collection

from autofix.codemods.training._graphs import Graphs
from autofix.flow.class_table import Method, methods_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.uses import uses_in

_MADE = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def is_renewed_around(
    graphs: Graphs,
    key: str,
    names: Collection[str] | None = None,
    mine: Collection[Method] = (),
) -> bool:
    """`self.state = None; self.step(x)`, and `self.reset(); self.step(x)`. `names`: the methods
    that set the attribute for others; `mine`: those that the turn runs."""
    facts, scope = graphs.facts, graphs.scope
    assert not isinstance(scope, ast.Module)
    attribute = key.rpartition(".")[2]
    owner = facts.index.class_of(scope)
    if names is None:
        known = methods_of(owner) if owner is not None and "." in key else []
        others = [m for m in known if m is not scope and m.name != "__init__"]
        names = {m.name for m in others if sets(m, attribute) and not _calls(m, scope.name)}
    calls = uses_in(facts).calls_of(scope)
    renewals = [
        node
        for node in ast.walk(facts.tree)
        if (isinstance(node, ast.Call) and last_name(node.func) in names)
        or (_is_store(node, key) and not _is_within(facts, node, names, {scope, *mine}))
    ]
    turns = {_turn_of(call, facts) for call in calls}
    again = turns & {_turn_of(renewal, facts) for renewal in renewals} - {None}
    return bool(again) or bool(names and not calls)


def _turn_of(node: ast.AST, facts: Facts) -> ast.AST | None:
    """What runs a node again and again: `[step(x) for x in batches]`, a loop, the function."""
    for around in facts.index.ancestors(node):
        if isinstance(around, (*_MADE, *FUNCTIONS)):
            return around
        if around in facts.index.loops_around(node):
            return around
    return None


def sets(method: Method, attribute: str) -> bool:
    return any(is_set(node, attribute) for node in ast.walk(method))


def is_set(node: ast.AST, attribute: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and not isinstance(node.ctx, ast.Load)
    )


def _is_store(node: ast.AST, key: str) -> bool:
    if "." in key:
        return is_set(node, key.rpartition(".")[2])
    return isinstance(node, ast.Name) and node.id == key and isinstance(node.ctx, ast.Store)


def _calls(method: Method, name: str) -> bool:
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == name
        for n in ast.walk(method)
    )


def _is_within(
    facts: Facts, node: ast.AST, names: Collection[str], mine: Collection[Method]
) -> bool:
    function = facts.index.function_of(node)
    return function is not None and (function in mine or function.name in {*names, "__init__"})
