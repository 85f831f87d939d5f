"""The rows of a tensor are normalised in place, one by one, and backward needs what they were.

## What it does

Finds `for` and `while` loops that replace each row (or column, or head) of a tensor by a function
of that row, such as `x[i] = x[i] / x[i].sum()`, where the tensor carries a graph, something later
needs the gradient, and autograd has kept memory that the loop overwrites.

## Why is this bad

The forward values are right. But division, `norm()`, `max()` and many others keep their input for
the backward pass, and `exp`, `tanh`, `relu` or `softmax` their result. Writing a row changes that
memory, and `backward()` ends with "one of the variables needed for gradient computation has been
modified by an inplace operation".

## Example

```python
scores = torch.exp(self.query(x) @ self.key(x).t())
for i in range(scores.shape[0]):
    scores[i] = scores[i] / scores[i].sum()
```

## Use instead

```python
scores = torch.exp(self.query(x) @ self.key(x).t())
scores = scores / scores.sum(dim=1, keepdim=True)
```

## Fix safety

The fix is safe where the tensor surely carries a graph. Where its number of dimensions is known,
the loop becomes one expression with the right `dim` and `keepdim=True`; batched sums may differ
from those of single rows in the last bit. Where it is not known, the rows are computed as before
and stacked, which is equal to the last bit: `scores = torch.stack([row / row.sum() for row in
scores])`. (A tensor without any rows cannot be stacked.) Rows that the loop does not visit are
kept: `torch.cat([x[:n] / ..., x[n:]])`.

The fix is unsafe where the tensor only may carry a graph, where the shape or dtype of another
tensor in the loop is not known, where a `detach()` or `item()` in the loop stops a gradient, and
where the tensor is an argument: the caller's own tensor is no longer changed.

A loop is reported without a fix if its rows depend on each other (a recurrence, Gram-Schmidt), if
it does anything else (`if`, `break`, `print`, random numbers), if another name, a container, an
attribute or the caller sees the rows change, if its variables are used after it, and if the tensor
is a leaf, into which nothing may be written.

A loop for which backward is right as it stands is not reported: `x[i] /= x[i].sum()` on a fresh
result keeps a copy, and `x[i] - x[i].mean()` needs nothing.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must agree, and the
gradient of the rewritten code must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
- https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html#batched-computations-or-slice-computations
- https://github.com/pytorch/pytorch/issues/15803
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.in_place import _row_sight as sight
from autofix.codemods.in_place._aside import works_on_data
from autofix.codemods.in_place._evaluation import is_for_evaluation
from autofix.codemods.in_place._row_body import (
    Base,
    Nest,
    base_of,
    indices,
    inner_nodes,
    mentions_index,
    stores_in,
    understand,
)
from autofix.codemods.in_place._row_header import DeclinedError, names_of, rows_of
from autofix.codemods.in_place._row_reads import outside_reads
from autofix.codemods.in_place._row_text import Writer, replacement
from autofix.codemods.in_place._row_value import RowValue
from autofix.codemods.in_place._row_writes import row_writes
from autofix.codemods.in_place._screen import is_reshaped_slot
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.syntax import unsubscripted
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG201", trigger=r"\]\s*=(?!=)|[-+*/]=|_\(")

_CALLER = "the tensor that is passed in is no longer changed, only the one that comes back is new"


@rule.visit(ast.For, ast.While)
def check(loop: ast.For | ast.While, facts: Facts) -> Iterator[Report]:
    from autofix.codemods.in_place._report import mended_inside

    for report in found(loop, facts):
        if report.fix is not None or not mended_inside(loop, facts):
            yield report


def found(loop: ast.For | ast.While, facts: Facts) -> Iterator[Report]:
    """The same, whatever other rules would do with the writes in the loop."""
    if is_for_evaluation(loop, facts):
        return
    for written in (*_numbered(loop, facts), *_named(loop, facts)):
        shown = facts.source.segment(written.base.node)
        steps = written.base.value.why.steps() if written.base.value.why is not None else ()
        demand = written.demand
        why = (*steps, f"{demand.text} (line {demand.line})") if demand is not None else steps
        yield _report(loop, written, shown, why, facts)
        return


@dataclass(frozen=True, slots=True)
class _Written:
    """A tensor whose rows are overwritten though autograd has kept them; without a demand, the
    write itself raises."""

    base: Base
    graph: Graph
    demand: Demand | None


def _numbered(loop: ast.For | ast.While, facts: Facts) -> Iterator[_Written]:
    """`x[i] = x[i] / x[i].sum()`"""
    names = names_of(loop)
    targets = [
        target
        for target in (stores_in(loop, names) if names else ())
        if _is_read(target, loop) and not is_reshaped_slot(target, facts)
    ]
    if not targets or any(mentions_index(t, _outer_names(loop, facts)) for t in targets):
        return
    for target in targets:
        base = base_of(target, names, facts)
        write = facts.write(target) if base is not None else None
        if base is None or write is None or not write.overwrites or write.expanded:
            continue  # (each write into spread memory changes the other rows as well: AG207)
        if facts.value(target).graph == Graph.NO:
            continue  # data is written: a fill, or an array that becomes a tensor
        need = facts.needed(target)
        if need is None or not _reads_its_row(target, base, loop):
            continue
        graph, demand = need
        if graph == Graph.YES or demand.backward or not works_on_data(loop, facts):
            yield _Written(base, graph, demand)


def _named(loop: ast.For | ast.While, facts: Facts) -> Iterator[_Written]:
    """`for row in x: row /= row.sum()`"""
    rows = rows_of(loop)
    for node in loop.body if rows else ():
        for row, over in rows.items():
            for target, _, _ in row_writes(node, row)[:1]:
                if not facts.may_hold_tensor(over):
                    continue
                write, value = facts.write(target), facts.value(over)
                known = write is not None and value.is_tensor and not value.leaf
                if write is None or not known or write.expanded or write.leaf:
                    continue
                if write.parted and value.graph == Graph.YES:
                    need = facts.needed(target)
                    yield _Written(Base(over, ast.dump(over), value), Graph.YES, need and need[1])


def _report(
    loop: ast.For | ast.While,
    written: _Written,
    shown: str,
    why: tuple[str, ...],
    facts: Facts,
) -> Report:
    message = (
        f"the rows of `{shown}` are overwritten in a loop although autograd has kept them: "
        "`backward()` raises"
    )
    if written.demand is None:
        message = f"the rows of `{shown}` are views made all at once, and writing into one raises"
    try:
        sight.check_leaf(written.base, shown)
        nest = understand(loop, facts)
        applicability, note = _tier(nest, written.graph, facts)
        edits: list[Edit] = []
        statements, unsure = _statements(nest, edits, facts)
        if unsure:
            applicability = Applicability.UNSAFE
        edits.append(replacement(nest, statements, facts))
    except DeclinedError as declined:
        return Report(loop, message, declined=str(declined), why=why)
    return Report(loop, message, fix(applicability, *edits), why=why, note=note)


def _tier(nest: Nest, graph: Graph, facts: Facts) -> tuple[Applicability, str | None]:
    """How far the fix can be trusted; raises if someone else sees the rows change."""
    sight.check_names_after(nest, facts)
    safe, note = graph == Graph.YES, None
    for base in {store.base.code: store.base for store in nest.stores}.values():
        sight.check_binding(base, nest, facts)
        sight.check_aliases(base, nest, facts)
        argument = sight.argument_written(base, nest, facts)
        if argument is not None and not sight.check_caller(argument, base, nest, facts):
            safe, note = False, _CALLER
    return (Applicability.SAFE if safe else Applicability.UNSAFE), note


def _statements(nest: Nest, edits: list[Edit], facts: Facts) -> tuple[list[str], bool]:
    """The new statements, with the imports they need added to `edits`."""

    def torch(name: str) -> str:
        spelling = spell(facts, f"torch.{name}", nest.loop)
        edits.extend(edit for edit in spelling.edits if edit not in edits)
        return spelling.code

    statements: list[str] = []
    unsure = False
    for store in nest.stores:
        other = next(outside_reads(nest, store), None)
        if other is not None:
            shown = facts.source.segment(other)
            raise DeclinedError(f"all of `{shown}` is read while its rows change")
        value = RowValue(facts, nest, store)
        value.check()
        statements.append(Writer(value, torch).statement())
        unsure = unsure or value.unsure
    return statements, unsure


def _outer_names(loop: ast.stmt, facts: Facts) -> set[str]:
    """What the loops around this one count with."""
    found: set[str] = set()
    for owner in facts.index.loops_around(loop):
        found |= names_of(owner)
    return found


def _is_read(target: ast.Subscript, loop: ast.For | ast.While) -> bool:
    """Is the tensor mentioned more than by this one store? (Cheap; no facts.)"""
    root = unsubscripted(target)
    if not isinstance(root, (ast.Name, ast.Attribute)):
        return False
    code = ast.dump(root)
    return any(
        node is not root and type(node) is type(root) and ast.dump(node) == code
        for node in inner_nodes(loop)
    ) or any(isinstance(n, ast.AugAssign) and n.target is target for n in inner_nodes(loop))


def _reads_its_row(target: ast.Subscript, base: Base, loop: ast.For | ast.While) -> bool:
    """Is the element that is written also read? (Else the loop fills, and normalises nothing.)"""
    written = [ast.dump(part) for part in indices(target, base) or ()]
    for node in inner_nodes(loop):
        if isinstance(node, ast.AugAssign) and node.target is target:
            return True
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            index = indices(node, base)
            if index and [ast.dump(part) for part in index[: len(written)]] == written:
                return True
    iterated = loop.iter if isinstance(loop, ast.For) else loop.test
    counted = isinstance(iterated, ast.Call) and getattr(iterated.func, "id", "") != "range"
    return counted and any(
        ast.dump(n) == base.code for n in ast.walk(iterated) if isinstance(n, ast.expr)
    )
