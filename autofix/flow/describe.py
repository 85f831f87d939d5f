"""What is known of a value, in words."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.values import Graph, Kind, Value
from autofix.flow.walk import walk

_NAMES = {bit: name.lower() for name, bit in vars(Kind).items() if isinstance(bit, int)}
_GRAPH = {Graph.NO: "no", Graph.MAYBE: "maybe", Graph.YES: "yes"}


def describe_place(facts: Facts, line: int, column: int) -> list[str]:
    """What is known at a place (1-based line and column in characters), for people."""
    source = facts.source
    offset = source.line_starts[line - 1] + column - 1
    around: list[tuple[int, ast.expr]] = []
    for node in walk(facts.tree):
        if isinstance(node, ast.expr):
            start, end = source.span(node)
            if start <= offset < end:
                around.append((end - start, node))
    if not around:
        return []
    smallest = min(around, key=lambda entry: entry[0])[1]
    return [f"`{source.segment(smallest)}`", *_described(facts.value(smallest))]


def _described(value: Value, indent: str = "") -> list[str]:
    """One line of facts, then the chain that says where a graph comes from."""
    kind = " or ".join(name for bit, name in _NAMES.items() if value.kind & bit)
    facts = [f"kind: {kind}"]
    if value.kind & (Kind.TENSOR | Kind.UNKNOWN):
        facts.append(f"graph: {_GRAPH[value.graph]}")
    if value.kind & Kind.TENSOR:
        rank = "unknown" if value.rank is None else str(value.rank)
        facts.append(f"rank: {rank}")
        if value.shape:
            facts.append(f"shape: {tuple('?' if d is None else d for d in value.shape)}")
        facts.append(f"dtype: {value.dtype or 'unknown'}")
        if value.leaf:
            facts.append("leaf that requires grad")
    if isinstance(value.ref, str):
        facts.append(f"name: {value.ref}")
    lines = [indent + ", ".join(facts)]
    if value.why is not None:
        lines += [f"{indent}because: {step}" for step in value.why.steps()]
    if value.elem is not None:
        lines.append(f"{indent}each element:")
        lines += _described(value.elem, indent + "  ")
    return lines
