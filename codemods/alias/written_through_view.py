"""A slice or view is taken for a copy, and the memory that it shares is written.

## What it does

Finds `part = x[:4]`, `flat = x.view(-1)` and the like where `x` is then written in place (or
trained), and `part` is read together with `x`, as if it still held the old values. Also
`a.weight.data = b.weight.data[:n]`, which makes two parameters share memory, and
`history.append(x)` in a loop that writes `x` in place, which keeps the same memory many times; and
functions that write into an argument and return it, where the caller hands in the same tensor again
in each epoch; and `xb = x[i : i + k]` with `xb /= 255` in a training loop that comes to the same
data again, be it in a function, a method or a `forward`; and `x = self.data[i]` with `x.mul_(gain)`
in a `__getitem__`.

## Why is this bad

Basic indexing, `view`, `transpose`, `.data` and `.detach()` share memory. What was kept to be
compared or swapped has changed by the time it is read: a difference is zero, a swap makes two equal
halves, two layers are trained as one.

## Example

```python
top = w.data[:half]
w.data[:half] = w.data[half:]
w.data[half:] = top
```

## Use instead

```python
top = w.data[:half].clone()
w.data[:half] = w.data[half:]
w.data[half:] = top
```

## Fix safety

The fix adds `.clone()`. It is safe where an optimizer changes the tensor and the part is then
compared with it. It is unsafe where the program itself writes into the tensor, and where parameters
would no longer share memory: a reader may have meant that. Views that are written on purpose
(`out[:, :k] = ...`) and those that are not read after the write are left alone, as is a state that
goes on from turn to turn: what is filled anew, what other values are added to, what began as zeros
or ones.

## How it is verified

Both versions run on the same inputs. What was kept must be what it was before the write.

## References

- https://docs.pytorch.org/docs/stable/tensor_view.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.alias._aliases import aliases_in
from autofix.codemods.alias._argument_written import argument_written
from autofix.codemods.alias._history import written_in_turns
from autofix.codemods.alias._items import item_written
from autofix.codemods.alias._rewritten import rewritten
from autofix.codemods.alias._stale import stale
from autofix.codemods.alias._weights import Of
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in
from autofix.model import Applicability, Edit
from autofix.rewrite.statements import insert_before
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG401")


@rule.visit(ast.Assign)
def check(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    for alias in aliases_in(facts, node):
        if alias.of != Of.PART:
            continue
        found = stale(facts, alias)
        if found is None:
            continue
        held = facts.source.segment(alias.holder)
        message = (
            f"`{held}` shares the memory of `{alias.base}`, which line {found.write.lineno} "
            f"writes before it is read as what it was (line {found.read.lineno})"
        )
        trained = ".step(" in ast.unparse(found.write)
        tier = Applicability.SAFE if trained else Applicability.UNSAFE
        parts = [alias.node, *_companions(node, alias.base, found.write, facts)]
        ends = [facts.source.span(part)[1] for part in parts]
        edits = [Edit(end, end, ".clone()") for end in ends]
        yield Report(node, message, fix=fix(tier, *edits))


def _companions(node: ast.Assign, base: str, write: ast.stmt, facts: Facts) -> list[ast.expr]:
    """`b = a[n - j]` beside `c = a[j]`: where the indices meet, both are what the write changes."""
    block = facts.index.block_of(node)
    before = block[: block.index(write)] if write in block else []
    found: list[ast.expr] = []
    for other in before:
        match other:
            case ast.Assign(
                targets=[ast.Name() as name], value=ast.Subscript(value=whole, slice=index) as part
            ) if other is not node and ast.unparse(whole) == base:
                loads = uses_in(facts).names.all_loads(name)
                read = any(load.lineno > write.lineno for load in loads)
                if read and not isinstance(index, (ast.Constant, ast.Slice, ast.Tuple)):
                    found.append(part)
    return found


@rule.visit(ast.Assign)
def check_shared(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`a.weight.data = b.weight.data[:n]`"""
    mine, other = _weight(node.targets[0]), None
    if isinstance(node.value, ast.Subscript) and isinstance(node.value.slice, ast.Slice):
        other = _weight(node.value.value)
    if mine is None or other is None or ast.unparse(mine) == ast.unparse(other):
        return
    if _is_replaced(node, other, facts):
        return
    first, second = facts.source.segment(mine), facts.source.segment(other)
    message = f"`{first}` and `{second}` share memory from now on: training one trains both"
    end = facts.source.span(node.value)[1]
    yield Report(node, message, fix=fix(Applicability.UNSAFE, Edit(end, end, ".clone()")))


