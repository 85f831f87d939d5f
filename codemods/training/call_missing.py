"""A step of training is named but not called: `loss.backward` without parentheses.

## What it does

Finds `loss.backward`, `optimizer.step`, `optimizer.zero_grad`, `scheduler.step`, `model.eval` and
`model.train` that stand as a statement, or in a branch of one, without being called, and
`model.parameters` that is handed to an optimizer, iterated or put into a parameter group instead of
`model.parameters()`.

## Why is this bad

A method that is only named does nothing, and Python does not complain. Without `backward` no
gradient is computed, without `step` no weight moves, without `zero_grad` gradients of all batches
add up. `optim.Adam(model.parameters)` raises a `TypeError`, since a method cannot be iterated.

## Example

```python
optimizer.zero_grad
loss.backward
optimizer.step
```

## Use instead

```python
optimizer.zero_grad()
loss.backward()
optimizer.step()
```

## Fix safety

The call is added. As a statement the name alone has no effect, so no other meaning is possible: the
fix is safe. It is unsafe where the object is an argument or comes from another file and its name
does not say what it is. There is no fix where the call needs an argument that only the author
knows: the closure of `LBFGS`, or the metric of `ReduceLROnPlateau`.

## How it is verified

The original and the rewritten program train on the same data: the weights that stood still have to
move, as they do in a loop written by hand.

## References

- https://docs.pytorch.org/docs/stable/optim.html
- https://discuss.pytorch.org/t/loss-backward-without-parentheses/36853
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import (
    constructors,
    is_module_name,
    is_optimizer,
    is_scheduler,
    optimizer_class,
    scheduler_class,
)
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG603",
    trigger=r"\.\s*(?:backward|step|zero_grad|eval|train|(?:named_)?parameters)\b(?!\s*\()",
)

_CONSEQUENCES = {
    "backward": "no gradient is computed",
    "step": "nothing is updated",
    "zero_grad": "the gradients of all batches add up",
    "eval": "dropout and batch norm go on as in training",
    "train": "the mode stays as it is",
}
_MODES = frozenset({"eval", "train"})
_LISTED = frozenset({"parameters", "named_parameters"})
_ITERATING = frozenset(
    {"list", "tuple", "chain", "filter", "sum", "any", "all", "next", "iter", "enumerate", "map"}
    | {"clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "zip", "sorted", "len"}
)


@rule.visit(ast.Expr)
def check(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    for named in _dropped(node.value):
        if isinstance(named, ast.Attribute) and named.attr in _CONSEQUENCES:
            yield from _statement(named, facts)


def _dropped(node: ast.expr) -> Iterator[ast.expr]:
    """What a statement computes for nothing: `a, b`, `a if test else b`, `test and a`."""
    match node:
        case ast.Tuple(elts=parts) | ast.BoolOp(values=[_, *parts]):
            pass
        case ast.IfExp(body=body, orelse=orelse):
            parts = [body, orelse]
        case _:
            yield node
            return
    for part in parts:
        yield from _dropped(part)


def _statement(named: ast.Attribute, facts: Facts) -> Iterator[Report]:
    tier = _trust(named, facts)
    if tier is None:
        return
    text = f"`{facts.source.segment(named)}`"
    message = f"{text} is named but not called: {_CONSEQUENCES[named.attr]}"
    if argument := _needed_argument(named, facts):
        yield Report(named, message, declined=f"the call needs {argument}")
        return
    yield Report(named, message, fix=fix(tier, _call(named, facts)))


def _trust(named: ast.Attribute, facts: Facts) -> Applicability | None:
    """How sure it is that the attribute is a method of torch; None if it may be a property."""
    if _is_defined_here(named.attr, facts):
        return None
    owner = named.value
    if named.attr in _MODES:
        kind = facts.value(owner).kind
        if kind == Kind.MODULE:
            return Applicability.SAFE
        likely = kind & (Kind.MODULE | Kind.UNKNOWN) and is_module_name(owner)
        return Applicability.UNSAFE if likely else None
    if named.attr == "step" and not (is_optimizer(owner, facts) or is_scheduler(owner, facts)):
        kind = facts.value(owner).kind
        zeroes = any(
            ast.dump(other.value) == ast.dump(owner)
            for other in uses_in(facts).names.attributes.get("zero_grad", ())
        )
        return Applicability.UNSAFE if zeroes and kind & Kind.UNKNOWN else None
    return Applicability.SAFE


def _is_defined_here(name: str, facts: Facts) -> bool:
    """A property, or an attribute, that this file gives the name."""
    names = uses_in(facts).names
    stored = any(isinstance(target.ctx, ast.Store) for target in names.stored.get(name, ()))
    fields = any(
        isinstance(statement, (ast.Assign, ast.AnnAssign)) and _assigns(statement, name)
        for owner in ast.walk(facts.tree)
        if isinstance(owner, ast.ClassDef)
        for statement in owner.body
    )
    made = any(
        last_name(decorator) in ("property", "cached_property")
        for function in names.definitions.get(name, ())
        for decorator in getattr(function, "decorator_list", ())
    )
    return stored or fields or made


def _assigns(statement: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _needed_argument(named: ast.Attribute, facts: Facts) -> str | None:
    if named.attr != "step":
        return None
    for call in constructors(named.value, facts):
        if optimizer_class(call, facts) == "LBFGS":
            return "a closure that computes the loss"
        if scheduler_class(call, facts) == "ReduceLROnPlateau":
            return "the metric that is watched"
    return None


@rule.visit(ast.Attribute)
def check_parameters(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    if node.attr not in _LISTED or (taker := _taker(node, facts)) is None:
        return
    kind = facts.value(node.value).kind
    known = kind == Kind.MODULE
    if _is_defined_here(node.attr, facts) or not kind & (Kind.MODULE | Kind.UNKNOWN):
        return
    named = is_module_name(node.value)
    sure = known or (named and (isinstance(node.value, ast.Name) or taker.endswith("optimizer")))
    if not sure and not taker.endswith("optimizer"):
        return
    tier = Applicability.SAFE if sure else Applicability.UNSAFE
    text = f"`{facts.source.segment(node)}`"
    message = f"{text} is not called: {taker} gets a method, which cannot be iterated"
    yield Report(node, message, fix=fix(tier, _call(node, facts)))


def _taker(node: ast.expr, facts: Facts) -> str | None:
    """Who is given the method, and would iterate it."""
    parent = facts.index.parents.get(node)
    while isinstance(parent, (ast.keyword, ast.Starred, ast.BinOp)):
        parent = facts.index.parents.get(parent)
    match parent:
        case ast.Call(func=func) if func is not node:
            if optimizer_class(parent, facts):
                return "the optimizer"
            name = last_name(func)
            return f"`{name}`" if name in _ITERATING else None
        case ast.Dict(keys=keys, values=values) if node in values:
            key = keys[values.index(node)]
            group = isinstance(key, ast.Constant) and key.value == "params"
            return "the parameter group of an optimizer" if group else None
        case ast.For(iter=inner) | ast.comprehension(iter=inner) if inner is node:
            return "the loop"
    return None


def _call(named: ast.expr, facts: Facts) -> Edit:
    end = facts.source.span(named)[1]
    return Edit(end, end, "()")
