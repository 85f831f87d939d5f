"""The result of an operation that does not work in place is dropped.

## What it does

Finds statements such as `x.clamp(0, 1)`, `F.normalize(z)`, `labels.to(device)` or
`self.dropout(x)`, where nobody takes what comes out and `x` is used afterwards.

## Why is this bad

These operations leave their argument alone and return a new tensor. As a statement they do nothing:
values are not clipped, masks not applied, gradients not bounded, tensors not moved. Nothing raises
unless a shape or a device happens not to fit.

## Example

```python
scores.masked_fill(mask, float("-inf"))
weights = scores.softmax(-1)
```

## Use instead

```python
scores = scores.masked_fill(mask, float("-inf"))
weights = scores.softmax(-1)
```

## Fix safety

The result is given to the name that the operation was applied to. What the program computes changes
with that, so the fix is unsafe; where the result only has another shape, it is shown. A leaf, a
`.grad`, a `.data`, or an element of what a loop goes through has to be changed where it is: there
the operation becomes its variant that works in place (`clamp_`), if gradients are not recorded.
Otherwise there is no fix.

Left alone are modules (their `.to()` works in place), calls with `inplace=True` or `out=`, the
expressions that a notebook shows, and statements that are expected to raise, tried or timed.

## How it is verified

The original and the rewritten program run on the same inputs. The values after the statement have
to be those that the operation gives.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
- https://discuss.pytorch.org/t/tensor-to-device-does-not-work/44525
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._discarded import (
    Discarded,
    discarded,
)
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.roles import is_optimizer
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.liveness import read_later
from autofix.rewrite.names import spell
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG608",
)

_SHAPES = frozenset({"view", "reshape", "flatten"})


@rule.visit(ast.Expr)
def check(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    found = discarded(node, facts)
    if found is None:
        return
    edit = _repair(node, found, facts)
    if edit is None:
        return
    text = f"`{facts.source.segment(found.subject)}`"
    label = f"`{facts.source.segment(found.call.func)}`"
    message = f"the result of {label} is dropped: {text} stays as it is"
    if isinstance(edit, str):
        yield Report(node, message, declined=edit)
        return
    note, tier = "what is computed afterwards changes", Applicability.UNSAFE
    if found.name in _SHAPES:
        note, tier = "what follows works with the shape as it is", Applicability.DISPLAY
    yield Report(node, message, fix=fix(tier, edit), note=note)


def _repair(node: ast.Expr, found: Discarded, facts: Facts) -> Edit | str | None:
    """The edit, why there is none, or None where nobody would notice the result."""
    subject = found.subject
    match subject:
        case ast.Name(id=name):
            kept = _must_stay(subject, facts) and not _is_for_this_call(found.call, subject, facts)
            if read_later(name, node, facts) and not kept:
                return _assigned(node, subject, facts)
            if kept or _is_element(subject, facts):
                return _in_place(found, facts)
            return None
        case ast.Attribute(attr="data" | "grad"):
            return _in_place(found, facts)
        case ast.Attribute(value=ast.Name()):
            if _must_stay(subject, facts):
                return _in_place(found, facts)
            return _assigned(node, subject, facts)
        case ast.Subscript():
            return _in_place(found, facts)
    return None


def _must_stay(subject: ast.expr, facts: Facts) -> bool:
    """A leaf is known to an optimizer, a module or its `.grad` as the object that it is."""
    value = facts.value(subject)
    return value.leaf or value.parameter


def _is_for_this_call(call: ast.Call, subject: ast.Name, facts: Facts) -> bool:
    """An argument that a function computes with while gradients are recorded, and does not train:
    what is read later in it is the result."""
    function = facts.index.function_of(subject)
    if not isinstance(function, FUNCTIONS) or not facts.grad_enabled(call):
        return False
    spec = function.args
    given = {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    trained = {"backward", "step", "grad", "requires_grad_"}
    return (
        subject.id in given
        and not facts.index.loops_around(subject)
        and len(uses_in(facts).names.stores(subject)) == 0
        and not any(
            isinstance(n, ast.Attribute) and n.attr in trained
            for n in facts.index.body_nodes(function)
        )
    )


def _is_element(subject: ast.Name, facts: Facts) -> bool:
    """The variable of a loop, which stands for what is in a container."""
    stores = uses_in(facts).names.stores(subject)
    return any(isinstance(facts.index.parents.get(store), (ast.For, ast.Tuple)) for store in stores)


def _assigned(node: ast.Expr, subject: ast.expr, facts: Facts) -> Edit | str:
    if isinstance(subject, ast.Name) and _is_outer(subject, facts):
        return "the name belongs to the code around the function"
    start = facts.source.span(node)[0]
    return Edit(start, start, f"{facts.source.segment(subject)} = ")


def _is_outer(name: ast.Name, facts: Facts) -> bool:
    function = facts.index.function_of(name)
    if not isinstance(function, FUNCTIONS):
        return False
    return name.id not in facts.index.bound_names(function)


def _in_place(found: Discarded, facts: Facts) -> Edit | str:
    call, func = found.call, found.call.func
    known = torch_api.method if found.method else lambda name: torch_api.function(f"torch.{name}")
    direct = not found.method or (isinstance(func, ast.Attribute) and func.value is found.subject)
    if known(f"{found.name}_") is None or not direct or not isinstance(func, ast.Attribute):
        return "it has to be changed in place, and the operation has no variant that does so"
    value = facts.value(found.subject)
    bare = isinstance(found.subject, ast.Attribute) and found.subject.attr in ("data", "grad")
    if facts.grad_enabled(call) and value.graph > Graph.NO and not bare:
        if value.leaf and _follows_step(found, facts):
            return _in_place_without_gradient(found, func, facts)
        return "it has to be changed in place, which is not possible while gradients are recorded"
    end = facts.source.span(func)[1]
    return Edit(end, end, "_")


def _follows_step(found: Discarded, facts: Facts) -> bool:
    """Does the same block step an optimizer before, so that this is to bring the weight back?"""
    statement = facts.index.statement_of(found.call)
    around = facts.index.parents.get(statement) if statement is not None else None
    block = getattr(around, "body", [])
    before = block[: block.index(statement)] if statement in block else []
    return any(
        isinstance(s, ast.Expr)
        and isinstance(s.value, ast.Call)
        and isinstance(s.value.func, ast.Attribute)
        and s.value.func.attr == "step"
        and is_optimizer(s.value.func.value, facts)
        for s in before
    )


def _in_place_without_gradient(found: Discarded, func: ast.Attribute, facts: Facts) -> Edit | str:
    start, end = facts.source.span(found.call)
    line = facts.source.text.rfind("\n", 0, start) + 1
    indent = facts.source.text[line:start]
    if indent.strip():
        return "it stands in a line with other statements"
    name = spell(facts, "torch.no_grad", found.call)
    if name.edits:
        return "`torch` is not imported here"
    at = facts.source.span(func)[1]
    text = f"{facts.source.text[start:at]}_{facts.source.text[at:end]}"
    return Edit(start, end, f"with {name.code}():\n{indent}    {text}")
