"""A fix that breaks.

## What it does
Reports `torch.breaks`.

## Why is this bad
```python
# not a heading
torch.breaks(x)
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
from toy_pack import is_call

rule = Rule(__name__, code="TY106", trigger=r"breaks")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "breaks"):
        start, end = facts.source.span(node)
        yield Report(node, "breaks", fix(Applicability.SAFE, Edit(start, end, "(")))
