"""A buffer is filled step by step from what was filled before, and backward needs every step.

## What it does

Finds loops that write `out[t] = f(out[t - 1])` into a tensor: recurrences, filters, dynamic
programming tables, Euler steps, decoders that feed back what they predicted. They are found where
`f` has kept what it read (a product with something that has a gradient, a layer, a norm), and a
gradient of the result is needed.

## Why is this bad

Each step keeps a view of the buffer, and the write that follows changes the memory behind all of
them, so `backward()` ends with "one of the variables needed for gradient computation has been
modified by an inplace operation".

## Example

```python
out = torch.zeros(len(x))
for t in range(1, len(x)):
    out[t] = alpha * x[t] + (1 - alpha) * out[t - 1]
```

## Use instead

```python
out = torch.zeros(len(x))
for t in range(1, len(x)):
    out[t] = alpha * x[t] + (1 - alpha) * out[t - 1].clone()
```

or collect the steps in a list and `torch.stack` them once.

## Fix safety

The fix is safe where the operation surely carries a graph: it copies the element that is kept, so
values, shapes, dtypes and all aliases stay as they are. It is unsafe where a graph is only
possible. Filling a buffer from other tensors keeps nothing of it and is silent.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must agree, and the
gradient of the rewritten code must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.in_place._broken import RECURRENT
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER
from autofix.codemods.in_place._report import reports
from autofix.flow.facts import Facts
from autofix.rule import Report, Rule

rule = Rule(__name__, code="AG206", names=NAMES, trigger=TRIGGER)


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    yield from reports(RECURRENT, node, facts)
