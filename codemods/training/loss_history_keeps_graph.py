"""Losses are added up or collected for the log together with their graphs.

## What it does

Finds `total += loss`, `total = total + loss`, `losses.append(loss)`, `losses[step] = loss`,
`rows.append({"loss": loss})` and `stats["loss"] += loss` where the loss had its backward pass (or
its `torch.autograd.grad`) in the same turn, here or in a function that is called, and nothing runs
backward through the sum.

## Why is this bad

The sum is a tensor whose graph holds those of all turns so far, with what they were computed from.
Memory grows from step to step until there is none left, and printing or converting the sum warns or
raises. The graph is of no use: the backward pass of the turn has freed what it needs.

## Example

```python
loss.backward()
optimizer.step()
total += loss
```

## Use instead

```python
loss.backward()
optimizer.step()
total += loss.detach()
```

## Fix safety

The fix detaches what is added. Values, shapes and dtypes stay (`.item()` would make a Python
float of it, in double precision, which `total.item()` further down could not be asked for). It is
safe: a backward pass through the sum would have raised, because the graph is freed. It is unsafe
where what is added may be a number as well: there it becomes one, with `float(...)`. Sums that a
backward pass runs through, or that are returned to a caller who may run it where a condition has
left it out, graphs that are kept with `retain_graph=True`, and sums that begin anew in each turn
are left alone.

## How it is verified

Both versions run on the same inputs. Sums and lists must hold the same values, and must not carry
a graph after the repair.

## References

- https://docs.pytorch.org/docs/stable/notes/faq.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._asked import is_treated_as_tensor
from autofix.codemods.training._freed import (
    dead_at,
    parts_of_record,
    roots,
    same_turn,
    shares_graph,
    surely_tensor,
)
from autofix.codemods.training._graphs import Graphs, graphs_around, key_of, keys, reads
from autofix.codemods.training._meters import handed_to_meter
from autofix.codemods.training._returned import freed_by_callee
from autofix.flow.facts import Facts
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG604",
    names=("append", "update", "add"),
    trigger=r"\+|\] *= |(?i:meter|metric|track|monitor|averag|history|stats|record)\w*\(",
    needs=("backward(", "autograd", "optim"),
)

_LAYERS = 3
_CONTAINERS = (Kind.DICT, Kind.SEQUENCE, Kind.TENSOR)


@rule.visit(ast.AugAssign)
def check_sum(node: ast.AugAssign, facts: Facts) -> Iterator[Report]:
    if isinstance(node.op, ast.Add) and _records(node, node.value, facts):
        yield from _reports(node, node.target, [node.value], facts)


@rule.visit(ast.Assign)
def check_assigned_sum(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`total = total + loss`, `sums[k] = sums.get(k, 0) + loss`, `m = 0.9 * m + 0.1 * loss`."""
    target = node.targets[0]
    key = key_of(target)
    if key is not None and (added := _added(node.value, key, facts)):
        yield from _reports(node, target, added, facts)
    elif isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
        return  # a sum of which no part is known
    elif isinstance(target, ast.Subscript) and _is_place_of_turn(target, node, facts):
        yield from _reports(node, target, [node.value], facts)


def _added(value: ast.expr, key: str, facts: Facts) -> list[ast.expr]:
    """What a sum adds to what it was. It may be set at first: `loss if m is None else m + loss`."""
    match value:
        case ast.IfExp(body=left, orelse=right):
            sums = [_added(left, key, facts), _added(right, key, facts)]
            first = [[side] for side in (left, right) if key not in keys(side)]
            if len(first) == 1 and any(sums):
                return [*next(filter(None, sums)), *first[0]]
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            for mine, other in ((left, right), (right, left)):
                if key in keys(mine) and key not in keys(other) and _records(value, other, facts):
                    return [other]
    return []


@rule.visit(ast.Call)
def check_list(node: ast.Call, facts: Facts) -> Iterator[Report]:
    match node:
        case ast.Call(func=ast.Attribute(attr="append", value=owner), args=[value], keywords=[]):
            yield from _reports(node, owner, [value], facts)


@rule.visit(ast.Call)
def check_meter(node: ast.Call, facts: Facts) -> Iterator[Report]:
    """`meter.update(loss)` of a meter that another file defines."""
    if not facts.index.loops_around(node):
        return
    for argument in handed_to_meter(node, facts):
        graphs = graphs_around(facts, node)
        message = (
            f"`{facts.source.segment(node.func)}` keeps the graph of every turn, which nothing "
            f"runs backward through: memory grows with each step"
        )
        value = facts.value(argument)
        if value.kind == Kind.DICT:
            if _are_dead(graphs, node, argument):
                edits = _each_detached(facts, argument)
                yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), note=PARTS)
            continue
        for place in dead_at(graphs, node, "", argument, 0) if graphs.backwards else []:
            sure = _is_surely_tensor(facts, place)
            tier = Applicability.SAFE if sure else Applicability.UNSAFE
            yield Report(node, message, fix=fix(tier, *_detached(facts, place, sure)))


PARTS = "a part that the loss is not made of has a graph that could still be used"


