"""A tensor of integers is told to require a gradient, which raises.

## What it does

Finds `requires_grad=True`, `.requires_grad_()` and `nn.Parameter(...)` on a tensor of integers:
`torch.tensor([1, 2, 3], requires_grad=True)`, `torch.arange(5, requires_grad=True)`,
`torch.ones(3, dtype=torch.long, requires_grad=True)`. Also
`nn.Parameter(x, requires_grad=x.is_floating_point())` where `x` is always a tensor of integers that
is computed with. Numbers are followed to where the file writes them: arguments, dicts of start
values, fields of dataclasses, defaults of the command line.

## Why is this bad

Only tensors of floating point and complex numbers can have a gradient: torch raises "Only Tensors
of floating point and complex dtype can require gradients". Whole numbers in a list make a tensor of
integers. A Parameter of integers that asks first raises nothing, and is never trained.

## Example

```python
coefficients = torch.tensor([1, 2, 3], requires_grad=True)
```

## Use instead

```python
coefficients = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
```

## Fix safety

The numbers are written as floats, or the dtype is named, or `.float()` is put in between. The
program raised, so nothing that worked changes, and the values stay the same numbers: this is safe.
There is no fix where the tensor is used as an index, which has to be of integers.

Where a helper is given whole numbers now and then, its tensor gets a dtype. A Parameter that is
trained only if it is made of floats did not raise: that fix is unsafe. So it is for whole numbers
that stand among others in a dict or call (`{"rate": 0.5, "shift": 0}`), or are declared as floats,
if leaves are made of the floats alone; they are written as floats then.

## How it is verified

The original raises; the rewritten code runs, and its gradient is compared with finite differences.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
- https://discuss.pytorch.org/t/only-tensors-of-floating-point-dtype-can-require-gradients/77541
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._float_flag import left_as_integers
from autofix.codemods.leaf._floats import is_index, made_float
from autofix.codemods.leaf._whole_numbers import as_floats, left_out, raising
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments, argument, is_true, keyword
from autofix.flow.values import INTEGRAL, Kind
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG305", names=("requires_grad", "requires_grad_", "Parameter"))


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    name = last_name(node.func) or ""
    flag = keyword(node, "requires_grad")
    if name == "requires_grad_" and isinstance(node.func, ast.Attribute):
        if all(is_true(g) for g in all_arguments(node)):
            yield from _of(facts, node, node.func.value)
        yield from _among_floats(facts, node, node.func.value)
    elif name == "Parameter" and node.args:
        flag = argument(node, 1, "requires_grad")
        dotted = facts.library_name(node.func) or ""
        if dotted.startswith("torch.") and (flag is None or is_true(flag)):
            yield from _of(facts, node, node.args[0])
        elif dotted.startswith("torch."):
            yield from _left_out(facts, node)
        if dotted.startswith("torch."):
            yield from _among_floats(facts, node, node.args[0])
    elif is_true(flag):
        dotted = facts.library_name(node.func) or ""
        if dotted.startswith("torch.") and "Variable" not in dotted:
            yield from _of(facts, node, node)
            yield from _among_floats(facts, node, node)
        elif "Variable" in dotted and node.args:
            yield from _of(facts, node, node.args[0])
    elif flag is not None:
        yield from _among_floats(facts, node, node)


@rule.visit(ast.Assign)
def check_flag(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`x.requires_grad = True`"""
    match node:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")], value=value):
            if is_true(value):
                yield from _of(facts, node, owner)
                yield from _among_floats(facts, node, owner)


def _of(facts: Facts, node: ast.expr | ast.stmt, data: ast.expr) -> Iterator[Report]:
    value = facts.value(data)
    if value.kind != Kind.TENSOR or value.assumed or _is_expected(facts, node):
        return
    if value.dtype is None:
        yield from _given_elsewhere(facts, node, data)
    if value.dtype not in INTEGRAL or "is_floating_point" in facts.source.text:
        return
    message = f"a tensor of integers (`{value.dtype}`) cannot require a gradient: this raises"
    if is_index(facts, data if isinstance(node, ast.stmt) else node):
        yield Report(node, message, declined="it is used as an index, which has to be of integers")
        return
    edits = made_float(facts, node, data)
    if isinstance(edits, str):
        yield Report(node, message, declined=edits)
    else:
        yield Report(node, message, fix=fix(Applicability.SAFE, *edits))


def _given_elsewhere(facts: Facts, node: ast.expr | ast.stmt, data: ast.expr) -> Iterator[Report]:
    """`torch.tensor(value, requires_grad=True)` in a helper that is given whole numbers, too."""
    found = raising(facts, node, data)
    if found is None or is_index(facts, data if isinstance(node, ast.stmt) else node):
        return
    origin, edits = found
    assert origin.node is not None
    number = f"`{facts.source.segment(origin.node)}` (line {origin.node.lineno})"
    message = f"{number} makes a tensor of integers, which cannot require a gradient: this raises"
    yield Report(node, message, fix=fix(Applicability.SAFE, *edits))


def _among_floats(facts: Facts, node: ast.expr | ast.stmt, data: ast.expr) -> Iterator[Report]:
    """Whole numbers among others, of which only floats are made leaves."""
    found = left_out(facts, node, data)
    edits = as_floats(facts, found) if found else None
    if edits:
        named = ", ".join(f"`{one.key}`" for one in found if one.key is not None)
        message = f"whole numbers ({named}) make tensors of integers: these are never trained"
        lines = sorted({one.node.lineno for one in found if one.node is not None})
        why = f"written in line {', '.join(map(str, lines))}"
        note = "they are trained from now on"
        yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), why=(why,), note=note)


def _left_out(facts: Facts, node: ast.Call) -> Iterator[Report]:
    """`nn.Parameter(x, requires_grad=x.is_floating_point())` of integers."""
    edits = left_as_integers(facts, node)
    if edits is not None:
        data = facts.source.segment(node.args[0])
        message = f"`{data}` is a tensor of integers: this Parameter is never trained"
        note = "it is trained from now on"
        yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), note=note)


def _is_expected(facts: Facts, node: ast.AST) -> bool:
    """Does a test wait for the error?"""
    for owner in facts.index.ancestors(node):
        if isinstance(owner, ast.Try):
            return True
        if isinstance(owner, ast.With) and any(
            "aises" in ast.unparse(item.context_expr) for item in owner.items
        ):
            return True
    return False
