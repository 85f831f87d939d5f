"""An ignore comment that silences nothing.

## What it does
Reports an `# autofix: ignore[...]` or `# autofix: file-ignore[...]` comment, or one name in it,
that no longer hides a finding of a selected rule.

## Why is this bad
A stale comment tells the next reader that a gradient is cut here on purpose. It also hides the next
finding on that line, which nobody has looked at.

## Example
```python
loss = F.cross_entropy(logits, y)  # autofix: ignore[tensor-from-graph-values]
```

## Use instead
```python
loss = F.cross_entropy(logits, y)
```

## Fix safety
The fix is `safe`: only the comment, or the unused name in it, goes away.

## How it is verified
Nothing to run: a comment has no behaviour.
"""

from __future__ import annotations

from autofix.rule import Rule

# No visitor, and a trigger that no Python file holds: the findings are made by `autofix.ignores`,
# after all other rules have spoken. The rule stands here to be selected, ignored and explained.
rule = Rule(__name__, code="AG901", trigger="\0")
