"""A Parameter is reshaped, moved or scaled, and the plain tensor that comes out is kept instead.

## What it does

Finds `nn.Parameter(x)` followed by an operation (`.view`, `.t`, `.to`, `.cuda`, `* 0.1`,
`torch.softmax`, ...) where the result is what is kept: set as an attribute of a module, given to
an optimizer, asked for its `.grad`, or bound to the name of the Parameter.

## Why is this bad

Every operation on a Parameter returns a plain tensor, not a Parameter. `nn.Module` registers
Parameters only, so `model.parameters()` and `state_dict()` do not list the attribute, no optimizer
ever sees it, and it keeps its first values: nothing fails, a part of the model is not trained. An
optimizer that is given the tensor raises "can't optimize a non-leaf Tensor". `.to(device)` and
`.cuda()` return the same object where there is nothing to move, so that the program trains on the
CPU and does not on the GPU.

## Example

```python
self.weight = nn.Parameter(torch.randn(12)).view(3, 4)
self.scale = nn.Parameter(torch.ones(1)).to(device)
```

## Use instead

```python
self.weight = nn.Parameter(torch.randn(12).view(3, 4))
self.scale = nn.Parameter(torch.ones(1).to(device))
```

## Fix safety

The operation moves inside the call; where a name is bound again, the Parameter is made there. The
attribute holds the same values in the same shape and dtype. The fix adds a parameter, so the
`state_dict` gains a key that older checkpoints lack.

It is safe for changes of shape, dtype and device, for copies, and for scaling by a number. It is
unsafe where what is trained would change with the operation (`softmax`, `normalize`, a factor that
may be a tensor), where `requires_grad=` is not known, for subclasses of `nn.Parameter`, and where
this file does not show what becomes of the tensor, or never reads it. There is no fix where only
the author can tell what should be trained: one row expanded to many, a combination of parameters,
a value computed once from a parameter that is registered itself (compute it in `forward`). Nor is
there one where the program would raise: a module takes no plain tensor in place of a registered
Parameter, and a leaf cannot be written in place.

What is only read without gradients (a target network, a running mean) is left alone.

## How it is verified

The original and the rewritten code run on the same inputs. The parameter must be missing before
and listed after, with equal values, shape and dtype; the forward values must be equal, and one
optimizer step must move it.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
- https://discuss.pytorch.org/t/valueerror-cant-optimize-a-non-leaf-tensor/21751
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._conflicts import conflict
from autofix.codemods.leaf._kept import CERTAIN, How
from autofix.codemods.leaf._lost import Lost, lost_parameters, never_read
from autofix.codemods.leaf._operations import Tier
from autofix.codemods.leaf._repair import repaired
from autofix.codemods.modules._composed import composed_once, in_each_call
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG301", trigger=r"Parameter\b")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if (last_name(node.func) or "").endswith("Parameter"):
        yield from _reports(node, facts)


@rule.visit(ast.ImportFrom)
def check_alias(node: ast.ImportFrom, facts: Facts) -> Iterator[Report]:
    """`from torch.nn import Parameter as P`."""
    for alias in node.names:
        if alias.name == "Parameter" and alias.asname:
            yield from _calls_of(alias.asname, facts)


@rule.visit(ast.Assign)
def check_second_name(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`P = nn.Parameter`."""
    target = node.targets[0]
    if isinstance(target, ast.Name) and last_name(node.value) == "Parameter":
        yield from _calls_of(target.id, facts)


@rule.visit(ast.ClassDef)
def check_subclass(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    """`class Tagged(nn.Parameter)`."""
    if any(last_name(base) == "Parameter" for base in node.bases):
        yield from _calls_of(node.name, facts)


def _calls_of(name: str, facts: Facts) -> Iterator[Report]:
    if not name.endswith("Parameter"):  # those are visited anyway
        for call in uses_in(facts).names.calls.get(name, ()):
            yield from _reports(call, facts)


def _reports(call: ast.Call, facts: Facts) -> Iterator[Report]:
    for lost in lost_parameters(facts, call):
        if _is_lent(lost, facts):
            continue
        if lost.declined is not None and _is_composed(lost, facts):
            continue
        report = _report(lost, facts)
        if report.declined is None or not _may_do_nothing(lost, facts):
            yield report


def _is_composed(lost: Lost, facts: Facts) -> bool:
    """Is it an attribute that AG505 has computed in each call?"""
    statement = facts.index.statement_of(lost.node)
    found = composed_once(facts, statement) if isinstance(statement, ast.Assign) else None
    return found is not None and in_each_call(facts, found) is not None


def _is_lent(lost: Lost, facts: Facts) -> bool:
    """`Layer(self.a[0])` of a Parameter that is registered: what is written into it by a step is
    seen through its rows as well."""
    statement = facts.index.parents.get(lost.call)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    first = lost.keep.path[0].operations[0]
    return first.name == "indexing" and any(isinstance(t, ast.Attribute) for t in targets)


def _may_do_nothing(lost: Lost, facts: Facts) -> bool:
    """`.float()` of what may well hold such numbers already: then it gives the Parameter itself."""
    operations = [o for chain in lost.keep.path for o in chain.operations]
    known = facts.value(lost.data).dtype is not None if lost.data is not None else True
    return not known and all(operation.name == "`.float()`" for operation in operations)


def _report(lost: Lost, facts: Facts) -> Report:
    node, first = lost.node, lost.keep.path[0].operations[0]
    message = f"{first.name} of a Parameter returns a plain tensor: {_consequence(lost)}"
    where = (
        f"`{facts.source.segment(lost.call.func)}` makes a Parameter (line {lost.call.lineno})",
        f"{first.name} makes a plain tensor of it (line {first.node.lineno})",
        f"{lost.keep.how.value} (line {getattr(lost.keep.use.user, 'lineno', node.lineno)})",
    )
    if lost.declined is not None:
        return Report(node, message, declined=lost.declined, why=where)
    refused = conflict(facts, lost)
    edits = refused or repaired(facts, lost)
    if isinstance(edits, str):
        return Report(node, message, declined=edits, why=where)
    reason = _doubt(lost, facts)
    tier = Applicability.SAFE if reason is None else Applicability.UNSAFE
    return Report(node, message, fix=fix(tier, *edits), why=where, note=reason or _new_key(lost))


def _consequence(lost: Lost) -> str:
    name = f"`{lost.keep.attribute}`" if lost.keep.attribute else "what is kept"
    match lost.keep.how:
        case How.REGISTERED:
            return f"{name} is not registered, and no optimizer will see it"
        case How.OPTIMIZED:
            return "an optimizer cannot take it"
        case How.GRADIENT:
            return "its `.grad` stays `None`"
    return "the Parameter itself is lost"


def _new_key(lost: Lost) -> str | None:
    if lost.keep.how != How.REGISTERED:
        return None
    return "the module gains a parameter; checkpoints written before lack its key"


def _doubt(lost: Lost, facts: Facts) -> str | None:
    """Why the fix is not safe."""
    if lost.tier == Tier.CHANGES:
        return "what is trained will be the result of the operation, without its constraint"
    if lost.keep.how not in CERTAIN:
        return "this file does not show what becomes of the tensor"
    if never_read(facts, lost.keep):
        return "this file never reads it: a parameter that is not used gets no gradient"
    if lost.trains is None:
        return "whether it requires grad is not known"
    return "a subclass of `nn.Parameter` may do more" if lost.subclass else None
