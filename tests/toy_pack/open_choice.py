"""An open choice.

## What it does
Reports `torch.choice`.

## Why is this bad
```python
# not a heading
torch.choice(x)
```

## Fix safety
A `display` fix.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix
from toy_pack import is_call, renamed

rule = Rule(__name__, code="TY103", trigger=r"choice")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if is_call(node, "choice"):
        yield Report(node, "a choice", fix(Applicability.DISPLAY, renamed(node, facts, "chosen")))
