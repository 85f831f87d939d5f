"""What a model gives back that is an argument, and whether there is a graph in it."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import key_of
from autofix.flow.facts import Facts
from autofix.flow.joins import join_all
from autofix.flow.values import Graph, Kind, Value


def graph_of(value: Value) -> Graph:
    return max([value.graph, *(graph_of(v) for v in value.inner)])


def returned_by_the_model(facts: Facts, made: ast.stmt, key: str, bound: ast.expr) -> Value | None:
    """`out, h = model(x, h)` of an argument `model`: what the one module of this file that takes
    and gives a state gives."""
    if not (isinstance(made, ast.Assign) and isinstance(bound, ast.Call)):
        return None
    target = made.targets[0]
    if not isinstance(target, ast.Tuple) or facts.value(bound.func).kind != Kind.UNKNOWN:
        return None
    at = next((i for i, e in enumerate(target.elts) if key_of(e) == key), None)
    found: list[Value] = []
    for forward in forwards(facts):
        given = [n.value for n in ast.walk(forward) if isinstance(n, ast.Return)]
        pairs = [v for v in given if isinstance(v, ast.Tuple) and len(v.elts) == len(target.elts)]
        if at is not None and pairs and len(pairs) == len(given):
            found += [facts.value(pair.elts[at]) for pair in pairs]
    if not found or any(graph_of(v) != Graph.YES for v in found):
        return None
    return join_all(found)


def forwards(facts: Facts) -> list[ast.FunctionDef]:
    return [
        node
        for node in ast.walk(facts.tree)
        if isinstance(node, ast.FunctionDef)
        and node.name == "forward"
        and isinstance(facts.index.parents.get(node), ast.ClassDef)
    ]
