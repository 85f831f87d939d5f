"""A rule that recurses.

## What it does
Reports `torch.deep`.

## Why is this bad
```python
# not a heading
torch.deep(x)
```

## Fix safety
No fix.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.rule import Report, Rule
from toy_pack import is_call

rule = Rule(__name__, code="TY111", trigger=r"deep")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "deep"):

        def descend(n: int) -> int:
            return descend(n + 1)

        descend(0)
        yield
