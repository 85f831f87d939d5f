"""A leaf that requires grad is changed in place.

## What it does

Finds `w[2] = 1`, `w += step`, `w.fill_(0)`, `self.weight /= norm` and the like on a Parameter or
another leaf that requires grad, or on a view of one, while gradient mode is on.

## Why is this bad

It raises at once: "a leaf Variable that requires grad is being used in an in-place operation". With
`.data` it would not raise, but autograd would not know of the change.

## Example

```python
w = torch.randn(4, requires_grad=True)
w[3] = 0.0
```

## Use instead

```python
w = torch.randn(4, requires_grad=True)
with torch.no_grad():
    w[3] = 0.0
```

## Fix safety

Initial values and updates are written under `torch.no_grad()`, together with the writes beside
them. That is safe, but unsafe if the value that is written carries a graph, which ends there.

Where the function that writes did not make the leaf, and reads it afterwards, as in `forward`, the
write is meant for a new tensor: `bias = self.bias.clone()`, then `bias[mask] = 0`, and the reads
below say `bias`. This is safe for a constant, which every pass would write again, and unsafe for
anything else, since the leaf itself keeps its values then.

Writes into `.data` and under `no_grad`, and those of `torch.nn.init`, are silent.

## How it is verified

The original is run without autograd, the rewritten code with it, on the same inputs: forward values
must agree, and the gradient must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from autofix.codemods.in_place._broken import LEAF, Broken, diagnose, shown
from autofix.codemods.in_place._callers import is_handed_over, is_run_without_gradients
from autofix.codemods.in_place._new_tensor import into_new, reads_after, values_read
from autofix.codemods.in_place._no_grad import under_no_grad
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER, Place, places
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode
from autofix.flow.roles import runs_backward
from autofix.flow.syntax import all_arguments, is_none
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG203", names=NAMES, trigger=TRIGGER)

_INITIAL = ("__init__", "init", "_init", "reset", "_reset", "setup", "build", "make", "create")


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    for place in places(node, facts):
        broken = diagnose(place, facts)
        if broken is None or broken.kind != LEAF or _follows_another(broken, facts):
            continue
        if not (
            _is_sometimes_a_leaf(place, facts)
            or _is_asked_before(place, facts)
            or is_run_without_gradients(place.statement, facts)
            or is_handed_over(place.base, facts)
        ):
            yield _report(broken, facts)


def _is_asked_before(place: Place, facts: Facts) -> bool:
    """`if not w.requires_grad: w.mul_(2)`"""
    asked = f"not {ast.unparse(place.base)}.requires_grad"
    around = [place.statement, *facts.index.ancestors(place.statement)]
    return any(
        isinstance(owner, ast.If) and inner in owner.body and ast.unparse(owner.test) == asked
        for inner, owner in itertools.pairwise(around)
    )


def _is_sometimes_a_leaf(place: Place, facts: Facts) -> bool:
    """Is gradient asked for under a condition that the write is not under?"""
    base = ast.unparse(place.base)
    around = set(facts.index.ancestors(place.statement))
    function = facts.index.function_of(place.statement)
    nodes = facts.index.nodes if function is None else facts.index.body_nodes(function)
    asking = [node for node in nodes if _asks_for_gradient(node, base)]
    return bool(asking) and all(
        any(isinstance(owner, ast.If) and owner not in around for owner in facts.index.ancestors(n))
        for n in asking
    )


def _asks_for_gradient(node: ast.AST, base: str) -> bool:
    match node:
        case ast.Assign(targets=[ast.Attribute(attr="requires_grad", value=owner)]):
            return ast.unparse(owner) == base
        case ast.Call(func=ast.Attribute(attr="requires_grad_", value=owner)):
            return ast.unparse(owner) == base
    return False


def _follows_another(broken: Broken, facts: Facts) -> bool:
    """Does an earlier write into the same leaf get a new tensor, which this one then goes into?"""
    place = broken.place
    function = facts.index.function_of(place.statement)
    if function is None or not _is_on_the_way(place, facts):
        return False
    return any(
        earlier.statement.lineno < place.statement.lineno
        and not uses_in(facts).names.apart(earlier.statement, place.statement)
        and ast.unparse(earlier.base) == ast.unparse(place.base)
        and (other := diagnose(earlier, facts)) is not None
        and other.kind == LEAF
        for node in facts.index.body_nodes(function)
        if isinstance(node, NODES)
        for earlier in places(node, facts)
    )


def _report(broken: Broken, facts: Facts) -> Report:
    place = broken.place
    base = shown(place.base, facts)
    message = f"`{base}` is a leaf that requires grad: writing into it in place raises at once"
    why = broken.why(facts)
    try:
        if _is_on_the_way(place, facts):
            tier = Applicability.SAFE if _is_constant(place, facts) else Applicability.UNSAFE
            note = f"`{base}` itself keeps its values"
            return Report(place.node, message, fix(tier, *into_new(place, facts)), None, why, note)
        edits = under_no_grad(place.statement, facts)
        carries = _written_graph(place, facts) == Graph.YES
        tier = Applicability.UNSAFE if carries else Applicability.SAFE
        return Report(place.node, message, fix(tier, *edits), None, why)
    except DeclinedError as declined:
        return Report(place.node, message, declined=str(declined), why=why)


def _is_on_the_way(place: Place, facts: Facts) -> bool:
    """Is what the write makes read in the same pass, by a function that did not make the leaf?"""
    function = facts.index.function_of(place.statement)
    reads = values_read(reads_after(place, facts), facts)
    if not reads or _is_drawn_from_module(place, facts):
        return False
    if function is None or _is_made_here(place, facts):
        if any(isinstance(facts.index.parents.get(read), ast.Return) for read in reads):
            return False  # whoever gets it gets the leaf
        around = facts.index.loops_around(place.statement)
        same = all(facts.index.loops_around(read) == around for read in reads)
        return same and _written_graph(place, facts) == Graph.YES
    return not function.name.startswith(_INITIAL) and _gives(function, facts)


def _is_drawn_from_module(place: Place, facts: Facts) -> bool:
    """Is it one of the weights that a loop goes through? Who computes with the module wants it
    written there."""
    if not isinstance(place.base, ast.Name):
        return False
    return any(
        isinstance(n, ast.Attribute) and n.attr in ("parameters", "named_parameters")
        for loop in facts.index.loops_around(place.statement)
        if isinstance(loop, ast.For)
        for n in ast.walk(loop.iter)
    )


def _gives(function: FunctionNode, facts: Facts) -> bool:
    """Does a function give anything, or train? Else it is called for what it writes."""
    return runs_backward(function, facts) or any(
        isinstance(n, (ast.Yield, ast.YieldFrom))
        or (isinstance(n, ast.Return) and n.value is not None and not is_none(n.value))
        or (isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
        for n in facts.index.body_nodes(function)
    )


def _is_made_here(place: Place, facts: Facts) -> bool:
    """Was the leaf made by the same function? (A view of one that was there before was not.)"""
    if not isinstance(place.base, ast.Name):
        return False
    function = facts.index.function_of(place.statement)
    nodes = facts.index.body_nodes(function) if function is not None else ()
    made = [
        n
        for n in nodes
        if isinstance(n, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == place.base.id for t in n.targets)
        and not uses_in(facts).names.apart(n, place.statement)
    ]
    return any(not _is_view(one.value, facts) for one in made)


def _is_view(made: ast.expr, facts: Facts) -> bool:
    """Is it, or a part of it, memory that has another name?"""
    storage = facts.value(made).storage
    return any(
        isinstance(n, (ast.Name, ast.Attribute)) and bool(facts.value(n).storage & storage)
        for n in ast.walk(made)
        if n is not made or isinstance(n, (ast.Name, ast.Attribute))
    )


def _written(place: Place) -> list[ast.expr]:
    if isinstance(place.node, (ast.Assign, ast.AugAssign)):
        return [place.node.value]
    assert isinstance(place.node, ast.Call)
    return all_arguments(place.node)


def _written_graph(place: Place, facts: Facts) -> Graph:
    return max((facts.value(node).graph for node in _written(place)), default=Graph.NO)


def _is_constant(place: Place, facts: Facts) -> bool:
    """Does the same write give the same values again, whenever it is made?"""
    if isinstance(place.node, ast.Assign):
        return _written_graph(place, facts) == Graph.NO
    name = getattr(getattr(place.node, "func", None), "attr", "")
    return name in ("zero_", "fill_", "masked_fill_", "copy_", "clamp_", "index_fill_")
