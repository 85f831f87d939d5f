"""What a training loop takes out of something that is not known: batches of data."""

from __future__ import annotations

import ast
import functools

from autofix.flow.values import Graph, Kind, Value

_OF_TRAINING = frozenset({"backward", "step", "zero_grad"})
_OF_OTHERS = _OF_TRAINING | {
    "parameters",
    "grad",
    "requires_grad",
    "requires_grad_",
    "train",
    "eval",
}
"""What is asked of losses, optimizers, models and leaves, and not of data."""


def as_data(element: Value, loop: ast.For | ast.AsyncFor) -> Value:
    """`for batch in loader:` around a whole step of training: a batch has no graph."""
    if not element.kind & (Kind.UNKNOWN | Kind.SEQUENCE) or not _trains(loop):
        return element
    return _without_graph(element)


def _without_graph(value: Value) -> Value:
    if value.kind == Kind.UNKNOWN and value.graph == Graph.MAYBE:
        return value.but(graph=Graph.NO, why=None)
    if value.kind == Kind.SEQUENCE and value.items is not None:
        return value.but(items=tuple(map(_without_graph, value.items)))
    return value


@functools.lru_cache(maxsize=512)
def _trains(loop: ast.For | ast.AsyncFor) -> bool:
    """Does each turn reset gradients, run backward and step, with nothing of that asked of what the
    loop gives?"""
    given = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    called: set[str] = set()
    for node in (n for statement in loop.body for n in ast.walk(statement)):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            return False  # the steps may be those of the inner loop
        if isinstance(node, ast.Attribute) and node.attr in _OF_OTHERS:
            if isinstance(node.value, ast.Name) and node.value.id in given:
                return False
            called.add(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in given:
            return False
    return called >= _OF_TRAINING
