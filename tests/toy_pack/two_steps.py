"""A fix in two steps.

## What it does
Reports `torch.steps`.

## Why is this bad
```python
# not a heading
torch.steps(x)
```

## Fix safety
`safe`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix
from toy_pack import is_call, renamed

rule = Rule(__name__, code="TY109", trigger=r"steps")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "steps"):
        yield Report(
            node,
            "two steps",
            fix(Applicability.SAFE, Edit(0, 0, "import math\n"), renamed(node, facts, "bad")),
        )
