"""A fix with overlapping edits.

## What it does
Reports `torch.overlap`.

## Why is this bad
```python
# not a heading
torch.overlap(x)
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

rule = Rule(__name__, code="TY110", trigger=r"overlap")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "overlap"):
        start, end = facts.source.span(node)
        edits = (Edit(start, end, "a"), Edit(start + 1, end, "b"))
        yield Report(node, "overlaps", fix(Applicability.SAFE, *edits))
