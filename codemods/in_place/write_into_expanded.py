"""A tensor is written whose elements share memory because it was expanded.

## What it does

Finds in-place writes into what `expand`, `expand_as` or `broadcast_to` gave, or a view of it, where
the tensor carries a graph, or the expansion is sure.

## Why is this bad

`expand` copies nothing: all the copies are one memory. Writing the whole raises "unsupported
operation: more than one element of the written-to tensor refers to a single memory location".
Writing a single row does not raise, but changes all the others with it.

## Example

```python
q = torch.tanh(self.query).expand(n, -1)
q += self.slot
```

## Use instead

```python
q = torch.tanh(self.query).expand(n, -1).clone()
q += self.slot
```

## Fix safety

The fix is safe where the expansion is sure and the write reaches elements that share memory, which
raises. It is unsafe where the sizes are not known (without an expansion the original tensor changed
as well), and where a single row or element is written, since values change then.

## How it is verified

The original raises, or is compared with what separate memory gives; the gradient of the rewritten
code is compared with the one that is worked out by hand.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
- https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.in_place._broken import EXPANDED, Broken, diagnose, shown
from autofix.codemods.in_place._kept import cloned
from autofix.codemods.in_place._out_of_place import out_of_place
from autofix.codemods.in_place._places import NAMES, NODES, TRIGGER, Place, places
from autofix.codemods.in_place._private import is_private
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import is_none
from autofix.flow.unit import is_foreign
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG207", names=NAMES, trigger=TRIGGER)
_TOLERATED = frozenset({"fill_", "zero_", "masked_fill_", "index_fill_", "index_put_"})
_TOLERATED |= {"fill_diagonal_", "tril_", "triu_"}
"""What writes into shared memory without an error."""


@rule.visit(*NODES)
def check(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Report]:
    for place in places(node, facts):
        broken = diagnose(place, facts)
        if broken is None or broken.kind != EXPANDED:
            continue
        makers = sorted(broken.write.expanded, key=lambda n: getattr(n, "lineno", 0))
        calls = [n for n in makers if isinstance(n, ast.Call)]
        spread = all(_spreads(call, facts) for call in calls)
        if facts.value(place.base).graph == Graph.NO and not spread:
            continue
        yield _report(broken, calls, spread, facts)


def _report(broken: Broken, calls: list[ast.Call], spread: bool, facts: Facts) -> Report:
    place = broken.place
    base, maker = shown(place.base, facts), calls[0]
    message = (
        f"`{base}` is written in place, but `{last_name(maker.func)}` (line {maker.lineno}) gave "
        "several of its elements the same memory"
    )
    raises = spread and _is_refused(place)
    tier = Applicability.SAFE if raises else Applicability.UNSAFE
    note = None if raises else "elements that changed together until now change one by one"
    try:
        edits = _edits(broken, calls, facts)
    except DeclinedError as declined:
        return Report(place.node, message, declined=str(declined), why=broken.why(facts))
    return Report(place.node, message, fix(tier, *edits), why=broken.why(facts), note=note)


def _edits(broken: Broken, calls: list[ast.Call], facts: Facts) -> list[Edit]:
    """`.clone()` where the memory is spread; a new tensor where it is written if that was one of
    several results."""
    if not any(map(is_foreign, calls)) and all(facts.value(call).is_tensor for call in calls):
        return [edit for call in calls for edit in cloned(call, facts)]
    if is_private(broken.place, broken.write, facts):
        return out_of_place(broken.place, facts)
    raise DeclinedError("other names share the memory, and would no longer see the change")


def _is_refused(place: Place) -> bool:
    """Does torch refuse the write, as it reaches elements that share memory? (One row may well be
    written, and all the others are with it.)"""
    name = last_name(place.node.func) if isinstance(place.node, ast.Call) else None
    if name in _TOLERATED:
        return False
    if not isinstance(place.target, ast.Subscript):
        return True
    first = place.target.slice
    if isinstance(first, ast.Tuple):
        first = first.elts[0]
    return isinstance(first, ast.Slice) or (isinstance(first, ast.Constant) and first.value is ...)


def _spreads(call: ast.Call, facts: Facts) -> bool:
    """Does it surely make one element stand for several?"""
    method = isinstance(call.func, ast.Attribute)
    source = call.func.value if isinstance(call.func, ast.Attribute) else call
    if method and facts.library_name(call.func) is not None:
        source = call.args[0] if call.args else call
    before, after = facts.value(source).shape, facts.value(call).shape
    if before is not None and after is not None:
        if len(before) < len(after):
            return any(size != 1 for size in after[: len(after) - len(before)])
        return any(a == 1 and b != 1 for a, b in zip(before, after, strict=True))
    match source:
        case ast.Call(func=ast.Attribute(attr="unsqueeze")):
            return True
        case ast.Subscript(slice=index):
            return any(is_none(n) for n in ast.walk(index))
    return False
