"""A weight is updated by binding its name to a new tensor, and the leaf that is trained is lost.

## What it does

Finds `w = w - lr * w.grad`, also with `self.w`, `params[i]`, `+`, `torch.sub`, `w.sub(...)` and a
gradient that was put in a variable before, where the weight is used again in the next turn of a
loop or the next call of the method, and `p = p - lr * p.grad` in a loop over parameters or in a
function, where nothing reads the new tensor. Also lists and dicts of weights that are made anew in
each turn: `weights = [w - lr * w.grad for w in weights]`, there or in a function.

## Why is this bad

The new tensor is computed from the leaf, so it is none: after the first update its `.grad` is
`None`, and the next one raises a TypeError. Under `no_grad` it does not require a gradient at all,
and `backward()` raises. A loop over parameters only binds its own variable: no parameter changes,
nothing fails, and nothing is learned.

## Example

```python
for step in range(100):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    w = w - lr * w.grad
```

## Use instead

```python
for step in range(100):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
    w.grad = None
```

## Fix safety

The weight is changed in place under `no_grad`. Where nothing sets the gradient back,
`w.grad = None` follows: a tensor made anew had none. The first turn computes the same values; from
then on the program trains, where it raised or stood still before. This is safe. It is unsafe where
it is not known that the tensor requires a gradient.

Where the old tensors are kept (`history.append(w)`), and of lists of weights, each turn gets
leaves of its own instead.

An update of a copy under another name (`fast = w - lr * g`), gradients from `torch.autograd.grad`,
and a tensor that is made a leaf again (`.detach().requires_grad_()`) are left alone.

## How it is verified

The original and the rewritten code run on the same inputs. Values up to the first update must be
equal, the original must fail or stand still after it, and in the rewritten code the weight moves.

## References

- https://docs.pytorch.org/tutorials/beginner/pytorch_with_examples.html
- https://discuss.pytorch.org/t/how-to-update-the-weights-of-a-tensor-by-hand/46425
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._held import without_flags
from autofix.codemods.leaf._in_place import in_place
from autofix.codemods.leaf._renewed import as_leaves, renewed
from autofix.codemods.leaf._updates import Verdict, update_of_attribute, updates_from
from autofix.flow.facts import Facts
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG307", needs=(".grad",))


@rule.visit(ast.Assign)
def check(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    run = updates_from(facts, node)
    if not run:
        return
    names = ", ".join(f"`{update.text}`" for update in run)
    first = run[0]
    message = {
        Verdict.UNUSED: f"{names} is bound to a new tensor that nobody reads: no weight changes",
        Verdict.CARRIED: f"{names} is bound to a new tensor, which is no leaf: its `.grad` is "
        "`None` in the next turn",
        Verdict.NO_GRAD: f"{names} is bound to a new tensor that does not require a gradient: the "
        "next `backward()` has nothing to do",
        Verdict.ELSEWHERE: f"{names} is bound to a new tensor, and the object that it was taken "
        "from keeps the one of before: that never changes",
    }[first.verdict]
    where = tuple(f"`{u.text}` is bound again (line {u.statement.lineno})" for u in run)
    edits = in_place(facts, run)
    if isinstance(edits, str):
        yield Report(node, message, declined=edits, why=where)
        return
    sure = all(u.sure and u.verdict != Verdict.ELSEWHERE for u in run)
    for update in run:
        if update.verdict == Verdict.ELSEWHERE:
            edits = (*edits, *without_flags(facts, update.text, update.statement))
    tier = Applicability.SAFE if sure else Applicability.UNSAFE
    yield Report(node, message, fix=fix(tier, *edits), why=where)


@rule.visit(ast.Assign)
def check_lists(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`weights = [w - lr * w.grad for w in weights]`"""
    found = renewed(facts, node)
    if found is None:
        return
    message = (
        f"`{found.name}` is bound to new tensors, which are no leaves: their `.grad` is `None` in "
        "the next turn"
    )
    yield Report(node, message, fix=fix(Applicability.SAFE, *as_leaves(facts, found)))


@rule.visit(ast.Expr)
def check_attribute(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    """`setattr(self, name, t - lr * t.grad)`, with `t = getattr(self, name)`"""
    update = update_of_attribute(facts, node)
    if update is None:
        return
    message = (
        f"the attribute is set to a new tensor in place of `{update.text}`, which is no leaf: it "
        "has no `.grad` in the next turn"
    )
    edits = in_place(facts, [update])
    if isinstance(edits, str):
        yield Report(node, message, declined=edits)
    else:
        yield Report(node, message, fix=fix(Applicability.SAFE, *edits))
