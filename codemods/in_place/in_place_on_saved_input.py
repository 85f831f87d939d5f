"""A tensor is changed in place after an operation has kept it for backward.

## What it does

Finds writes (`x += 1`, `a.mul_(2)`, `scores[mask] = value`, `state.copy_(new)`, `nn.ReLU(True)`)
into a tensor that an earlier operation, or one of the turn before in a loop, has kept: `x ** 2`,
`a * b`, `a @ b`, a convolution or linear layer, `norm`, and so on, where a gradient that goes
through the operation is needed.

## Why is this bad

The derivative of `x ** 2` is computed from x. When x has changed since, `backward()` ends with "one
of the variables needed for gradient computation has been modified by an inplace operation". The
message of this rule names the operation and its line.

## Example

```python
stretch = norm.pow(2)
norm += 1.0
```

## Use instead

```python
stretch = norm.pow(2)
norm = norm + 1.0
```

## Fix safety

Where the name is the only one for its memory, the write becomes an operation that gives a new
tensor. Where another name, a container, an attribute or the caller sees the memory change, the
operation gets a copy to keep instead: `norm.clone().pow(2)`. Both are safe where the operation
surely carries a graph, and unsafe where it only may. `inplace=True` of a module is dropped if none
of its calls changes a tensor that is read again.

Writes that autograd is fine with are silent: after a sum, a mean or a concatenation nothing is
kept.

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

from autofix.codemods.in_place._broken import INPUT
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER
from autofix.codemods.in_place._report import reports
from autofix.flow.facts import Facts
from autofix.rule import Report, Rule

rule = Rule(__name__, code="AG205", names=NAMES, trigger=TRIGGER)


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    yield from reports(INPUT, node, facts)
