"""A rule that crashes.

## What it does
Reports `torch.crash`.

## Why is this bad
```python
# not a heading
torch.crash(x)
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

rule = Rule(__name__, code="TY105", trigger=r"crash")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "crash"):
        raise ValueError("first line\nsecond line")
        yield
