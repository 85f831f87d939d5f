"""An element of a tensor is filled from its own elements, which backward needs as they were.

## What it does

Finds assignments such as `p[2] = p[0] / p[1]`, `out[:, 3:] = out[:, 3:] / out[:, 3:].norm()` or
`w[0] *= w[1]` on a tensor that carries a graph, where the operations on the right have kept what
they read for their backward pass, and a gradient of the result is needed. Writing into one of
several views that were made at once, as `for row in x:` does, belongs here, too.

## Why is this bad

An element is a view: all elements share one memory and one version counter. The assignment changes
that memory after `/`, `*` or `norm` has kept a view of it, and `backward()` ends with "one of the
variables needed for gradient computation has been modified by an inplace operation", although not
one of the numbers that were kept has changed.

## Example

```python
p = camera @ points
p[0] = p[0] / p[2]
```

## Use instead

```python
p = camera @ points
p[0] = p[0].clone() / p[2].clone()
```

or `torch.stack` the parts into a new tensor.

## Fix safety

The fix is safe where the operation surely carries a graph: it copies what is kept, so values,
shapes and all aliases of the memory stay as they are. It is unsafe where the tensor only may carry
a graph. A row that a loop over a tensor binds is copied at the start of each turn; where the whole
tensor is read again, the finding comes without a fix. Loops that normalise row by row and can
become one expression belong to `in-place-row-loop`.

Operations that keep nothing are silent: `x[0] = x[0] + x[1]`, `x[0] /= 2`, writes into a fresh
buffer, and everything under `no_grad`.

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

from autofix.codemods.in_place._broken import OWN
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER
from autofix.codemods.in_place._report import reports
from autofix.flow.facts import Facts
from autofix.rule import Report, Rule

rule = Rule(__name__, code="AG202", names=NAMES, trigger=TRIGGER)


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    yield from reports(OWN, node, facts)
