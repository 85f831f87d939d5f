"""Gradients of earlier batches are not reset before a step, or those of this batch are.

## What it does

Finds training loops, and functions that are called for each batch, where an optimizer is stepped
after a backward pass and `zero_grad()` is missing, stands outside of the loop, or stands between
the backward pass and the step, or where a reset in every turn undoes the accumulation for a step
in every n-th. The same for updates that are written by hand.

## Why is this bad

`backward()` adds to the gradients that are there. Without a reset each step is made along the sum
of the gradients of all batches so far: training goes on, with growing steps in outdated
directions. With the reset between backward pass and step the optimizer finds no gradients at all,
and no weight ever moves. Neither raises.

## Example

```python
for x, y in loader:
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
```

## Use instead

```python
for x, y in loader:
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
```

## Fix safety

A reset that stands between the backward pass and the step is moved before the backward pass: safe,
as the step could not do anything (unsafe where a reset is missing in the same turn, too). A missing
reset is inserted before the backward passes that the step is for, or behind the step where that is
made only now and then (accumulation). This is unsafe, because training goes another way. It is
only shown where gradients are reset once for all batches of an epoch, since whoever wrote that may
want the sum (not so where each round goes on to reset and step another optimizer: the reset before
several steps of a critic is meant for each of them).

A reset in a loop of backward passes that one step behind the loop is for moves before the loop,
where the passes are parts of one: their losses are divided by their number, or they go over parts
of one batch. Otherwise this is only shown, since the step may belong into the loop.

A reset in every turn of a loop that makes a step in every n-th one only, with losses that are
divided by n, is put behind the step: the step found the gradients of the last turn only. Where
nothing is divided this is shown, for the steps get larger.

Gradients that are accumulated on purpose are left alone: any reset that the loop may come by, be
it conditional, of the model, of single gradients or in code of another file, is taken for meant.
So are optimizers that are made in the loop itself, and loops of one turn.

## How it is verified

The original and the rewritten program train on the same data. The weights have to end where a loop
written by hand ends, and nowhere else.

## References

- https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html
- https://discuss.pytorch.org/t/why-do-we-need-to-set-the-gradients-manually-to-zero-in-pytorch/4903
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._each import adds_up, in_loop_of_passes, reset_once
from autofix.codemods.training._idle_optimizer import gets_no_gradients
from autofix.codemods.training._moved_reset import moved_reset
from autofix.codemods.training._now_and_then import adds_to_mean, reset_behind_step
from autofix.codemods.training._places import reset_edit
from autofix.codemods.training._problems import Kind, Problem, problems, turn_holds
from autofix.codemods.training._rounds import is_one_of_a_round
from autofix.flow.events import updated
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.model import Applicability
from autofix.rewrite.statements import insert_after
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG602",
    names=("step", "optimizer_step", "zero_grad", "grad"),
    needs=("backward",),
)


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if last_name(node.func) not in ("step", "optimizer_step", "zero_grad"):
        return
    problem = problems(facts).get(node)
    if problem is None:
        return
    receiver = problem.step.event.receiver
    if receiver is not None and gets_no_gradients(receiver, facts):
        return
    if problem.kind == Kind.MISSING:
        yield _missing(node, problem, facts)
    elif problem.kind == Kind.BETWEEN:
        yield _between(node, problem, facts)
    elif problem.kind == Kind.EACH:
        yield _of_each(node, problem, facts)
    elif problem.kind == Kind.RARE:
        yield _of_every_turn(node, problem, facts)


@rule.visit(ast.AugAssign, ast.Assign, ast.Expr)
def check_update(node: ast.stmt, facts: Facts) -> Iterator[Report]:
    """`w -= lr * w.grad`: a step that is written by hand."""
    weight = updated(node)
    if weight is None or (problem := problems(facts).get(node)) is None:
        return
    code = f"{facts.source.segment(weight)}.grad.zero_()"
    message = f"`{code}` is missing: each update is made along the gradients of all turns so far"
    edit = insert_after(facts, node, code)
    yield Report(node, message, fix=fix(Applicability.UNSAFE, edit), why=_why(problem))


def _missing(node: ast.Call, problem: Problem, facts: Facts) -> Report:
    receiver = problem.step.event.receiver
    assert receiver is not None
    code = f"{facts.source.segment(receiver)}.zero_grad()"
    message = f"`{code}` is missing: each step is made along the gradients of all turns so far"
    edit = reset_edit(problem, facts, code)
    if problem.reset_each_round(facts) and not is_one_of_a_round(problem, facts):
        note = "they are reset once for all turns of a round, which may be what is wanted"
        shown = fix(Applicability.DISPLAY, edit)
        return Report(node, message, fix=shown, why=_why(problem), note=note)
    note = "training goes another way; leave it if the gradients are meant to add up"
    return Report(node, message, fix=fix(Applicability.UNSAFE, edit), why=_why(problem), note=note)


def _between(node: ast.Call, problem: Problem, facts: Facts) -> Report:
    text = f"`{facts.source.segment(node)}`"
    message = f"{text} stands between `backward()` and `step()`: the step finds no gradients"
    edits = moved_reset(problem, facts)
    if isinstance(edits, str):
        return Report(node, message, declined=edits, why=_why(problem))
    tier = Applicability.UNSAFE if _is_one_of_two(problem, facts) else Applicability.SAFE
    if in_loop_of_passes(problem):
        tier = Applicability.UNSAFE if adds_up(problem, facts) else Applicability.DISPLAY
    return Report(node, message, fix=fix(tier, *edits), why=_why(problem))


def _of_each(node: ast.Call, problem: Problem, facts: Facts) -> Report:
    text, line = f"`{facts.source.segment(node)}`", problem.step.event.node.lineno
    message = (
        f"{text} throws away what the turns of this loop bring, and the step that uses it comes "
        f"behind the loop (line {line})"
    )
    edits = reset_once(problem, facts)
    if isinstance(edits, str):
        return Report(node, message, declined=edits, why=_why(problem))
    if adds_up(problem, facts):
        return Report(node, message, fix=fix(Applicability.UNSAFE, *edits), why=_why(problem))
    note = "the reset may belong before the loop, or the step into it"
    shown = fix(Applicability.DISPLAY, *edits)
    return Report(node, message, fix=shown, why=_why(problem), note=note)


def _of_every_turn(node: ast.Call, problem: Problem, facts: Facts) -> Report:
    text, line = f"`{facts.source.segment(node)}`", problem.step.event.node.lineno
    message = (
        f"{text} throws away in every turn what is to add up until the step (line {line}), which "
        "finds the gradients of the last turn only"
    )
    edits = reset_behind_step(problem, facts)
    if isinstance(edits, str):
        return Report(node, message, declined=edits, why=_why(problem))
    mean = adds_to_mean(problem.turn, problem.step, facts)
    tier = Applicability.UNSAFE if mean else Applicability.DISPLAY
    note = None if mean else "added up the steps are larger: the losses may have to be divided"
    return Report(node, message, fix=fix(tier, *edits), why=_why(problem), note=note)


def _is_one_of_two(problem: Problem, facts: Facts) -> bool:
    """Is a reset missing in the same training? Without that the repaired step trains against an
    optimizer that is still wrong: both repairs are made, or none."""
    missing = [one for one in problems(facts).values() if one.kind == Kind.MISSING]
    return any(one.turn.node is problem.turn.node for one in missing) or any(
        turn_holds(facts, problem.step.event.node, one.step.event.node) for one in missing
    )


def _why(problem: Problem) -> tuple[str, ...]:
    return (
        f"a backward pass brings gradients (line {problem.backwards[0].event.node.lineno})",
        f"the step uses them (line {problem.step.event.node.lineno})",
    )