@rule.visit(ast.Call)
def check_history(node: ast.Call, facts: Facts) -> Iterator[Report]:
    """`path.append(x)` and `x += step` in one loop."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="append", value=ast.Name() as listed), args=[kept], keywords=[]
        ):
            found = written_in_turns(facts, node, listed, kept)
        case _:
            return
    if found is None:
        return
    message = (
        f"`{listed.id}` gets the same memory in every turn, and line {found.lineno} writes it: "
        f"all of its elements end up as the last one"
    )
    end = facts.source.span(kept)[1]
    yield Report(node, message, fix=fix(Applicability.UNSAFE, Edit(end, end, ".clone()")))


@rule.visit(ast.FunctionDef)
def check_argument(node: ast.FunctionDef, facts: Facts) -> Iterator[Report]:
    """`def corners(boxes): boxes[:, 2:] += boxes[:, :2]; return boxes`"""
    found = argument_written(facts, node)
    if found is None:
        return
    name = found.argument
    message = (
        f"`{name}` is the caller's own tensor, which is written here, and which the caller uses "
        f"again as if it had stayed (line {found.call.lineno})"
    )
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    edit = insert_before(facts, first, f"{name} = {name}.clone()")
    yield Report(found.statement, message, fix=fix(Applicability.UNSAFE, edit))


@rule.visit(ast.FunctionDef)
def check_item(node: ast.FunctionDef, facts: Facts) -> Iterator[Report]:
    """`def __getitem__(self, i): x = self.data[i]; x.mul_(gain); return x`"""
    found = item_written(facts, node)
    if found is None:
        return
    message = (
        f"`{found.name}` is the memory of `{facts.source.segment(found.kept)}`: each access "
        "changes the data that the next one gets"
    )
    end = facts.source.span(found.kept)[1]
    yield Report(found.write, message, fix=fix(Applicability.UNSAFE, Edit(end, end, ".clone()")))


@rule.visit(ast.AugAssign, ast.Assign, ast.Expr)
def check_rewritten(node: ast.AugAssign | ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    """`xb = x[i : i + k]`, `xb /= 255`, once more in each epoch."""
    found = rewritten(facts, node)
    if found is None:
        return
    function = facts.index.function_of(node)
    if isinstance(function, ast.FunctionDef) and argument_written(facts, function) is not None:
        return
    message = (
        f"`{found.name}` is the memory of data that outlives the turn: each turn of the loop in "
        f"line {found.loop.lineno} changes what the turn before has left"
    )
    yield Report(node, message, fix=fix(Applicability.UNSAFE, *found.edits))


def _is_replaced(node: ast.Assign, weight: ast.Attribute, facts: Facts) -> bool:
    """Does another layer take the place of the one that gives the memory: `model.last = new`?"""
    layer, block = ast.unparse(weight.value), facts.index.block_of(node)
    later = (s for s in block[block.index(node) + 1 :] if isinstance(s, ast.Assign))
    return any(ast.unparse(target) == layer for s in later for target in s.targets)


def _weight(node: ast.expr) -> ast.Attribute | None:
    """`a.weight` of `a.weight.data`."""
    match node:
        case ast.Attribute(attr="data", value=ast.Attribute(attr="weight" | "bias") as weight):
            return weight
    return None
