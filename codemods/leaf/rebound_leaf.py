"""The name of a leaf is bound to something computed from it, and meant as the leaf afterwards.

## What it does

Finds `w = w * 2`, `x = x.to(device)`, `w = w / w.norm()`, `x = model(x)` where `w` or `x` was a
leaf that requires a gradient, and the name's `.grad` is read afterwards, an optimizer is given it,
or an optimizer has had the leaf before. Also `x = x.clamp(0, 1).detach().requires_grad_()` between
the steps of an optimizer that was given the leaf before: `x` is a leaf again, but another one.

## Why is this bad

After the assignment the name means another tensor, which is no leaf: its `.grad` stays `None`,
and an optimizer raises "can't optimize a non-leaf Tensor". The gradient arrives in the leaf, which
has no name any more. Where an optimizer has the leaf already, it is trained, and the loss is
computed from what was made of its first values.

## Example

```python
eta = torch.rand(10, requires_grad=True)
eta = eta * 2
eta.sum().backward()
print(eta.grad)
```

## Use instead

```python
eta = torch.rand(10, requires_grad=True)
eta_value = eta * 2
eta_value.sum().backward()
print(eta.grad)
```

## Fix safety

There are two cures, and which one it is follows from what the program does with the name.

The result gets a name of its own, and every later read that means the result gets it too; `.grad`,
`.zero_()` and updates in place stay with the leaf. So it is where the name is bound in each turn of
a loop, and where the gradient of one backward pass is read. This is safe: every value stays.
Where an optimizer has the leaf and the operation stands before the training loop, it is computed in
each turn of the loop. This is unsafe: the loss now follows the leaf. It is safe where only the
dtype or the device changes.

The result is made the leaf (`.detach().requires_grad_()`) where the operation belongs to the start
value: a change of shape, dtype or device, a scale in front of a training loop that updates the
name, or an optimizer that is given the result. This is safe for such changes and for arithmetic
with numbers, and unsafe for others, and for a copy of an argument: whether the gradient for the
argument or for the result is wanted, only the author knows for sure.

A name that each turn of a training loop ends by binding to a tensor that is no leaf
(`x = x.clamp(0, 1)` behind `step()` or behind an update with `x.grad`) is written in place where an
optimizer has the leaf, and else made a leaf again at the start of each turn. Where it is bound to
another leaf and the optimizer has the one before, that is written in place, too. The first turn
computes what it did, and the others raised or stood still: this is safe. It is unsafe where the
shape of what is written is not known.

Parameters whose result should have been the Parameter are found by AG301.

## How it is verified

The original and the rewritten code run on the same inputs. The forward values must be equal, and
the leaf must get the derivative of the original's own values, which it did not before.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
- https://discuss.pytorch.org/t/why-cant-i-see-grad-of-an-intermediate-variable/94
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._keeping import kept_leaf
from autofix.codemods.leaf._made import leaf_made, leaf_of, may_have_graph, without_leaf
from autofix.codemods.leaf._new_name import in_each_turn, renamed
from autofix.codemods.leaf._operations import Tier, chain_from
from autofix.codemods.leaf._rebound import Choice, Rebound, is_shape, rebound_leaves
from autofix.codemods.leaf._swapped import Swapped, behind, binding, swapped, written
from autofix.codemods.leaf._turned_over import TurnedOver, Want, turned_over
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG302", names=("requires_grad", "requires_grad_", "Parameter", "step"))


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    parent = facts.index.parents.get(node)
    if (last_name(node.func) or "").endswith("Parameter"):
        if _is_bound(parent) and facts.value(node).parameter and facts.value(node).leaf:
            yield from _reports(facts, node, parameter=True)
    elif isinstance(parent, ast.Expr):
        match node.func:
            case ast.Attribute(value=ast.Name() as name, attr="requires_grad_"):
                if leaf_made(facts, node) is not None:
                    yield from _reports(facts, name)
    elif _may_make(node) and leaf_made(facts, node) is not None:
        yield from _reports(facts, node)


@rule.visit(ast.Assign)
def check_flag(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`x.requires_grad = True`"""
    match node:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name() as name, attr="requires_grad")],
            value=ast.Constant(value=True),
        ):
            yield from _reports(facts, name)


@rule.visit(ast.Assign, ast.Expr)
def check_swap(node: ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    """`x = x.clamp(0, 1).detach().requires_grad_()`, when an optimizer has the leaf before it"""
    bound = binding(facts, node)
    found = swapped(facts, bound) if bound is not None else None
    if found is None or bound is None or (bound is node) is (found.flag is not None):
        return
    yield _swap(facts, found, "another leaf")


@rule.visit(ast.Expr)
def check_behind(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    """`self.x = self.x.clamp(0, 1)` behind `optimizer.step()`"""
    for found in behind(facts, node):
        yield _swap(facts, found, "a tensor that is no leaf")


def _swap(facts: Facts, found: Swapped, what: str) -> Report:
    name, line = facts.source.segment(found.target), found.optimizer.lineno
    message = (
        f"`{name}` is bound to {what}, and the optimizer (line {line}) goes on with the leaf of "
        "before: nothing is trained any more"
    )
    edits, tier = written(facts, found)
    if isinstance(edits, str):
        return Report(found.statement, message, declined=edits)
    return Report(found.statement, message, fix=fix(tier, *edits))


def _is_bound(parent: ast.AST | None) -> bool:
    return isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return))


def _may_make(node: ast.Call) -> bool:
    if any(k.arg == "requires_grad" for k in node.keywords):
        return True
    return isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_"


