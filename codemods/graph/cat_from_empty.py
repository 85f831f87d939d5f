"""A tensor with a graph grows by `torch.cat` from an empty one, once in every turn of a loop.

## What it does

Finds `out = torch.tensor([])` (or `torch.empty(0)`, `torch.Tensor()`) followed by a loop that does
`out = torch.cat((out, row))`, where `row` carries a graph.

## Why is this bad

The gradient is right, but every turn copies all rows again and keeps the copy for the backward
pass: time and memory grow with the square of the number of rows. The empty tensor has a dtype and a
device as well: it is float32 on the CPU, so that rows of float16 or of integers come out as
float32, and rows on a GPU raise.

## Example

```python
out = torch.tensor([])
for row in x:
    out = torch.cat((out, (row / row.sum()).unsqueeze(0)))
```

## Use instead

```python
out = []
for row in x:
    out.append((row / row.sum()).unsqueeze(0))
out = torch.cat(out)
```

## Fix safety

Only shown. The gradient does not need it; the dtype of the empty tensor may be wanted, and
`torch.cat` of a list without tensors raises where the loop gave an empty tensor.

Where the empty tensor is a leaf that grows by `out.data = torch.cat((out.data, row.data))`, nothing
before it gets a gradient. That the leaf becomes a plain tensor, and the rows keep their graph, is
unsafe: more is trained then.

Nothing is said of data: rows without a graph, metrics and predictions that are collected.

## How it is verified

Not at all: it is never written.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.cat.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._unwrapping import argument_removed, unwrapped
from autofix.flow.facts import Facts
from autofix.flow.syntax import is_true, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG108", names=("cat", "concat", "concatenate"))

_CAT = frozenset({"torch.cat", "torch.concat", "torch.concatenate"})
_MAKERS = frozenset({"torch.tensor", "torch.Tensor", "torch.FloatTensor", "torch.empty"})
_LEAF = "what is collected keeps its graph; the leaf and its gradient are gone"
_NOTE = "its gradient is right; the dtype of the empty tensor may be wanted"


@rule.visit(ast.Assign)
def check(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name) as target],
            value=ast.Call(
                args=[
                    ast.Tuple(elts=[ast.Name(id=same), row])
                    | ast.List(elts=[ast.Name(id=same), row]),
                    *_,
                ]
            ) as call,
        ) if name == same:
            pass
        case _:
            return
    loop = next(iter(facts.index.loops_around(node)), None)
    if loop is None or facts.library_name(call.func) not in _CAT:
        return
    start = _start(target, loop, facts)
    value = facts.value(row) if start is not None else None
    if start is None or value is None or not value.is_tensor or value.graph < Graph.YES:
        return
    message = f"`{name}` grows by `torch.cat` from an empty tensor: every turn copies all of it"
    edits = _edits(node, target, start, loop, facts)
    yield Report(call, message, fix=fix(Applicability.DISPLAY, *edits), note=_NOTE)


@rule.visit(ast.Assign)
def check_data(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`out.data = torch.cat((out.data, row.data))`: a leaf that only looks as if it had a graph."""
    match node:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name() as target, attr="data") as written],
            value=ast.Call(args=[(ast.Tuple() | ast.List()) as parts, *_]) as call,
        ):
            pass
        case _:
            return
    loop = next(iter(facts.index.loops_around(node)), None)
    start = _start(target, loop, facts) if loop is not None else None
    if start is None or facts.library_name(call.func) not in _CAT or len(parts.elts) != 2:
        return
    made = start.value
    reads = uses_in(facts).names.all_loads(target)
    used = {getattr(facts.index.parents.get(read), "attr", None) for read in reads}
    grown, row = parts.elts
    value = facts.value(_alive(row))
    if (
        not isinstance(made, ast.Call)
        or not is_true(keyword(made, "requires_grad"))
        or ast.unparse(_alive(grown)) != target.id
        or not (value.is_tensor and value.graph == Graph.YES)
        or used & {"grad", "retain_grad", "register_hook"}
    ):
        return
    edits = [*argument_removed(facts, made, "requires_grad"), *unwrapped(facts, written, target)]
    for part in (grown, row):
        if _alive(part) is not part:
            edits += unwrapped(facts, part, _alive(part))
    message = f"`{target.id}` is a leaf that takes values through `.data`: no gradient gets past it"
    yield Report(node, message, fix=fix(Applicability.UNSAFE, *edits), note=_LEAF)


def _alive(node: ast.expr) -> ast.expr:
    """`x` of `x.data` and `x.detach()`."""
    match node:
        case ast.Attribute(value=inner, attr="data"):
            return inner
        case ast.Call(func=ast.Attribute(value=inner, attr="detach"), args=[]):
            return inner
    return node


def _start(target: ast.Name, loop: ast.stmt, facts: Facts) -> ast.Assign | None:
    """`out = torch.tensor([])`, the last statement before the loop, in its block, that binds it."""
    block = facts.index.block_of(loop)
    for statement in reversed(block[: block.index(loop)]):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as made):
                if name == target.id:
                    return statement if _is_empty(made, facts) else None
    return None


def _is_empty(call: ast.Call, facts: Facts) -> bool:
    name = facts.library_name(call.func)
    if name not in _MAKERS:
        return False
    match call.args:
        case []:
            return name != "torch.empty"
        case [ast.List(elts=[])]:
            return True
        case [ast.Constant(value=0), *_]:
            return name != "torch.tensor"
        case [ast.Tuple(elts=[ast.Constant(value=0), *_])] | [
            ast.List(elts=[ast.Constant(value=0)])
        ]:
            return name == "torch.empty"
    return False


def _edits(
    node: ast.Assign, target: ast.Name, start: ast.Assign, loop: ast.stmt, facts: Facts
) -> tuple[Edit, ...]:
    """A list, filled in the loop and put together behind it; nothing if the loop reads it."""
    source, call = facts.source, node.value
    assert isinstance(call, ast.Call) and isinstance(call.args[0], (ast.Tuple, ast.List))
    inside = {n for n in ast.walk(loop) if isinstance(n, ast.Name) and n.id == target.id}
    made = isinstance(start.value, ast.Call) and start.value.keywords
    lines = source.text.count("\n", *source.span(node))
    if len(inside) > 2 or made or lines or getattr(loop, "orelse", None):
        return ()
    if any(n for n in uses_in(facts).names.all_loads(target) if n.lineno < loop.lineno):
        return ()
    row = source.segment(call.args[0].elts[1])
    rest = "".join(f", {source.segment(a)}" for a in call.args[1:])
    rest += "".join(f", {k.arg}={source.segment(k.value)}" for k in call.keywords)
    at = source.span(loop)[1]
    indent = " " * loop.col_offset
    behind = f"\n{indent}{target.id} = {source.segment(call.func)}({target.id}{rest})"
    return (
        Edit(*source.span(start.value), "[]"),
        Edit(*source.span(node), f"{target.id}.append({row})"),
        Edit(at, at, behind),
    )
