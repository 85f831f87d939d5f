"""The gradient is read of a tensor that does not require grad.

## What it does

Finds `x.grad` after a `backward()` that `x` went into, where `x` was made without
`requires_grad=True`: data like any other, for which autograd computes nothing.

## Why is this bad

If nothing else that requires grad went into the result, `backward()` raises "element 0 of tensors
does not require grad and does not have a grad_fn". If something else did, such as the weights of a
model, `backward()` runs and `x.grad` is `None`: a saliency map, an attack or a step of gradient
descent has nothing to work with.

## Example

```python
x = torch.randn(3)
z = (x * x).mean()
z.backward()
print(x.grad)
```

## Use instead

```python
x = torch.randn(3, requires_grad=True)
z = (x * x).mean()
z.backward()
print(x.grad)
```

## Fix safety

Values, shapes and dtypes stay. The fix is safe where `backward()` raises without it, and unsafe
where it runs: then `x.grad` is only reported if something is computed from it, as there are
programs which show that it is `None`.

There is no fix for integers, which cannot require grad, nor where the tensor is written in place
or read as an array before `backward()`, which a leaf that requires grad does not allow. A tensor
that was made with `requires_grad=False`, in so many words, is left alone.

## How it is verified

Both versions run on the same inputs. The forward values must be equal, and the gradient of the
tensor must equal finite differences of the original program.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.grad.html
- https://discuss.pytorch.org/t/why-cant-i-see-grad-of-an-intermediate-variable/94
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.leaf._untracked import (
    computes,
    creation,
    in_the_way,
    is_expected_to_fail,
    is_untracked,
    makes_leaf,
    went_into,
)
from autofix.flow.facts import Facts
from autofix.flow.frame import all_cuts
from autofix.flow.uses import uses_in
from autofix.flow.values import INTEGRAL, Graph
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG309", trigger=r"\.grad\b")


@dataclass(frozen=True, slots=True)
class _Backward:
    """A `backward()` that the tensor went into, and whether it raises as it stands."""

    call: ast.Call
    raises: bool


@rule.visit(ast.Attribute)
def check(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    if node.attr != "grad" or not isinstance(node.ctx, ast.Load):
        return
    if not isinstance(node.value, ast.Name) or is_expected_to_fail(node, facts):
        return
    made = creation(node.value, facts)
    if made is None or not is_untracked(node.value, made, facts):
        return
    backward = _backward(node, made, facts)
    if backward is None or _said_before(node, backward, facts):
        return
    if not backward.raises and not computes(node, facts):
        return
    yield _report(node, made, backward, facts)


def _backward(node: ast.Attribute, made: ast.Assign, facts: Facts) -> _Backward | None:
    """The last `backward()` before the gradient is read."""
    scope = facts.index.function_of(node)
    found: _Backward | None = None
    for call in uses_in(facts).names.calls.get("backward", ()):
        if facts.index.function_of(call) is not scope or call.lineno > node.lineno:
            continue
        if not isinstance(call.func, ast.Attribute) or is_expected_to_fail(call, facts):
            continue
        root = call.func.value
        if call.lineno <= made.lineno or not went_into(made.targets[0], root, facts):
            continue
        value = facts.value(root)
        known = value.is_tensor and not value.assumed and not all_cuts(value)
        if known and value.graph != Graph.MAYBE:
            found = _Backward(call, value.graph == Graph.NO)
    return found


def _said_before(node: ast.Attribute, backward: _Backward, facts: Facts) -> bool:
    """Is an earlier read after the same `backward()` reported already?"""
    assert isinstance(node.value, ast.Name)
    scope = facts.index.function_of(node)
    for read in uses_in(facts).names.attributes.get("grad", ()):
        same = isinstance(read.value, ast.Name) and read.value.id == node.value.id
        if (
            same
            and facts.index.function_of(read) is scope
            and (
                backward.call.lineno <= read.lineno
                and (read.lineno, read.col_offset) < (node.lineno, node.col_offset)
                and (backward.raises or computes(read, facts))
            )
        ):
            return True
    return False


def _report(node: ast.Attribute, made: ast.Assign, backward: _Backward, facts: Facts) -> Report:
    assert isinstance(node.value, ast.Name)
    name = node.value.id
    outcome = (
        f"the `backward()` in line {backward.call.lineno} raises"
        if backward.raises
        else "its gradient is `None`"
    )
    message = f"`{name}` does not require grad (line {made.lineno}): {outcome}"
    dtype = facts.value(node.value).dtype
    if dtype is None or dtype in INTEGRAL:
        return Report(node, message, declined="only floating point tensors can require grad")
    if blocked := in_the_way(node.value, made, facts):
        return Report(node, message, declined=blocked)
    edits = makes_leaf(made.value, facts)
    if edits is None:
        return Report(node, message, declined="it is another name of a tensor made elsewhere")
    tier = Applicability.SAFE if backward.raises else Applicability.UNSAFE
    return Report(node, message, fix=fix(tier, *edits))
