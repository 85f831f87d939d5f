"""`torch.linspace`, `logspace` or `full` is given a tensor that carries a graph, and cuts it.

## What it does

Finds `torch.linspace(a, b, n)`, `torch.logspace(a, b, n)`, `torch.full(size, a)`,
`torch.full_like(t, a)` and `t.new_full(size, a)` where `a` or `b` is a tensor with a graph, or a
number taken out of one by `.item()` or `float()`, and something later needs the gradient.

## Why is this bad

These functions make new tensors out of numbers. `linspace` and `logspace` take a tensor and leave
its graph behind without a word, so that a learned range or a learned background keeps its first
value. `full` raises for a tensor that requires grad, and `.item()` silences it at the price of the
graph.

## Example

```python
centers = torch.linspace(self.start, self.stop, self.n)
canvas = torch.full((3, 8, 8), self.background.item())
```

## Use instead

```python
centers = self.start + (self.stop - self.start) * torch.linspace(0, 1, self.n)
canvas = self.background.expand((3, 8, 8)).clone()
```

## Fix safety

`full` becomes `expand`, with equal values; `linspace` an affine function of a fixed ramp, which may
differ in the last bit. The fix is safe where the tensor surely carries a graph, and where what was
taken out by `.item()` is a leaf that is read in no other way. It is unsafe where the tensor is an
argument that only may carry a graph, and where another number was taken out by hand. The fix is
only shown for the target of a loss.

There is none where a start that is computed would have to be computed twice, and nothing is said
of `torch.arange`, whose length depends on the tensor.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must agree, shapes and
dtypes must be equal, and the gradient must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.linspace.html
- https://docs.pytorch.org/docs/stable/generated/torch.full.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._endpoints import CannotExpress, Endpoint, affine, endpoints, expanded
from autofix.codemods.graph._reasons import CARRIED, REPEATED, TARGET, WEIGHT
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.values import Graph
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

_CALLED = frozenset({"linspace", "logspace", "full", "full_like", "new_full"})
rule = Rule(__name__, code="AG109", names=_CALLED)


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    name = facts.index.called_name(node)
    if name not in _CALLED or not _is_torch(node, name, facts):
        return
    found = [(e, n) for e in endpoints(node, name, facts) if (n := _needed(node, e, facts))]
    if not found:
        return
    (graph, demand) = max((n for _, n in found), key=lambda n: n[0])
    if graph < Graph.YES and not (demand.backward or demand.text == "returned from `forward`"):
        return  # limits that are handed in: most often data
    message = (
        f"`{facts.source.segment(node.func)}` reads a tensor as a plain number: no gradient gets "
        f"past it, and it is needed ({demand.text}, line {demand.line})"
    )
    why = found[0][0].value.why
    steps = why.steps() if why is not None else ()
    if demand.repeated or facts.is_carried(node):
        yield Report(node, message, declined=REPEATED if demand.repeated else CARRIED, why=steps)
        return
    write = affine if name.endswith("space") else expanded
    try:
        edits = write(node, name, facts)
    except CannotExpress as reason:
        yield Report(node, message, declined=str(reason), why=steps)
        return
    tier, note = _tier(node, [e for e, _ in found], graph, facts)
    yield Report(node, message, fix=fix(tier, *edits), why=steps, note=note)


def _is_torch(node: ast.Call, name: str, facts: Facts) -> bool:
    if name == "new_full" and isinstance(node.func, ast.Attribute):
        return facts.value(node.func.value).is_tensor
    return facts.library_name(node.func) == f"torch.{name}"


def _needed(node: ast.Call, end: Endpoint, facts: Facts) -> tuple[Graph, Demand] | None:
    return facts.needed(end.export if end.export is not None else node)


def _tier(
    node: ast.Call, ends: list[Endpoint], graph: Graph, facts: Facts
) -> tuple[Applicability, str | None]:
    places = [node, *(e.export for e in ends if e.export is not None)]
    if any(facts.is_target(place) for place in places):
        return Applicability.DISPLAY, TARGET
    if any(facts.is_weight(place) for place in places):
        return Applicability.DISPLAY, WEIGHT
    if graph < Graph.YES:
        return Applicability.UNSAFE, "the tensor is an argument that may carry a graph"
    if any(e.export is not None and not e.value.leaf for e in ends):
        note = "the numbers were taken out of the graph by hand; keeping them in changes training"
        return Applicability.UNSAFE, note
    return Applicability.SAFE, None
