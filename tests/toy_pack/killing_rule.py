"""A rule that kills its process.

## What it does
Reports `torch.kill`.

## Why is this bad
```python
# not a heading
torch.kill(x)
```

## Fix safety
No fix.
"""

from __future__ import annotations

import ast
import os
import signal
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.rule import Report, Rule
from toy_pack import is_call

rule = Rule(__name__, code="TY108", trigger=r"kill")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "kill"):
        os.kill(os.getpid(), signal.SIGKILL)
        yield
