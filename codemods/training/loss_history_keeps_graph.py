"""Losses are added up or collected for the log together with their graphs.

## What it does

Finds `total += loss`, `total = total + loss`, `losses.append(loss)` and `stats["loss"] += loss`
where the loss had its backward pass (or its `torch.autograd.grad`) in the same turn, and nothing
runs backward through the sum.

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
backward pass runs through, graphs that are kept with `retain_graph=True`, and sums that begin anew
in each turn are left alone.

## How it is verified

Both versions run on the same inputs. Sums and lists must hold the same values, and must not carry
a graph after the repair.

## References

- https://docs.pytorch.org/docs/stable/notes/faq.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._graphs import Backward, Graphs, graphs_around, key_of, keys, reads
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG604", trigger=r"\+|\bappend\b", needs=("backward(", "autograd"))

_LAYERS = 3


@rule.visit(ast.AugAssign)
def check_sum(node: ast.AugAssign, facts: Facts) -> Iterator[Report]:
    if isinstance(node.op, ast.Add):
        yield from _reports(node, node.target, node.value, facts)


@rule.visit(ast.Assign)
def check_assigned_sum(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`total = total + loss`, `sums[k] = sums.get(k, 0) + loss`, `m = 0.9 * m + 0.1 * loss`."""
    target = node.targets[0]
    if not (isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add)):
        return
    key = key_of(target)
    for mine, other in (
        (node.value.left, node.value.right),
        (node.value.right, node.value.left),
    ):
        if key is not None and key in keys(mine) and key not in keys(other):
            yield from _reports(node, target, other, facts)


@rule.visit(ast.Call)
def check_list(node: ast.Call, facts: Facts) -> Iterator[Report]:
    match node:
        case ast.Call(func=ast.Attribute(attr="append", value=owner), args=[value], keywords=[]):
            yield from _reports(node, owner, value, facts)


def _reports(
    node: ast.stmt | ast.Call, target: ast.expr, added: ast.expr, facts: Facts
) -> Iterator[Report]:
    key = key_of(target)
    if key is None or not any(True for _ in reads(added)):
        return
    if not facts.may_hold_tensor(added):
        return
    graphs = graphs_around(facts, node)
    passes = [*graphs.backwards, *graphs.gradients]
    if any(key in graphs.made_of(keys(b.root)) for b in passes):
        return  # it is backpropagated itself
    if not _is_kept(graphs, node, key):
        return
    places = _dead_at(graphs, node, key, added, _LAYERS)
    if not places:
        return
    sure = all(
        any(_surely_tensor(facts, place, root) for root in _roots(facts, place)) for place in places
    )
    edits = [edit for place in places for edit in _detached(facts, place, sure)]
    name = facts.source.segment(target)
    message = (
        f"`{name}` keeps the graph of every turn, which nothing runs backward through: "
        f"memory grows with each step"
    )
    freed = bool(graphs.backwards) or not any(p.retains for p in graphs.gradients)
    tier = Applicability.SAFE if sure and freed else Applicability.UNSAFE
    note = None if sure else "it may be a number as well: what is kept becomes a Python float"
    yield Report(node, message, fix=fix(tier, *edits), note=note)


def _is_kept(graphs: Graphs, node: ast.AST, key: str) -> bool:
    """Does the sum outlive the turn: is it not begun anew in the loop that runs backward?"""
    owner = key.partition(".")[0]
    loops = graphs.facts.index.loops_around(node)
    resets = [s for name in (key, owner) for s, v in graphs.stores.get(name, ()) if _anew(key, v)]
    if not loops:
        return "." in key
    return not any(loops[0] in graphs.facts.index.ancestors(reset) for reset in resets)


def _anew(key: str, value: ast.expr | None) -> bool:
    return value is not None and key not in {key_of(read) for read in reads(value)}


def _dead_at(
    graphs: Graphs, node: ast.AST, key: str, added: ast.expr, layers: int
) -> list[ast.expr]:
    """The tensors to detach, if the graph of what is added is freed in this very turn."""
    facts = graphs.facts
    value = facts.value(added)
    if value.graph == Graph.NO:
        return []
    names = keys(added)
    for backward in graphs.backwards:
        if backward.retains or not _same_turn(graphs, node, backward):
            continue
        if _is_cut_after(graphs, names, backward):
            continue
        if _shares_graph(graphs, added, names, backward) and (
            _surely_tensor(facts, added, backward.root) or _is_term(graphs, added, backward.root)
        ):
            return [added]
    if _dead_by_hand(graphs, node, added):
        return [added]
    if layers:
        return _dead_at_callers(graphs, key, added, layers)
    return []


def _is_cut_after(graphs: Graphs, names: set[str], backward: Backward) -> bool:
    """`if now: loss.backward(); loss = loss.detach()`: where the backward pass was run, there is no
    graph any more; where it was not, whoever gets the sum may run it."""
    facts = graphs.facts
    here = facts.index.parents.get(facts.index.statement_of(backward.call) or backward.call)
    return isinstance(here, ast.If) and any(
        value is not None
        and facts.index.parents.get(statement) is here
        and statement.lineno > backward.call.lineno
        and facts.value(value).graph == Graph.NO
        for name in names
        for statement, value in graphs.stores.get(name, ())
    )


