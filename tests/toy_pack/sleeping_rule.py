"""A rule that sleeps.

## What it does
Reports `torch.sleep`.

## Why is this bad
```python
# not a heading
torch.sleep(x)
```

## Fix safety
No fix.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

from autofix.flow.facts import Facts
from autofix.rule import Report, Rule
from toy_pack import is_call

rule = Rule(__name__, code="TY112", trigger=r"sleep")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "sleep"):
        Path("asleep").touch()
        time.sleep(60)
        return
        yield
