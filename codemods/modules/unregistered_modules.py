"""A Module keeps layers in a plain list, tuple or dict, where `parameters()` does not find them.

## What it does

Finds an attribute of an `nn.Module` that is a list, tuple, set or dict of modules with weights:
written out, made by a comprehension or by `* n`, filled in a loop, nested, or a tuple by a comma
that was left at the end of the line. Also objects of a class of this file that is no Module but
keeps some.

## Why is this bad

A Module registers what is set as an attribute of it, and does not look into lists and dicts. The
layers are used in `forward` and get gradients, but `parameters()` and `state_dict()` do not list
them: no optimizer moves them, a checkpoint does not hold them, `.to(device)` leaves them behind.

## Example

```python
self.layers = [nn.Linear(8, 8) for _ in range(3)]
self.heads = {"age": nn.Linear(8, 1), "sex": nn.Linear(8, 2)}
self.out = nn.Linear(8, 1),
```

## Use instead

```python
self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
self.heads = nn.ModuleDict({"age": nn.Linear(8, 1), "sex": nn.Linear(8, 2)})
self.out = nn.Linear(8, 1)
```

## Fix safety

The list becomes an `nn.ModuleList`, the dict an `nn.ModuleDict`. Where they would not do (keys that
are no strings, elements that are no modules, `sort`, `get`, a base class in another file that makes
the container), it stays and an `nn.ModuleList` of what it holds is set beside it, as is one of what
plain objects hold; what a method is given and appends is put into that as it comes. A stray comma
goes, with the `[0]` of those who made do with it. Forward values stay the same. The `state_dict`
gains keys, and an optimizer gains parameters.

It is safe where `parameters()` is given to an optimizer in this file, or in one that imports the
class, and none of them loads a checkpoint; it is unsafe otherwise. Parts that are registered by
another way (`add_module`, `setattr`, `nn.Sequential(*self.layers)`), that are given to an optimizer
by name, frozen, run without gradients, or hidden in a list of one element, are left alone.

## How it is verified

The original and the rewritten code run on the same inputs. Forward values must be equal; the
parameters must be missing before and listed after, and one optimizer step must move them.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
- https://discuss.pytorch.org/t/when-should-i-use-nn-modulelist-and-when-should-i-use-nn-sequential/5463
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._comma import stray_comma
from autofix.codemods.modules._elsewhere import known_elsewhere, reads_of
from autofix.codemods.modules._holders import holders_in, may_hold, registered_beside
from autofix.codemods.modules._kept import Kept, is_mixin, kept_in, may_keep
from autofix.codemods.modules._mixin_first import never_initialised
from autofix.codemods.modules._renewed import made_while_running
from autofix.codemods.modules._tier import tier
from autofix.codemods.modules._weightless import has_no_weights
from autofix.codemods.modules._wrap import repaired
from autofix.flow.class_table import How, Store
from autofix.flow.facts import Facts
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG501", trigger=r"class\b")


@rule.visit(ast.ClassDef)
def check(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    if not may_keep(facts, node):
        return
    table = facts.class_table(node)
    if not (table.may_be_module or is_mixin(facts, table)) or never_initialised(facts, table):
        return
    for kept in kept_in(facts, table, parameters=False):
        if not kept.certain and has_no_weights(facts, kept):
            continue
        running = made_while_running(facts, kept)
        if not (running or _hidden(facts, kept) or known_elsewhere(facts, kept)):
            yield _report(facts, kept)


@rule.visit(ast.ClassDef)
def check_holders(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    """`self.stage = Stage(4)`, of a class that is no Module and has layers."""
    if not node.bases or not may_hold(facts, node):
        return
    table = facts.class_table(node)
    if not table.is_module or table.keeps_own_books:
        return
    for holder in holders_in(facts, table):
        name = holder.info.node.name
        message = (
            f"`{holder.attribute}` hides modules: `{name}` is no Module, and registers nothing"
        )
        edits = registered_beside(facts, table, holder)
        if edits is not None:
            made = fix(Applicability.UNSAFE, *edits)
            yield Report(holder.store.statement, message, fix=made, note=_NOTE)


def _hidden(facts: Facts, kept: Kept) -> bool:
    """`self.teacher = [teacher]`: a list of one element keeps a module out, on purpose."""
    if len(kept.roots) != 1 or not all(map(_takes_its_place, kept.fills)):
        return False
    value = kept.roots[0].value
    if isinstance(value, ast.IfExp):  # `[teacher] if teacher else []`
        parts = [value.body, value.orelse]
        value = next((p for p in parts if not isinstance(p, ast.List) or p.elts), value)
    if not isinstance(value, (ast.List, ast.Tuple)) or len(value.elts) != 1:
        return False
    if isinstance(value, ast.Tuple) and not facts.source.segment(value).startswith("("):
        return False
    if isinstance(value.elts[0], (ast.Name, ast.Attribute)):
        return True
    parents = [facts.index.parents.get(read) for read in reads_of(facts, kept)]
    return all(isinstance(p, ast.Subscript) and isinstance(p.slice, ast.Constant) for p in parents)


def _takes_its_place(fill: Store) -> bool:
    """`self.teacher[0] = teacher`"""
    return isinstance(fill.key, ast.Constant) and isinstance(fill.value, (ast.Name, ast.Attribute))


def _report(facts: Facts, kept: Kept) -> Report:
    root = kept.place
    kind = "dict" if kept.is_dict else "list"
    comma = stray_comma(facts, kept)
    message = f"`{kept.attribute}` is a plain {kind} of modules: their weights are not registered"
    if comma is not None:
        message = f"a comma makes `{kept.attribute}` a tuple: its weights are not registered"
        return Report(root.statement, message, fix=fix(tier(facts, kept), *comma), note=_NOTE)
    repair = repaired(facts, kept, parameters=False)
    if isinstance(repair, str):
        return Report(root.statement, message, declined=repair)
    note = _NOTE
    if any(isinstance(s.value, ast.BinOp) for s in kept.roots if s.how == How.ASSIGNED):
        note = "`* n` repeats the same module: all of them share one set of weights"
    return Report(root.statement, message, fix=fix(tier(facts, kept), *repair.edits), note=note)


_NOTE = "the module gains parameters; checkpoints written before lack their keys"
