"""Objects of torch.distributions: what is computed with the graph of their parameters."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.flow import shapes
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


_OF_POINTS = frozenset(
    "Bernoulli Beta Cauchy Chi2 ContinuousBernoulli Exponential FisherSnedecor Gamma Geometric "
    "Gumbel HalfCauchy HalfNormal InverseGamma Kumaraswamy Laplace LogNormal Normal Pareto Poisson "
    "StudentT Uniform VonMises Weibull".split()
)
"""Distributions of one number: their parameters stand for one of them each."""
_ELEMENTWISE = frozenset({"log_prob", "cdf", "icdf"})


def make(name: str, parameters: Sequence[Value]) -> Value:
    """`Normal(loc, scale)`: an object that carries its parameters' graph along."""
    inner = [v for p in parameters if (v := contents(p)) is not None]
    graph = max((v.graph for v in inner), default=Graph.NO)
    cuts = frozenset().union(*(all_cuts(p) for p in parameters))
    why = next((v.why for v in inner if v.graph == graph), None)
    each = shapes.broadcast(parameters) if name.rpartition(".")[2] in _OF_POINTS else None
    return Value(Kind.OTHER, graph, each, ref=name, cuts=cuts, why=why)


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
    shape = None
    if name in _ELEMENTWISE and owner.shape is not None and len(arguments) == 1:
        given = arguments[0].shape if arguments[0].is_tensor else None
        shape = given and shapes.broadcast_dims(owner.shape, given)
    return frame.derive(f"`.{name}`", node, [owner, *arguments], shape)  # type: ignore[arg-type]
