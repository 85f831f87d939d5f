"""A loss is computed through argmax, a comparison or rounding, and nothing differentiable is left.

## What it does

Finds `argmax`, `one_hot`, comparisons, `round`, `sign`, `floor` and casts to integers
that stand on the only way from a tensor with a graph to a `backward()`, or in a term of what it
runs through; and weights of a Module that are used only through these.

## Why is this bad

A class index, a mask and a rounded number do not change with a small change of the scores, so their
gradient is zero everywhere or does not exist. `backward()` raises, or runs and changes nothing.
Adding `requires_grad = True` only silences that.

## Example

```python
accuracy = (logits.argmax(dim=1) == y).float().mean()
loss = 1 - accuracy
loss.backward()
```

## Use instead

```python
loss = F.cross_entropy(logits, y)
loss.backward()
```

## Fix safety

Where `x + (x.round() - x)` lacks its `detach()`, that is added: safe, as values stay the same.
Where a hard `F.gumbel_softmax` sample is used for nothing but its `argmax`, to look up a row of an
`nn.Embedding`, the product of sample and rows takes its place: unsafe, as rounding may differ.

All else is only shown, as what to train with is the author's choice. Where one repair is usual,
the edits are shown as well: a probability that is rounded or compared with a number goes into the
loss as it is (into a loss of logits, the logits do); a class index that a loss of torch compares
with labels becomes `F.cross_entropy` of the scores; where nothing but `round`, `floor`, `ceil`,
`trunc` or `sign` of a name leads to the loss, the gradient is passed straight through it. Else the
note says what is usual: a sigmoid for comparisons, a straight-through estimator for rounding.

A layer or weight of a Module that is used for nothing else is shown too: whatever the loss is, it
is never trained.

Nothing is said where the loss has a gradient on another way, and what is hard is no term of it:
masks, metrics, hard assignments beside soft ones and straight-through estimators are right. A loss
that is made a leaf is reported where that happens, if there is nothing to repair here.

## How it is verified

Where there is a repair, both versions run on the same inputs: values must be equal, and a gradient
must come through. What is only shown has nothing to run.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#gradients-for-non-differentiable-functions
- https://arxiv.org/abs/1308.3432
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._hard_choice import Softened, softened
from autofix.codemods.graph._only_hard import HARD, only_hard
from autofix.codemods.graph._straight_through import (
    cancelled,
    detached,
    looked_up,
    passed_through,
)
from autofix.flow.facts import Facts
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.nodes import replace, stands_alone
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

_SCORES = (
    "train with `F.cross_entropy` of the scores, or with `softmax` in place of the hard choice"
)
_SOFT = "compare softly, as `torch.sigmoid((a - b) / temperature)` does, or use a margin loss"
_ROUNDED = "pass the gradient straight through: `x + (torch.round(x) - x).detach()`"
_THROUGH = "the gradient is passed on as if nothing were rounded"
_ROWS = "the rows are mixed by a sample that is one-hot up to rounding"
_INTEGER = "keep the tensor floating, or pass the gradient straight through"

_CALLS = {
    **dict.fromkeys(("argmax", "argmin", "argsort", "one_hot", "multinomial", "bincount"), _SCORES),
    **dict.fromkeys(("max", "min", "sort", "topk", "kthvalue", "median", "mode"), _SCORES),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne", "greater", "less", "isclose"), _SOFT),
    **dict.fromkeys(("count_nonzero", "heaviside", "sign", "histc"), _SOFT),
    **dict.fromkeys(("round", "floor", "ceil", "trunc", "fix"), _ROUNDED),
    **dict.fromkeys(("long", "int", "short", "byte", "char", "bool", "type", "to"), _INTEGER),
}

rule = Rule(__name__, code="AG110")


@rule.visit(ast.Call)
def check_call(node: ast.Call, facts: Facts) -> Iterator[Report]:
    name = facts.index.called_name(node)
    if name not in _CALLS:
        return
    if not (facts.index.trains or name in HARD):
        return
    passing = list(_to_pass(node, name, facts))
    yield from passing
    if not passing:
        yield from _report(node, f"`{name}`", _CALLS[name], facts)


def _to_pass(node: ast.Call, name: str, facts: Facts) -> Iterator[Report]:
    """A hard value that is meant to pass the gradient on, and does not."""
    if not facts.may_hold_tensor(node):
        return
    term = cancelled(node, facts)
    if term is not None:
        shown = facts.source.segment(term)
        message = f"`{shown}` is added and taken away again: no gradient passes `{name}` by"
        yield Report(term, message, fix=fix(Applicability.SAFE, *detached(term, facts)))
    found = looked_up(node, facts) if name == "argmax" else None
    if found is not None:
        call, product = found
        message = "the sample only tells which row is looked up: no gradient gets to its scores"
        text = product if stands_alone(facts, call) else f"({product})"
        edits = replace(facts, call, text)
        yield Report(call, message, fix=fix(Applicability.UNSAFE, *edits), note=_ROWS)


@rule.visit(ast.Compare)
def check_comparison(node: ast.Compare, facts: Facts) -> Iterator[Report]:
    plain = isinstance(node.ops[0], (ast.Is, ast.IsNot, ast.In, ast.NotIn))
    if not plain and _may_be_loss(node, facts):
        yield from _report(node, "a comparison", _SOFT, facts)


def _may_be_loss(node: ast.Compare, facts: Facts) -> bool:
    """Is the result computed with, rather than asked by an `if`?"""
    around = facts.index.parents.get(node)
    asked = (ast.If, ast.While, ast.Assert, ast.BoolOp, ast.IfExp, ast.UnaryOp, ast.comprehension)
    if isinstance(around, asked):
        return False
    operands = [node.left, *node.comparators]
    texts = (n for n in operands if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return next(texts, None) is None and any(facts.may_hold_tensor(n) for n in operands)


def _report(node: ast.expr, what: str, instead: str, facts: Facts) -> Iterator[Report]:
    found = facts.needed(node)
    if found is None or found[0] < Graph.YES:
        return
    demand = found[1]
    whole = demand.alone and not demand.carries
    if not demand.backward or not (whole or (demand.last and facts.is_term(node))):
        if not demand.supposed:
            yield from _untrained(node, what, instead, facts)
        return
    repair = softened(node, facts)
    if repair is None and whole and not demand.leaf:
        through = passed_through(node, facts)
        repair = Softened(tuple(through), _THROUGH) if through is not None else None
    if repair is None and demand.leaf:
        return
    subject = "the loss depends" if whole else "a term of the loss depends"
    message = (
        f"{subject} on its inputs only through {what}, which has no gradient, "
        f"and it is needed ({demand.text}, line {demand.line})"
    )
    if repair is None:
        yield Report(node, message, fix=fix(Applicability.DISPLAY), note=instead)
        return
    edits = [*repair.edits, *_unsilenced(node, facts)]
    yield Report(node, message, fix=fix(Applicability.DISPLAY, *edits), note=repair.note)


def _untrained(node: ast.expr, what: str, instead: str, facts: Facts) -> Iterator[Report]:
    source = only_hard(node, facts)
    if source is not None:
        text = facts.source.segment(source)
        message = f"`{text}` is used only through {what}, so no gradient ever gets to its weights"
        yield Report(node, message, fix=fix(Applicability.DISPLAY), note=instead)


def _unsilenced(node: ast.expr, facts: Facts) -> Iterator[Edit]:
    """`loss.requires_grad = True` raises once the loss has a graph."""
    for target in facts.silencers(node):
        edit = remove_statement(facts, target)
        if edit is not None:
            yield edit
