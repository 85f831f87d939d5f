"""The optimizer is stepped before the backward pass of the same turn.

## What it does

Finds turns of a training loop in which `step()` comes before the `backward()` that computes its
gradients.

## Why is this bad

With a reset before it the step finds no gradients and moves nothing, in every turn. Without one it
moves the weights along the gradients of the batch before, and what the last batch brings is lost.
Nothing raises, and the loss is printed as if the model were trained.

## Example

```python
optimizer.zero_grad()
loss = loss_fn(model(x), y)
optimizer.step()
loss.backward()
```

## Use instead

```python
optimizer.zero_grad()
loss = loss_fn(model(x), y)
loss.backward()
optimizer.step()
```

## Fix safety

The step moves behind the backward pass, with gradient clipping before it and the learning rate
schedule behind it. This is safe where the step found no gradients, so that it could not do
anything, or changed the weights between the forward and the backward pass of one loss; it is unsafe
where it used the gradients of an earlier turn before all that. A function that makes the step is
called later as a whole, unless what it does is needed in between. Where a loop runs functions that
stand in a list, their order in the list changes. There is no fix where the backward pass is run in
another block or function otherwise.

A step at the start of a turn that is skipped in the first turn, or that uses the gradients of a
backward pass before the loop, is left alone.

## How it is verified

The original and the rewritten program train on the same data. The weights have to end where a loop
written by hand ends.

## References

- https://docs.pytorch.org/docs/stable/optim.html
- https://discuss.pytorch.org/t/order-of-backward-step-and-zero-grad/39254
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from autofix.codemods.training._places import moved_step
from autofix.codemods.training._problems import Kind, Problem, problems
from autofix.codemods.training._stages import moved_stage
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG606", names=("step", "optimizer_step"), needs=("backward",))


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if last_name(node.func) not in ("step", "optimizer_step"):
        return
    problem = problems(facts).get(node)
    if problem is None or problem.kind not in (Kind.IDLE, Kind.LATE):
        return
    line = problem.backwards[0].event.node.lineno
    idle = problem.kind == Kind.IDLE
    finds = "it finds no gradients" if idle else "it uses the gradients of the turn before"
    text = f"`{facts.source.segment(node)}`"
    message = f"{text} comes before `backward()` (line {line}): {finds}"
    edits = moved_step(problem, facts)
    if isinstance(edits, str):
        edits = moved_stage(problem, facts) or edits
    if isinstance(edits, str):
        yield Report(node, message, declined=edits)
        return
    sure = idle or _is_outdated(problem, facts)
    tier = Applicability.SAFE if sure else Applicability.UNSAFE
    yield Report(node, message, fix=fix(tier, *edits))


def _is_outdated(problem: Problem, facts: Facts) -> bool:
    """Is the loss computed in this very turn, with the weights that the step then changes?"""
    loss, chain = problem.backwards[0].event.receiver, problem.step.event.chain
    if not isinstance(loss, ast.Name):
        return False
    index = facts.index
    stores = [index.statement_of(store) for store in uses_in(facts).names.stores(loss)]
    return bool(stores) and all(
        isinstance(store, ast.Assign)
        and facts.value(loss).graph == Graph.YES
        and any(store in block[: block.index(one)] for one, block in _blocks(chain, facts))
        for store in stores
    )


def _blocks(chain: Iterable[ast.stmt], facts: Facts) -> Iterator[tuple[ast.stmt, list[ast.stmt]]]:
    for one in chain:
        yield one, facts.index.block_of(one)
