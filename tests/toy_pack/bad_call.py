"""A bad call.

## What it does
Reports `torch.bad`.

## Why is this bad
```python
# not a heading
torch.bad(x)
```

## Fix safety
The fix is `safe`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix
from toy_pack import is_call, renamed

rule = Rule(__name__, code="TY101", trigger=r"bad")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "bad"):
        yield Report(
            node, "`torch.bad` is bad", fix(Applicability.SAFE, renamed(node, facts, "good"))
        )
