"""A fix without end.

## What it does
Reports `torch.grow`.

## Why is this bad
```python
# not a heading
torch.grow(x)
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

rule = Rule(__name__, code="TY107", trigger=r"grow")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "grow"):
        start, end = facts.source.span(node)
        text = facts.source.segment(node)
        yield Report(node, "grows", fix(Applicability.SAFE, Edit(start, end, f"f({text})")))
