"""The result of an operation that needs its own result for backward is changed in place.

## What it does

Finds writes (`y += x`, `y.mul_(2)`, `y[mask] = 0`, `nn.Dropout(inplace=True)`, `F.relu(y,
inplace=True)`) into the result of an operation that keeps it: `exp`, `sigmoid`, `tanh`, `softmax`,
`sqrt`, `relu`, `norm` and many others, as modules, functions and methods, where a gradient that
goes through the operation is needed.

## Why is this bad

The derivative of `tanh` is computed from its result. When that has changed, `backward()` ends with
"one of the variables needed for gradient computation has been modified by an inplace operation",
and does not say where. The message of this rule names the operation and its line.

## Example

```python
out = torch.tanh(self.conv(x))
out += x
```

## Use instead

```python
out = torch.tanh(self.conv(x))
out = out + x
```

## Fix safety

Where the name is the only one for its memory, the write becomes an operation that gives a new
tensor (or `out = out.clone()` goes before it). Where another name, a container, an attribute or
the caller sees the memory change, the operation hands on a copy instead:
`torch.tanh(...).clone()`. Both are safe where the operation surely carries a graph, and unsafe
where it only may. `inplace=True` of a module is dropped if none of its calls changes a tensor that
is read again.

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

from autofix.codemods.in_place._broken import OUTPUT
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER
from autofix.codemods.in_place._report import reports
from autofix.flow.facts import Facts
from autofix.rule import Report, Rule

rule = Rule(__name__, code="AG204", names=NAMES, trigger=TRIGGER)


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    yield from reports(OUTPUT, node, facts)
