"""A hopeless call.

## What it does
Reports `torch.hopeless`.

## Why is this bad
```python
# not a heading
torch.hopeless(x)
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

rule = Rule(__name__, code="TY104", trigger=r"hopeless")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "hopeless"):
        yield Report(node, "hopeless", declined="nobody can")
