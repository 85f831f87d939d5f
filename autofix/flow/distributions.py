"""Objects of torch.distributions: what is computed with the graph of their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.values import Graph, Kind, Value, tensor

PREFIX = "torch.distributions."
_DIFFERENTIABLE = frozenset(
    {
        "log_prob",
        "entropy",
        "rsample",
        "cdf",
        "icdf",
        "mean",
        "stddev",
        "variance",
        "probs",
        "logits",
        "loc",
        "scale",
        "mode",
        "perplexity",
    }
)
_SAMPLED = frozenset({"sample", "sample_n", "enumerate_support"})


def make(name: str, parameters: Sequence[Value]) -> Value:
    """`Normal(loc, scale)`: an object that carries its parameters' graph along."""
    inner = [v for p in parameters if (v := contents(p)) is not None]
    graph = max((v.graph for v in inner), default=Graph.NO)
    cuts = frozenset().union(*(all_cuts(p) for p in parameters))
    why = next((v.why for v in inner if v.graph == graph), None)
    return Value(Kind.OTHER, graph, ref=name, cuts=cuts, why=why)


def is_distribution(value: Value) -> bool:
    return isinstance(value.ref, str) and value.ref.startswith(PREFIX)


def member(
    owner: Value, name: str, arguments: Sequence[Value], node: object, frame: Frame
) -> Value | None:
    """`owner.name` or `owner.name(arguments)`; None for what is not modelled."""
    if name in _SAMPLED:
        return tensor(Graph.NO)
    if name not in _DIFFERENTIABLE:
        return None
    return frame.derive(f"`.{name}`", node, [owner, *arguments])  # type: ignore[arg-type]
