"""A Module keeps Parameters in a plain list or dict, where `parameters()` does not find them.

## What it does

Finds an attribute of an `nn.Module` that is a list, tuple or dict of `nn.Parameter`s, or of tensors
that require grad.

## Why is this bad

A Module registers what is set as an attribute of it, and does not look into lists and dicts. The
tensors are used in `forward` and get gradients, but `parameters()` and `state_dict()` do not list
them, so no optimizer moves them: they keep their first values.

## Example

```python
self.scales = [nn.Parameter(torch.ones(3)) for _ in range(4)]
self.noise = {"process": nn.Parameter(torch.zeros(3))}
```

## Use instead

```python
self.scales = nn.ParameterList([nn.Parameter(torch.ones(3)) for _ in range(4)])
self.noise = nn.ParameterDict({"process": nn.Parameter(torch.zeros(3))})
```

## Fix safety

The list becomes an `nn.ParameterList`, the dict an `nn.ParameterDict`; both make a Parameter of a
plain tensor. Where they would not do (keys that are no strings, `torch.stack` of the list), the
container stays and an `nn.ParameterList` of what it holds is set beside it. Forward values stay the
same. The `state_dict` gains keys, and an optimizer gains parameters.

It is safe where `parameters()` is given to an optimizer in this file, or in one that imports the
class, and none of them loads a checkpoint; it is unsafe otherwise. What is registered by another
way, given to an optimizer by name, or updated by hand with its `.grad`, is left alone.

## How it is verified

The original and the rewritten code run on the same inputs. Forward values must be equal; the
parameters must be missing before and listed after, and one optimizer step must move them.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterList.html
- https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._comma import stray_comma
from autofix.codemods.modules._elsewhere import known_elsewhere, parts_of
from autofix.codemods.modules._kept import Kept, is_mixin, kept_in, may_keep
from autofix.codemods.modules._mixin_first import never_initialised
from autofix.codemods.modules._tier import tier
from autofix.codemods.modules._wrap import repaired
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG502", trigger=r"class\b", needs=("requires_grad", "Parameter"))


@rule.visit(ast.ClassDef)
def check(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    if not may_keep(facts, node):
        return
    table = facts.class_table(node)
    if not (table.may_be_module or is_mixin(facts, table)) or never_initialised(facts, table):
        return
    for kept in kept_in(facts, table, parameters=True):
        if not known_elsewhere(facts, kept):
            yield _report(facts, kept)


def _report(facts: Facts, kept: Kept) -> Report:
    root = kept.place
    kind = "dict" if kept.is_dict else "list"
    message = f"`{kept.attribute}` is a plain {kind} of parameters: they are not registered"
    comma = stray_comma(facts, kept)
    if comma is not None:
        message = f"a comma makes `{kept.attribute}` a tuple: the parameter is not registered"
        return Report(root.statement, message, fix=fix(tier(facts, kept), *comma), note=_NOTE)
    line = _plain_part(facts, kept)
    if line is not None:
        why_not = f"it may hold a plain tensor (line {line}), which would be trained as well"
        return Report(root.statement, message, declined=why_not)
    repair = repaired(facts, kept, parameters=True)
    if isinstance(repair, str):
        return Report(root.statement, message, declined=repair)
    return Report(root.statement, message, fix=fix(tier(facts, kept), *repair.edits), note=_NOTE)


def _plain_part(facts: Facts, kept: Kept) -> int | None:
    """Where `bias = torch.tensor(0)` makes a part that is no weight in one branch. (A ParameterList
    turns all that it is given into Parameters, and raises for whole numbers.)"""
    for part in parts_of(facts, kept):
        stores = uses_in(facts).names.stores(part) if isinstance(part, ast.Name) else ()
        for store in stores:
            made = facts.index.parents.get(store)
            value = facts.value(made.value) if isinstance(made, ast.Assign) else None
            if value is not None and value.is_tensor and value.graph == Graph.NO and not value.leaf:
                return store.lineno
    return None


_NOTE = "the module gains parameters; checkpoints written before lack their keys"
