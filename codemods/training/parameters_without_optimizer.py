"""What a loss is computed with has parameters of its own, and no optimizer gets them.

## What it does

Finds training loops whose loss goes through a module or a leaf that the file makes, and does
nothing else with but compute: a loss with weights of its own beside the model, a head, a learned
temperature. The optimizer that is stepped gets the parameters of other modules only.

## Why is this bad

The parameters get gradients, and keep the values that they were made with: nothing steps them.
Nothing raises, and the rest of the model learns to live with them.

## Example

```python
balance = TaskWeights(2)
optimizer = torch.optim.Adam(model.parameters())
for x, y in loader:
    loss = balance(*losses(model(x), y))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## Use instead

```python
balance = TaskWeights(2)
optimizer = torch.optim.Adam([*model.parameters(), *balance.parameters()])
```

## Fix safety

The fix is shown, and not made: whether the parameters are to learn, and how fast, only the author
knows. Where they are to stay, say so with `requires_grad_(False)`. What is asked for its parameters
anywhere, frozen, loaded, put in evaluation mode for good, kept in a Module, or handed to code that
is not known is left alone, and so is what only runs without gradients.

## How it is verified

There is nothing to verify: the fix is not made.

## References

- https://docs.pytorch.org/docs/stable/optim.html
- https://discuss.pytorch.org/t/how-to-optimize-multi-loss-with-trainable-weights/41189
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._left_out import LeftOut, left_out
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import argument
from autofix.model import Applicability, Edit
from autofix.rewrite.nodes import replace
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG609",
    trigger=r"(?:Adam\w*|SGD|RMSprop|Ada\w+|LBFGS|[NR]Adam|Rprop|ASGD|SparseAdam|Muon)\s*\(",
    needs=("backward",),
)


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if not optimizer_class(node, facts):
        return
    for one in left_out(node, facts):
        name = facts.source.segment(one.target)
        message = (
            f"`{name}` (line {one.target.lineno}) has parameters that the loss is computed with "
            f"(line {one.loss.lineno}), and no optimizer gets them: they are never trained"
        )
        edits = _added(node, one, facts)
        if edits is None:
            yield Report(node, message, declined="give them to an optimizer, or freeze them")
        else:
            yield Report(node, message, fix=fix(Applicability.DISPLAY, *edits))


def _added(call: ast.Call, one: LeftOut, facts: Facts) -> tuple[Edit, ...] | None:
    """`[*model.parameters(), *head.parameters()]`, where the head is made before."""
    listed = argument(call, 0, "params")
    made, here = facts.index.statement_of(one.target), facts.index.statement_of(call)
    known = made is not None and here is not None and _is_above(made, here, facts)
    if not known or not isinstance(listed, ast.Call) or last_name(listed.func) != "parameters":
        return None
    name = facts.source.segment(one.target)
    more = name if one.leaf else f"*{name}.parameters()"
    return replace(facts, listed, f"[*{facts.source.segment(listed)}, {more}]")


def _is_above(made: ast.stmt, here: ast.stmt, facts: Facts) -> bool:
    block = facts.index.block_of(here)
    return made in block and block.index(made) < block.index(here)
