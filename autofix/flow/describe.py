"""A value, in words."""

from __future__ import annotations

from autofix.flow.values import Graph, Kind, Value

_NAMES = {bit: name.lower() for name, bit in vars(Kind).items() if isinstance(bit, int)}
_GRAPH = {Graph.NO: "no", Graph.MAYBE: "maybe", Graph.YES: "yes"}


def describe_value(value: Value, indent: str = "") -> list[str]:
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
        lines += describe_value(value.elem, indent + "  ")
    return lines
