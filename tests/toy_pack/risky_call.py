"""A risky call.

## What it does
Reports `torch.risky`.

## Why is this bad
```python
# not a heading
torch.risky(x)
```

## Fix safety
The fix is `unsafe`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix
from toy_pack import is_call, renamed

rule = Rule(__name__, code="TY102", trigger=r"risky")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "risky"):
        yield Report(
            node,
            "`torch.risky` is risky",
            fix(Applicability.UNSAFE, renamed(node, facts, "sound")),
            why=("`x` is a leaf (line 1)",),
            note="see the manual",
        )