def _are_dead(graphs: Graphs, node: ast.Call, argument: ast.expr) -> bool:
    """Has the loss, a part of this dict of tensors or made of such, had its backward pass?"""
    value, names = graphs.facts.value(argument), keys(argument)
    inside = tuple((value.entries or {}).values()) or (value.elem,)
    return all(v is not None and v.is_tensor and v.graph == Graph.YES for v in inside) and any(
        not backward.retains
        and same_turn(graphs, node, backward)
        and shares_graph(graphs, argument, names, backward)
        for backward in graphs.backwards
    )


def _each_detached(facts: Facts, node: ast.expr) -> tuple[Edit, ...]:
    text = facts.source.segment(node)
    return (Edit(*facts.source.span(node), f"{{k: v.detach() for k, v in {text}.items()}}"),)


def _reports(
    node: ast.stmt | ast.Call, target: ast.expr, added: list[ast.expr], facts: Facts
) -> Iterator[Report]:
    key = key_of(target)
    if key is None or not all(any(True for _ in reads(one)) for one in added):
        return
    kept = [part for one in added for part in parts_of_record(one)]
    parts = [part for part in kept if _may_keep_graph(facts, part)]
    graphs = graphs_around(facts, node)
    passes = [*graphs.backwards, *graphs.gradients]
    if any(key in graphs.made_of(keys(b.root)) for b in passes):
        return  # it is backpropagated itself
    if not _is_kept(graphs, node, key):
        return
    found = [
        dead_at(graphs, node, key, p, _LAYERS) or freed_by_callee(graphs, key, p) for p in parts
    ]
    if not (places := [place for several in found for place in several]):
        return
    if len(added) > 1 and not all(found):
        return  # of a sum with a first value, one without the other
    sure = all(_is_surely_tensor(facts, place) for place in places)
    treated = not sure and is_treated_as_tensor(graphs, key)
    edits = [edit for place in places for edit in _detached(facts, place, sure or treated)]
    name = facts.source.segment(target)
    message = (
        f"`{name}` keeps the graph of every turn, which nothing runs backward through: "
        f"memory grows with each step"
    )
    freed = bool(graphs.backwards) or not any(p.retains for p in graphs.gradients)
    tier = Applicability.SAFE if sure and freed else Applicability.UNSAFE
    note = None if sure else "it may be a number as well: what is kept becomes a Python float"
    if treated:
        note = "it may be a number as well, which has no `detach`"
    yield Report(node, message, fix=fix(tier, *edits), note=note)


def _may_keep_graph(facts: Facts, node: ast.expr) -> bool:
    """A leaf has none to keep."""
    return facts.may_hold_tensor(node) and not facts.value(node).leaf


def _is_place_of_turn(target: ast.Subscript, node: ast.Assign, facts: Facts) -> bool:
    """`losses[step] = loss` in a list, dict or tensor: another place in each turn."""
    loop = next(iter(facts.index.loops_around(node)), None)
    if not isinstance(loop, (ast.For, ast.AsyncFor)) or isinstance(target.slice, ast.Slice):
        return False
    turning = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    named = {n.id for n in ast.walk(target.slice) if isinstance(n, ast.Name)}
    kept = isinstance(target.value, (ast.Name, ast.Attribute)) and len(node.targets) == 1
    return kept and bool(named & turning) and facts.value(target.value).kind in _CONTAINERS


def _records(addition: ast.AugAssign | ast.BinOp, added: ast.expr, facts: Facts) -> bool:
    """Does the sum have a graph? Under `no_grad` it has none; a list keeps that of its parts."""
    return facts.grad_enabled(addition) or bool(facts.value(added).kind & Kind.SEQUENCE)


def _is_surely_tensor(facts: Facts, place: ast.expr) -> bool:
    if facts.value(place).is_tensor:
        return True
    return any(surely_tensor(facts, place, root) for root in roots(facts, place))


def _is_kept(graphs: Graphs, node: ast.AST, key: str) -> bool:
    """Does the sum outlive the turn: is it not begun anew in the loop that runs backward?"""
    owner = key.partition(".")[0]
    loops = graphs.facts.index.loops_around(node)
    resets = [s for name in (key, owner) for s, v in graphs.stores.get(name, ()) if _anew(key, v)]
    if not loops:
        return "." in key
    resets += graphs.emptied.get(key, ())
    return not any(loops[0] in graphs.facts.index.ancestors(reset) for reset in resets)


def _anew(key: str, value: ast.expr | None) -> bool:
    return value is not None and key not in {key_of(read) for read in reads(value)}


def _detached(facts: Facts, node: ast.expr, sure: bool) -> tuple[Edit, ...]:
    """`loss` becomes `loss.detach()`, `loss * n` becomes `loss.detach() * n`."""
    if not sure:
        start, end = facts.source.span(node)
        return (Edit(start, start, "float("), Edit(end, end, ")"))
    inner = node
    alive = [r for r in reads(node) if facts.value(r).graph > Graph.NO and _may_be_tensor(facts, r)]
    if isinstance(node, ast.BinOp) and len(alive) == 1 and facts.value(alive[0]).is_tensor:
        inner = alive[0]
    start, end = facts.source.span(inner)
    if isinstance(inner, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
        return (Edit(end, end, ".detach()"),)
    return (Edit(start, start, "("), Edit(end, end, ").detach()"))


def _may_be_tensor(facts: Facts, node: ast.expr) -> bool:
    return bool(facts.value(node).kind & (Kind.TENSOR | Kind.UNKNOWN))