def _reports(facts: Facts, node: ast.expr, parameter: bool = False) -> Iterator[Report]:
    lost = turned_over(facts, node)
    if lost is not None:
        yield _lost(facts, lost)
    for found in rebound_leaves(facts, node):
        if lost is not None and found.statement in lost.stores:
            continue
        if not (parameter and found.choice == Choice.NEW_LEAF):  # AG301
            yield _report(facts, found)


_MISSES = {
    Want.GRAD: "its `.grad` is `None` in the next",
    Want.BY_ANOTHER_NAME: "its `.grad` is `None` in the next",
    Want.ASKED: "`torch.autograd.grad` raises in the next",
    Want.OPTIMIZER: "the optimizer goes on with the leaf, which the loss does not see any more",
}


def _lost(facts: Facts, found: TurnedOver) -> Report:
    name, last = found.name, found.last
    message = (
        f"each turn ends by binding `{name}` to a tensor that is no leaf: {_MISSES[found.want]}"
    )
    where = (
        f"`{name}` is a leaf (line {found.call.lineno})",
        f"it is bound again (line {last.lineno})",
        f"its gradient is wanted in the next turn (line {found.at.lineno})",
    )
    edits, tier = kept_leaf(facts, found)
    if isinstance(edits, str):
        return Report(last, message, declined=edits, why=where)
    return Report(last, message, fix=fix(tier, *edits), why=where)


def _report(facts: Facts, found: Rebound) -> Report:
    name = found.target.id
    consequence = (
        "an optimizer cannot take it"
        if found.optimized
        else f"`{name}.grad` stays `None`"
        if found.gradient is not None
        else "the optimizer trains a tensor that the loss does not see"
    )
    message = f"`{name}` is bound to a tensor that is no leaf: {consequence}"
    where = [f"`{name}` is a leaf (line {found.call.lineno})"]
    where.append(f"it is bound again (line {found.statement.lineno})")
    if found.gradient is not None:
        where.append(f"its `.grad` is read (line {found.gradient.lineno})")
    edits, tier = _repair(facts, found)
    node = found.statement
    if isinstance(edits, str):
        return Report(node, message, declined=edits, why=tuple(where))
    return Report(node, message, fix=fix(tier, *edits), why=tuple(where))


def _repair(facts: Facts, found: Rebound) -> tuple[tuple[Edit, ...] | str, Applicability]:
    if found.choice == Choice.NEW_NAME:
        return renamed(facts, found), Applicability.SAFE
    if found.choice == Choice.EACH_TURN:
        moved = is_shape(facts, found.read)
        return in_each_turn(facts, found), Applicability.SAFE if moved else Applicability.UNSAFE
    chain = chain_from(facts, found.read)
    if chain is None or chain.node is not found.statement.value:
        return _unclear(facts, found)
    plain = chain.tier <= Tier.MOVES and (found.optimized or _is_start(facts, found))
    plain = plain and all(_is_plain(facts, s, found.target.id) for s in found.more)
    tier = Applicability.SAFE if plain else Applicability.UNSAFE
    leaf = found.leaf
    if leaf is not None and not found.more and _is_only_start(facts, found):
        detach = may_have_graph(facts, leaf, chain)
        edits = (without_leaf(facts, leaf), *leaf_of(facts, found.statement.value, detach))
        return edits, tier
    return leaf_of(facts, found.last.value, detach=True), tier


def _is_plain(facts: Facts, statement: ast.Assign, name: str) -> bool:
    for node in ast.walk(statement.value):
        if isinstance(node, ast.Name) and node.id == name:
            chain = chain_from(facts, node)
            return chain is not None and chain.tier <= Tier.MOVES
    return False


def _unclear(facts: Facts, found: Rebound) -> tuple[tuple[Edit, ...] | str, Applicability]:
    """No plain operation: a model's output, say. It is hardly meant to be the leaf."""
    if found.optimized:
        return "only the author knows which of the two should be trained", Applicability.DISPLAY
    if found.loop is not None and _is_written(facts, found):
        return leaf_of(facts, found.last.value, detach=True), Applicability.UNSAFE
    return renamed(facts, found), Applicability.UNSAFE


def _is_written(facts: Facts, found: Rebound) -> bool:
    """Is the name changed in place in the training loop, by its gradient say?"""
    name = found.target.id
    assert found.loop is not None
    for node in ast.walk(found.loop):
        match node:
            case ast.AugAssign(target=ast.Name(id=changed)):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id=changed), attr=attr)):
                if not attr.endswith("_") or attr in ("requires_grad_", "retain_grad"):
                    continue
            case ast.Attribute(value=ast.Name(id=changed), attr="data", ctx=ast.Store()):
                pass
            case _:
                continue
        if changed == name:
            return True
    return False


def _is_start(facts: Facts, found: Rebound) -> bool:
    """Does the operation belong to the start value beyond doubt?"""
    made = found.leaf is not None and found.leaf.flag is not None
    return made or is_shape(facts, found.read)


def _is_only_start(facts: Facts, found: Rebound) -> bool:
    """`w = <leaf>`, and in the same block nothing but the statement that binds it again."""
    assert found.leaf is not None
    match facts.index.parents.get(found.leaf.call):
        case ast.Assign(targets=[ast.Name() as store], value=value) as made:
            if value is not found.leaf.call:
                return False
            if facts.index.parents.get(made) is not facts.index.parents.get(found.statement):
                return False
            inside = set(ast.walk(found.statement))
            return all(load in inside for load in uses_in(facts).names.loads(store))
    return False
