"""A line that should switch gradients on or off sets something else, or nothing at all.

## What it does

Finds `p.require_grad = False` and other misspellings, `p.requires_grad == False` as a statement,
`module.requires_grad = False` where it is a Module, `model.parameters().requires_grad = False`,
`p.requires_grad_ = False`, and `torch.tensor(..., require_grad=True)`.

## Why is this bad

Python lets any attribute be set on a tensor or a Module, and compares without complaint. A Module
has no flag of its own: setting `requires_grad` on it leaves all its parameters as they were.
Nothing fails, and what should be frozen is trained.

## Example

```python
for p in backbone.parameters():
    p.require_grad = False
model.encoder.requires_grad = False
```

## Use instead

```python
for p in backbone.parameters():
    p.requires_grad = False
model.encoder.requires_grad_(False)
```

## Fix safety

The name is put right, the comparison becomes an assignment, and a Module gets `requires_grad_()`,
which sets the flag of each parameter. Forward values stay. This is unsafe, because training
changes: what was trained in spite of the line is frozen. It is safe where a tensor is told to
require a gradient, and where a keyword that torch does not know made the call raise.

Attributes that a class of this file defines or that are read somewhere are left alone, and so are
owners that may be anything.

## How it is verified

The original and the rewritten code run on the same inputs. The forward values must be equal, and
exactly what the line names must have changed its flag.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
- https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._flags import (
    Owner,
    assigned,
    attribute_is_own,
    is_typo,
    method_call,
    owner_of,
)
from autofix.flow.class_table import weighted
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import is_true
from autofix.flow.values import FLOATING, Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG304", trigger=r"req\w*_?g\w*")

_NEW_STOP = "training changes: so far this line had no effect"


@rule.visit(ast.Assign)
def check_assignment(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    for target in node.targets:
        if isinstance(target, ast.Attribute):
            yield from _set(facts, node, target, len(node.targets) == 1)


def _set(facts: Facts, node: ast.Assign, target: ast.Attribute, alone: bool) -> Iterator[Report]:
    name = target.attr
    if name not in ("requires_grad", "requires_grad_") and not is_typo(name):
        return
    if attribute_is_own(facts, target):
        return
    owner = owner_of(facts, target.value)
    if owner == Owner.OTHER or (name == "requires_grad" and owner not in _NO_FLAG):
        return
    if owner == Owner.MODULE and (
        weighted(facts.value(target.value)) is False or _is_done_next(facts, node, target)
    ):
        return
    what = f"`{facts.source.segment(target)}`"
    message = {
        Owner.MODULE: f"{what} of a Module sets an attribute that nothing reads: "
        "its parameters stay as they are",
        Owner.GENERATOR: f"{what} sets the flag of an iterator, and of no parameter",
    }.get(owner, f"{what} is an attribute that torch does not know: nothing changes")
    if not alone:
        yield Report(node, message, declined="it is assigned together with other names")
    elif owner in _NO_FLAG or name == "requires_grad_":
        edits = method_call(facts, node, target, node.value, owner)
        yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), note=_NEW_STOP)
    else:
        yield _renamed(facts, node, target, message)


def _is_done_next(facts: Facts, node: ast.Assign, target: ast.Attribute) -> bool:
    """`for p in layer.parameters(): p.requires_grad = False` right behind it."""
    block = facts.index.block_of(node)
    behind = block[block.index(node) + 1 :][:1]
    owner, value = ast.dump(target.value), ast.dump(node.value)
    for loop in behind:
        match loop:
            case ast.For(
                iter=ast.Call(func=ast.Attribute(value=inner, attr="parameters")),
                body=[ast.Assign(targets=[ast.Attribute(attr="requires_grad")], value=flag)],
            ):
                return ast.dump(inner) == owner and ast.dump(flag) == value
    return False


_NO_FLAG = (Owner.MODULE, Owner.GENERATOR)


def _renamed(facts: Facts, node: ast.Assign, target: ast.Attribute, message: str) -> Report:
    value = facts.value(target.value)
    starts = is_true(node.value)
    if value.kind == Kind.TENSOR and value.graph == Graph.YES and not value.leaf and not starts:
        return Report(node, message, declined="it is no leaf, and torch refuses to change its flag")
    end = facts.source.span(target)[1]
    edit = Edit(end - len(target.attr), end, "requires_grad")
    if starts and value.kind == Kind.TENSOR and value.dtype in FLOATING:
        return Report(node, message, fix=fix(Applicability.SAFE, edit))
    return Report(node, message, fix=fix(Applicability.UNSAFE, edit), note=_NEW_STOP)


@rule.visit(ast.Expr)
def check_comparison(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    """`p.requires_grad == False`, and nobody looks at the result."""
    match node.value:
        case ast.Compare(
            left=ast.Attribute() as left, ops=[ast.Eq() | ast.Is()], comparators=[flag]
        ):
            pass
        case _:
            return
    if left.attr != "requires_grad" and not is_typo(left.attr):
        return
    if facts.source.path.endswith(".ipynb") and facts.index.parents.get(node) is facts.tree:
        return  # a notebook shows it
    owner = owner_of(facts, left.value)
    message = f"`{facts.source.segment(node)}` compares, and nobody looks at the result"
    if owner == Owner.OTHER or attribute_is_own(facts, left):
        return
    if owner in _NO_FLAG:
        edits = method_call(facts, node.value, left, flag, owner)
    else:
        edits = assigned(facts, left, flag)
    yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), note=_NEW_STOP)


@rule.visit(ast.Call)
def check_keyword(node: ast.Call, facts: Facts) -> Iterator[Report]:
    """`torch.randn(3, require_grad=True)`"""
    for keyword in node.keywords:
        if keyword.arg is None or not is_typo(keyword.arg):
            continue
        dotted = facts.library_name(node.func) or ""
        method = isinstance(node.func, ast.Attribute) and facts.value(node.func.value).is_tensor
        if not (dotted.startswith("torch.") or method):
            continue
        if last_name(node.func) == "_make_subclass":
            continue  # there it is called so
        start = facts.source.offset(keyword.lineno, keyword.col_offset)
        edit = Edit(start, start + len(keyword.arg), "requires_grad")
        message = f"`{last_name(node.func)}` takes no `{keyword.arg}`: the call raises"
        yield Report(node, message, fix=fix(Applicability.SAFE, edit))
