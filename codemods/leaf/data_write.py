"""A tensor on the way to the loss is changed through `.data`, which the gradient does not see.

## What it does

Finds `h.data = h.data / h.data.norm()`, `h.data -= shift` and `h.data.mul_(mask)` where `h` was
computed in the same function from tensors that have a graph, and is used further; and
`x.data.add_(v)` where `x` is the state of a simulation or a sum, made in the same function, and `v`
has a graph that is lost so, and `out.data[i] = v` of a buffer that is filled. Also
`g * v / v.data.norm()`, where a weight is divided by its own norm, and weights that are brought
into bounds (`p.data.clamp_(-c, c)`) when a loss is computed and its backward pass is yet to come.

## Why is this bad

`.data` is the memory of a tensor without its graph. What is written there changes the values that
the loss is computed from, and `backward()` still takes the derivative of the operations that came
before: the gradient is that of another function, and torch says nothing. A norm of `.data` is a
constant for it, so the weight is pushed along its own direction, which changes nothing. Weights
that change between the two passes give a gradient that is partly that of the old and partly that
of the new ones.

## Example

```python
z = self.linear(x)
z.data = z.data / z.data.norm(dim=1, keepdim=True)
return z @ self.prototypes.t()
```

## Use instead

```python
z = self.linear(x)
z = z / z.norm(dim=1, keepdim=True)
return z @ self.prototypes.t()
```

## Fix safety

The name is bound to the result of the same operation with the graph. All values stay; the gradient
gains the factor that was missing. Of a norm and of a buffer `.data` is removed. This is unsafe,
because a stop may have been meant. What brings weights into bounds moves behind the step of the
optimizer, which is unsafe because all steps change.

Where the tensor is an argument that is returned, this is only shown: the caller may use what it
has given as well, and the factors may be meant as constants.

Parameters that are initialised, clipped or updated through `.data` are left alone: that is an old
way that works. So are rounding, signs and clamps, which are passed straight through on purpose, and
what is filled with `-inf` before a softmax.

## How it is verified

The original and the rewritten code run on the same inputs. The forward values must be equal, and
the gradient must be the derivative of the original's own values, which it was not before.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
- https://discuss.pytorch.org/t/what-is-the-difference-between-tensor-data-and-tensor-detach/30926
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.leaf._between import between
from autofix.codemods.leaf._cut_norm import divided_by
from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.leaf._state_written import is_fresh, is_read_between, lost_by, unflagged
from autofix.flow import torch_api
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG306", trigger=r"\.data\b")

_STRAIGHT = frozenset(
    {"sign", "round", "floor", "ceil", "trunc", "argmax", "bernoulli", "clamp", "clip", "where"}
    | {"sign_", "round_", "floor_", "ceil_", "trunc_", "clamp_", "clip_", "copy_", "fill_"}
    | {"zero_", "set_", "resize_", "normal_", "uniform_", "bernoulli_", "random_", "dropout"}
    | {"frac", "frac_", "fmod_", "remainder_"}  # their derivative is that of what it was before
)
_FILLS = frozenset({"masked_fill_", "index_fill_", "masked_scatter_"})
"""What these change has no gradient any more, whatever tells the elements."""
_FAR_BELOW = re.compile(
    r"-\s*(?:(?:\w+\.)?inf\b|float\(['\"]inf|\d(?:\.\d*)?e\+?(?:[4-9]|\d\d)|\d{4,}|10\s*\*\*)"
    r"|float\(['\"]-inf|(?:\w+\.)?(?:finfo\(.*\)\.min|NINF|NEG_INF\w*)$"
)
_CHOICE = (
    "a new tensor, computed with or without the gradient of the factors, is to be returned instead"
)
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@rule.visit(ast.Assign, ast.AugAssign, ast.Expr)
def check(node: ast.Assign | ast.AugAssign | ast.Expr, facts: Facts) -> Iterator[Report]:
    place = _written(node)
    if place is None or not isinstance(place.value, ast.Name):
        return
    words = {last_name(n) for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))}
    if words & _STRAIGHT:
        return
    if _hides(node, facts):
        return
    if not words & _FILLS and any(isinstance(n, ast.Compare) for n in ast.walk(node)):
        return
    name = place.value.id
    if _is_on_the_way(facts, node, place.value):
        message = f"`{name}` is changed through `.data`: its gradient is that of what it was before"
    elif (demand := lost_by(facts, place.value, place)) is not None:
        message = _lost(name, demand)
    elif _is_of_the_caller(facts, node, place.value):
        message = f"`{name}` is changed through `.data`: its gradient is that of what it was before"
        yield Report(node, message, fix=fix(Applicability.DISPLAY), note=_CHOICE)
        return
    else:
        return
    if element := _written_in_part(facts, place.value):
        reason = f"an element is written through `.data`, too (line {element.lineno})"
        yield Report(node, message, declined=reason)
        return
    edits = _rewritten(facts, node, place)
    why = facts.value(place.value).why
    steps = why.steps() if why is not None else ()
    note = "a stop may have been meant"
    yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), why=steps, note=note)


def _hides(node: ast.stmt, facts: Facts) -> bool:
    """`scores.data.masked_fill_(mask, -float("inf"))`: a softmax gives such elements nothing, and
    gets no gradient for them, be they filled with a graph or without."""
    return any(
        last_name(call.func) in ("masked_fill", "masked_fill_", "index_fill", "index_fill_")
        and any(_FAR_BELOW.match(facts.source.segment(given)) for given in all_arguments(call))
        for call in calls_in(node)
    )


@rule.visit(ast.Assign, ast.AugAssign)
def check_element(node: ast.Assign | ast.AugAssign, facts: Facts) -> Iterator[Report]:
    """`out.data[i] = v`, which people write where `out[i] = v` raises for a leaf."""
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    match target:
        case ast.Subscript(value=ast.Attribute(value=ast.Name() as owner, attr="data") as place):
            pass
        case _:
            return
    demand = lost_by(facts, owner, target)
    if demand is None or is_read_between(facts, owner, node):
        return
    start, end = facts.source.span(owner)[1], facts.source.span(place)[1]
    edits = [Edit(start, end, ""), *unflagged(facts, owner)]
    note = "a stop may have been meant"
    yield Report(node, _lost(owner.id, demand), fix=fix(Applicability.UNSAFE, *edits), note=note)


def _lost(name: str, demand: Demand) -> str:
    return (
        f"what is written through `{name}.data` leaves its graph behind, and a gradient is needed "
        f"({demand.text}, line {demand.line})"
    )


@rule.visit(ast.Attribute)
def check_norm(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    """`v / v.data.norm()`"""
    division = divided_by(facts, node) if node.attr == "data" else None
    if division is None:
        return
    name = facts.source.segment(node.value)
    message = (
        f"`{name}` is divided by its norm (line {division.lineno}), which `.data` makes a "
        "constant: the gradient is that of another function"
    )
    edit = Edit(facts.source.span(node.value)[1], facts.source.span(node)[1], "")
    yield Report(node, message, fix=fix(Applicability.UNSAFE, edit), note="a stop may be meant")


@rule.visit(ast.Assign, ast.AugAssign, ast.Expr)
def check_between(node: ast.Assign | ast.AugAssign | ast.Expr, facts: Facts) -> Iterator[Report]:
    """`p.data.clamp_(-c, c)` before `loss.backward()`"""
    place = _written(node)
    if place is None or not isinstance(place.value, (ast.Name, ast.Attribute)):
        return
    found = between(facts, node, place.value)
    if found is None:
        return
    message = (
        f"`{facts.source.segment(place.value)}` is changed through `.data` when `{found.loss.id}` "
        f"is computed and `backward()` (line {found.backward.lineno}) is to come: the gradient "
        "mixes the weights before and after"
    )
    if not found.edits:
        reason = "no step of an optimizer follows in its block, behind which it belongs"
        yield Report(node, message, declined=reason)
        return
    note = "it runs behind the step of the optimizer"
    yield Report(node, message, fix=fix(Applicability.UNSAFE, *found.edits), note=note)


def _written(node: ast.stmt) -> ast.Attribute | None:
    """`h.data` of a statement that writes there."""
    match node:
        case ast.Assign(targets=[ast.Attribute(attr="data") as place]):
            return place
        case ast.AugAssign(target=ast.Attribute(attr="data") as place, op=op):
            return place if type(op) in _ARITHMETIC else None
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Attribute(attr="data") as place, attr=name))
        ):
            op_ = torch_api.method(name[:-1]) if name.endswith("_") else None
            return place if op_ is not None and op_.grad and op_.ret == "tensor" else None
    return None


def _written_in_part(facts: Facts, owner: ast.Name) -> ast.expr | None:
    """`h.data[mask] *= 0.1`: a repair of the other writes alone leaves a wrong gradient."""
    names = uses_in(facts).names
    for store in names.stores(owner):
        for load in names.loads(store) if owner in names.loads(store) else ():
            data = facts.index.parents.get(load)
            part = facts.index.parents.get(data) if isinstance(data, ast.Attribute) else None
            if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store):
                return part
    return None


def _is_on_the_way(facts: Facts, node: ast.stmt, owner: ast.Name) -> bool:
    """Is it computed here from what has a graph, not used yet, and used further?"""
    value = facts.value(owner)
    if value.kind != Kind.TENSOR or value.graph == Graph.NO or value.leaf or value.assumed:
        return False
    names = uses_in(facts).names
    stores = [s for s in names.stores(owner) if owner in names.loads(s)]
    if len(stores) != 1 or without_gradient(facts, node):
        return False
    bound = facts.index.parents.get(stores[0])
    if not isinstance(bound, ast.Assign) or not is_fresh(bound.value):
        return False
    if facts.index.parents.get(bound) is not facts.index.parents.get(node):
        return False
    later = False
    for load in names.loads(stores[0]):
        parent = facts.index.parents.get(load)
        through_data = isinstance(parent, ast.Attribute) and parent.attr in (
            "data",
            "shape",
            "size",
        )
        before = load.lineno < node.lineno
        if before and not through_data:
            return False
        later = later or not (before or through_data)
    return later


def _is_of_the_caller(facts: Facts, node: ast.stmt, owner: ast.Name) -> bool:
    """Is it an argument that was computed with a graph wherever the function is called, and that
    is returned?"""
    function, value = facts.index.function_of(owner), facts.value(owner)
    if function is None or value.kind != Kind.TENSOR or value.graph < Graph.YES or value.leaf:
        return False
    if value.assumed or not value.computed or without_gradient(facts, node):
        return False
    loads = uses_in(facts).names.argument_loads(function, owner.id)
    returned = any(isinstance(facts.index.parents.get(n), ast.Return) for n in loads)
    return owner in loads and returned and facts.knows_callers(function)


def _rewritten(facts: Facts, node: ast.stmt, place: ast.Attribute) -> list[Edit]:
    """`h = ...` of the same operation, with `h` wherever `h.data` was read."""
    assert isinstance(place.value, ast.Name)
    name = place.value.id
    start, end = facts.source.span(place)
    edits: list[Edit] = []
    for read in ast.walk(node):
        match read:
            case ast.Attribute(value=ast.Name(id=owner) as inner, attr="data"):
                if owner == name and read is not place:
                    edits.append(Edit(facts.source.span(inner)[1], facts.source.span(read)[1], ""))
    match node:
        case ast.AugAssign(op=op, value=value):
            at, stop = facts.source.span(value)
            sign = facts.source.text.index(f"{_ARITHMETIC[type(op)]}=", end)
            edits.append(Edit(start, end, f"{name} = {name}"))
            edits.append(Edit(sign, sign + 2, _ARITHMETIC[type(op)]))
            loose = isinstance(value, (ast.BinOp, ast.IfExp, ast.UnaryOp))
            if loose and "(" not in facts.source.text[sign:at]:
                edits += [Edit(at, at, "("), Edit(stop, stop, ")")]
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=method) as func)):
            stop = facts.source.span(func)[1]
            edits.append(Edit(start, stop, f"{name} = {name}.{method[:-1]}"))
        case _:
            edits.append(Edit(start, end, name))
    return edits
