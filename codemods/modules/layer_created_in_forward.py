"""A layer or Parameter is made inside `forward`, so that each call has new, untrained weights.

## What it does

Finds calls of layers with weights (`nn.Linear`, `nn.LSTM`, a Module of this file) and of
`nn.Parameter` that `forward`, or a method that it calls, makes and uses at once.

## Why is this bad

What is made in `forward` is gone when it returns. Its weights are drawn anew at each call, are not
listed by `parameters()`, and never change: a part of the model is random for good, and the results
differ from call to call.

## Example

```python
def forward(self, x):
    fc = nn.Linear(self.dim, 10)
    return fc(x)
```

## Use instead

```python
def __init__(self, dim):
    super().__init__()
    self.dim = dim
    self.fc = nn.Linear(self.dim, 10)

def forward(self, x):
    fc = self.fc
    return fc(x)
```

## Fix safety

The layer is made at the end of `__init__` and kept as an attribute. What was set there before keeps
its values. It is unsafe, since random weights are drawn once and the `state_dict` gains keys. It is
safe for a Parameter that starts as zeros, ones or another constant, since the values stay the same.

Under a condition that `__init__` knows, too, the layer is made under that condition. Where only the
size of the input is not known there, the layer becomes a lazy one (`nn.LazyLinear(10)`), if the
project shows how it is trained, and that nobody wants its weights before the first input.

There is no fix where other arguments depend on the input, in a loop, under another condition, or in
a function outside of the class, nor for the rest of what such a `forward` makes. Layers without
weights, those that are given weights of their own or made only once (`if self.fc is None`), and
normalisation by the shape of the input are left alone.

## How it is verified

Before, the leaves behind the result are not among the parameters of the module. After, they are,
and one optimizer step moves them; for constants the forward values must be equal.

## References

- https://docs.pytorch.org/docs/stable/notes/modules.html
- https://discuss.pytorch.org/t/define-layers-in-forward/46614
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.modules._fresh import (
    Fresh,
    called_by_forward,
    fresh_in,
    is_norm,
    may_make,
    trains_itself,
)
from autofix.codemods.modules._hoist import hoisted
from autofix.flow.class_table import ClassTable
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG504", trigger=r"def forward\b")


@rule.visit(ast.ClassDef)
def check(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    if not node.bases or not may_make(facts, node):
        return
    table = facts.class_table(node)
    if not table.may_be_module:
        return
    methods = called_by_forward(facts, table)
    if any(m.name == "forward" for m in methods) and any(map(trains_itself, methods)):
        return
    names: set[str] = set()
    every = [fresh for method in methods for fresh in fresh_in(facts, method)]
    made = [(fresh, hoisted(facts, table, fresh, names)) for fresh in every]
    made = [(fresh, edits) for fresh, edits in made if not _is_left_alone(fresh, edits)]
    stays = next((fresh for fresh, edits in made if isinstance(edits, str)), None)
    for fresh, edits in made:
        if stays is not None and not isinstance(edits, str):  # half of a repair hides the rest
            line = stays.call.lineno
            edits = f"what is made in line {line} would stay untrained; that has to move first"
        yield _report(facts, table, fresh, edits)


def _is_left_alone(fresh: Fresh, edits: tuple[Edit, ...] | str) -> bool:
    return isinstance(edits, str) and is_norm(fresh)


def _report(facts: Facts, table: ClassTable, fresh: Fresh, edits: tuple[Edit, ...] | str) -> Report:
    what = facts.source.segment(fresh.call.func)
    message = f"`{what}` is made at each call: its weights are new each time and never trained"
    if isinstance(edits, str):
        return Report(fresh.call, message, declined=edits)
    safe = fresh.parameter and table.is_module is True and _constant(fresh.call)
    tier = Applicability.SAFE if safe else Applicability.UNSAFE
    note = "the module gains parameters; checkpoints written before lack their keys"
    if any(re.search(r"\bLazy", edit.text) for edit in edits):
        note = "its input has to be of the same size in all calls, and the first one comes before "
        note += "anything that reads the weights"
    return Report(fresh.call, message, fix=fix(tier, *edits), note=note)


def _constant(call: ast.Call) -> bool:
    """`nn.Parameter(torch.ones(3) * 0.1)`"""
    made = {last_name(n.func) for n in walk(call) if isinstance(n, ast.Call)}
    return made <= {"Parameter", "ones", "zeros", "full", "eye", "tensor"}
