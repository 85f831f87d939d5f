"""Gradients are reset and computed for one optimizer, and another one is stepped.

## What it does

Finds `a.zero_grad()`, a backward pass through what `a` trains, and then `b.step()`, where nothing
steps `a` anywhere, and `b` has a reset, a backward pass and a step of its own.

## Why is this bad

What `a` was made for never moves. `b` makes a second step in each turn, along gradients that are
not for it, or that it has used before. Nothing raises: such lines are copied from one block to the
next, and one of three names is forgotten.

## Example

```python
policy_optim.zero_grad()
policy_loss.backward()
policy_optim.step()

alpha_optim.zero_grad()
alpha_loss.backward()
policy_optim.step()
```

## Use instead

```python
alpha_optim.zero_grad()
alpha_loss.backward()
alpha_optim.step()
```

## Fix safety

The step becomes one of the optimizer that was reset: unsafe, because training goes another way.
Optimizers that are handed to code which is not known, listed, returned, or used in other files are
left alone, and so are two optimizers of the same parameters.

## How it is verified

The original and the rewritten program train on the same data. What stood still has to move, as it
does in a loop written by hand.

## References

- https://docs.pytorch.org/docs/stable/optim.html
- https://discuss.pytorch.org/t/how-to-use-two-optimizers-in-one-model/152194
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._never_stepped import is_never_stepped, made_once
from autofix.flow.events import loss_of
from autofix.flow.facts import Facts
from autofix.flow.handles import Scope, any_related, handles
from autofix.flow.index import last_name
from autofix.flow.losses import sources
from autofix.flow.syntax import argument
from autofix.flow.turns import given_as
from autofix.flow.uses import uses_in
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG610", names=("step",), needs=("backward",))

_CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "unscale_")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if last_name(node.func) != "step" or (stepped := _stepped(node)) is None:
        return
    chain = _chain(node, facts)
    if chain is None:
        return
    reset, backward = chain
    if _said(reset) == _said(stepped) or not _has_block_of_its_own(stepped, facts):
        return
    if not is_never_stepped(reset, facts) or not _is_for(backward, reset, stepped, facts):
        return
    name, other = facts.source.segment(reset), facts.source.segment(stepped)
    message = (
        f"`{other}` is stepped where `{name}` was reset (line {reset.lineno}) and a gradient was "
        f"computed for it (line {backward.lineno}), and nothing steps `{name}`"
    )
    start, end = facts.source.span(stepped)
    edit = Edit(start, end, name)
    yield Report(node, message, fix=fix(Applicability.UNSAFE, edit))


def _stepped(call: ast.Call) -> ast.expr | None:
    """`opt` of `opt.step()`, and of `scaler.step(opt)`."""
    match call:
        case ast.Call(func=ast.Attribute(value=owner), args=[], keywords=[]):
            found = owner
        case ast.Call(func=ast.Attribute(value=owner), args=[found], keywords=[]) if (
            "scaler" in (last_name(owner) or "").lower()
        ):
            pass
        case _:
            return None
    return found if isinstance(found, (ast.Name, ast.Attribute)) else None


def _said(node: ast.expr) -> str:
    return ast.unparse(node)


def _chain(step: ast.Call, facts: Facts) -> tuple[ast.expr, ast.Call] | None:
    """The optimizer that the block resets last before a step, and the one backward pass that comes
    between. Only values are computed there otherwise, and gradients clipped."""
    statement = facts.index.statement_of(step)
    if not isinstance(statement, ast.Expr) or statement.value is not step:
        return None
    block = facts.index.block_of(statement)
    backward: ast.Call | None = None
    for one in reversed(block[: block.index(statement)]):
        if isinstance(one, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            continue
        call = one.value if isinstance(one, ast.Expr) else None
        name = last_name(call.func) if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return None
        if name == "backward" and backward is None:
            backward = call
        elif name == "zero_grad":
            return (call.func.value, backward) if backward is not None else None
        elif name not in _CLIPS:
            return None
    return None


def _has_block_of_its_own(stepped: ast.expr, facts: Facts) -> bool:
    """Is the same function to reset it, run a backward pass and step it elsewhere, and does
    nothing reset it but that?"""
    around = facts.index.function_of(stepped)
    own = 0
    for call in uses_in(facts).names.calls.get("step", ()):
        one, chain = _stepped(call), _chain(call, facts)
        if one is None or facts.index.function_of(call) is not around or chain is None:
            continue
        own += _said(one) == _said(chain[0]) == _said(stepped)
    resets = [
        call
        for call in uses_in(facts).names.calls.get("zero_grad", ())
        if isinstance(call.func, ast.Attribute) and _said(call.func.value) == _said(stepped)
    ]
    return own == len(resets) == 1


def _is_for(backward: ast.Call, reset: ast.expr, stepped: ast.expr, facts: Facts) -> bool:
    """Does the loss come from what the optimizer that was reset holds, and the other does not?"""
    loss, function = loss_of(backward), facts.index.function_of(backward)
    mine, theirs = _held(reset, facts), _held(stepped, facts)
    if loss is None or not mine or not theirs:
        return False
    parts = sources(loss, Scope(function), facts).parts
    return any_related(parts, mine) and not any_related(parts | mine, theirs)


def _held(optimizer: ast.expr, facts: Facts) -> frozenset[tuple[str, ...]]:
    """`net` of `Adam(net.parameters())`, and `weight` of `Adam([weight])`."""
    call = made_once(optimizer, facts)
    given = argument(call, 0, "params") if call is not None else None
    if call is None or given is None:
        return frozenset()
    given, scope = given_as(given, facts), Scope(facts.index.function_of(call))
    parts = given.elts if isinstance(given, (ast.List, ast.Tuple)) else [given]
    found = [_part(part, scope, facts) for part in parts]
    return frozenset().union(*found) if all(found) else frozenset()


def _part(part: ast.expr, scope: Scope, facts: Facts) -> frozenset[tuple[str, ...]]:
    match part:
        case ast.Starred(value=inner):
            return _part(inner, scope, facts)
        case ast.Call(func=ast.Attribute(value=owner, attr="parameters"), args=[]):
            return handles(owner, scope, facts)
        case ast.Name() | ast.Attribute():
            return handles(part, scope, facts)
    return frozenset()