def _dead_by_hand(graphs: Graphs, node: ast.AST, added: ast.expr) -> bool:
    """Are its gradients taken with `torch.autograd.grad` in this turn, and the weights, which it
    would be differentiated for, then changed in place?"""
    for taken in graphs.gradients:
        if not _same_turn(graphs, node, taken) or not graphs.facts.value(added).is_tensor:
            continue
        if taken.retains and not _updated(graphs, taken):
            continue
        if _shares_graph(graphs, added, keys(added), taken):
            return True
    return False


def _updated(graphs: Graphs, taken: Backward) -> bool:
    weights = (
        {key_of(n) for n in ast.walk(taken.call.args[1]) if isinstance(n, ast.expr)}
        if taken.call.args[1:]
        else set()
    )
    loops = graphs.facts.index.loops_around(taken.call)[:1]
    return any(
        isinstance(node, ast.AugAssign)
        and key_of(node.target) in weights
        and graphs.facts.index.loops_around(node)[:1] == loops
        for node in graphs.nodes
    )


def _same_turn(graphs: Graphs, node: ast.AST, backward: Backward) -> bool:
    """Do both stand in the same innermost loop (or, in a method, in none)?"""
    loops_around = graphs.facts.index.loops_around
    return loops_around(node)[:1] == loops_around(backward.call)[:1]


def _shares_graph(graphs: Graphs, added: ast.expr, names: set[str], backward: Backward) -> bool:
    """Is what is added part of what the backward pass runs through, or made of it?"""
    roots = keys(backward.root)
    made = {n for n in names if _is_made_here(graphs, n)}
    made = {n for n in made if n in roots or not graphs.is_data(n)}
    if not made:
        return False
    return made <= graphs.made_of(roots) or bool(roots & made)


def _is_made_here(graphs: Graphs, key: str) -> bool:
    """Is it computed in this function? (Modules and data are not.)"""
    return any(isinstance(s, (ast.Assign, ast.AnnAssign)) for s, _ in graphs.stores.get(key, ()))


def _roots(facts: Facts, place: ast.expr) -> list[ast.expr]:
    graphs = graphs_around(facts, place)
    return [b.root for b in (*graphs.backwards, *graphs.gradients)]


def _surely_tensor(facts: Facts, added: ast.expr, root: ast.expr) -> bool:
    value = facts.value(added)
    if value.is_tensor:
        return True
    same = ast.dump(added) == ast.dump(root)
    return same and bool(value.kind & (Kind.TENSOR | Kind.UNKNOWN))


def _is_term(graphs: Graphs, added: ast.expr, root: ast.expr) -> bool:
    """Is it added to others to make the loss: one number, if not surely a tensor?"""
    if not isinstance(added, ast.Name) or not graphs.facts.value(added).kind & Kind.UNKNOWN:
        return False
    values = [root, *(v for s, v in graphs.stores.get(key_of(root) or "", ()) if v is not None)]
    return any(added.id in _terms(value) for value in values)


def _terms(node: ast.expr) -> set[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        return _terms(node.left) | _terms(node.right)
    return {node.id} if isinstance(node, ast.Name) else set()


def _dead_at_callers(graphs: Graphs, key: str, added: ast.expr, layers: int) -> list[ast.expr]:
    """The sum is kept by a helper or a meter: each of its calls hands it a graph that is dead."""
    facts, function = graphs.facts, graphs.scope
    if not isinstance(function, FUNCTIONS) or graphs.backwards:
        return []
    if key and key.partition(".")[0] in graphs.stores:
        return []  # a variable of its own
    arguments = _arguments_in(graphs, added)
    if not arguments:
        return []
    calls = [c for c in uses_in(facts).calls_of(function) if facts.reached(c)]
    found: list[ast.expr] = []
    for call in calls:
        caller = graphs_around(facts, call)
        owner = key_of(call.func.value) if isinstance(call.func, ast.Attribute) else None
        used = caller.made_of(k for b in caller.backwards for k in keys(b.root))
        if owner != "self" and owner in used:
            return []  # what is kept goes into the loss
        given = _given(call, function, arguments)
        alive = [g for g in given if facts.value(g).graph > Graph.NO]
        for argument in alive:
            places = _dead_at(caller, call, "", argument, layers - 1)
            if not places:
                return []
            found += places
    return found


def _arguments_in(graphs: Graphs, added: ast.expr) -> set[str]:
    """The parameters of the function that reach what is added."""
    assert isinstance(graphs.scope, FUNCTIONS)
    spec = graphs.scope.args
    names = {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    names |= {a.arg for a in (spec.vararg, spec.kwarg) if a is not None}
    return (graphs.made_of(keys(added)) & names) - {"self", "cls"}


def _given(
    call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef, wanted: set[str]
) -> list[ast.expr]:
    """What a call hands to these parameters."""
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    if names[:1] == ["self"] and isinstance(call.func, ast.Attribute):
        names = names[1:]
    found = [a for a, name in zip(call.args, names, strict=False) if name in wanted]
    if spec.vararg is not None and spec.vararg.arg in wanted:
        found += call.args[len(names) :]
    rest = spec.kwarg is not None and spec.kwarg.arg in wanted
    found += [k.value for k in call.keywords if k.arg in wanted or (rest and k.arg not in names)]
    return found


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
