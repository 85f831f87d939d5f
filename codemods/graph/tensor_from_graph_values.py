"""A tensor is built from graph values with `torch.tensor`, which cuts the graph.

## What it does

Finds `torch.tensor`, `torch.as_tensor`, `torch.asarray`, `torch.Tensor`, `torch.FloatTensor` and
`x.new_tensor` given a list, tuple or comprehension of tensors that carry a graph, where something
later needs the gradient: a `backward()`, or the caller of the function that returns it. The same
for `torch.from_numpy(np.array([x.item(), ...]))`.

## Why is this bad

These constructors read each element as a plain number. The values are right, the program runs, and
no gradient reaches what the elements were computed from. torch warns once per process at most; if
`requires_grad=True` is added to silence the error at `backward()`, nothing is said at all and
nothing learns.

## Example

```python
c, s = torch.cos(self.theta), torch.sin(self.theta)
rotation = torch.tensor([[c, -s], [s, c]])
```

## Use instead

```python
c, s = torch.cos(self.theta), torch.sin(self.theta)
rotation = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
```

## Fix safety

The fix is safe where the elements surely carry a graph: values, shape and dtype stay what they
were. Elements of unknown rank are given `.reshape(())`, numbers are lifted to the dtype of the
tensors beside them, `dtype=` and `device=` move to `.to(...)`. `requires_grad=True` goes away,
unless the result is used as a leaf of its own (optimized, or asked for its `.grad`): then nothing
is reported. On a GPU the result is on the device of its elements; `torch.tensor` without `device=`
puts it on the default device.

The fix is unsafe where the elements are arguments that only may carry a graph, where the kind of an
element is not known, where the numbers were taken out of the graph by `.item()` or `float()`, or
where the result is kept in a buffer.

The fix is only shown where the result is the target of a loss function, or what log-probabilities
are multiplied by (advantages, soft targets), or what the very values in it are multiplied by
(weights of losses): constants are often meant there, and only the author knows.

Nothing is rewritten where a loop hands the result on to its next turn and every turn has a backward
pass of its own: there the cut is what keeps the turns apart.

## How it is verified

The original and the rewritten code run on the same inputs: forward values, shape and dtype must be
equal, and the gradient of the rewritten code must equal finite differences of the original.

## References

- https://github.com/pytorch/pytorch/issues/61410
- https://github.com/pytorch/pytorch/issues/155983
- https://docs.pytorch.org/docs/stable/generated/torch.stack.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.graph._casting import DATA_NAMES, casts, data_of, kept_in_buffer
from autofix.codemods.graph._intent import makes_targets
from autofix.codemods.graph._listed import is_plain_data, is_reflection, listed_in_array
from autofix.codemods.graph._only_cut import is_only_read_cut
from autofix.codemods.graph._stacking import (
    CannotStack,
    Stacker,
    element_dtypes,
    exported_tensor,
    like_what,
)
from autofix.codemods.graph._unwrapping import constant_for
from autofix.flow.constructors import CONSTRUCTORS, TYPED
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.op_dtypes import dtype_name
from autofix.flow.syntax import is_false, keyword
from autofix.flow.values import FLOATING, INTEGRAL, Graph, Kind, Value
from autofix.model import Applicability, Edit
from autofix.rewrite.nodes import expression, in_place_of, replace
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

_CALLED = CONSTRUCTORS | {"from_numpy"}
rule = Rule(__name__, code="AG101", names=_CALLED)

CARRIED = (
    "it is handed on from one turn of a loop to the next, and every turn has a backward pass of "
    "its own: without the cut it would run through the turn before again"
)
WEIGHT = "it is the weight of log-probabilities or of the values themselves: the cut may be meant"

BUFFER = "it is kept in a buffer: with a graph, that cannot be copied or saved as before"

_COUNTS = re.compile(
    r"(?:^|_)(?:ids?|ind(?:ex|ices)|positions?|lengths?|lens|sizes?|shapes?)(?:_|$)"
)
"""What integers are called, be they held by floats."""

_KEYWORDS = frozenset({"dtype", "device", "requires_grad", *DATA_NAMES})


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    called = facts.index.called_name(node)
    if called not in _CALLED or not (node.args or node.keywords):
        return
    data = data_of(node)
    if data is None or is_plain_data(data) or is_reflection(data, facts):
        return
    name = constructor_name(node, facts)
    listed, kind = listed_in_array(data, facts)
    if listed is not None and name in ("tensor", "as_tensor", "asarray", "from_numpy"):
        data, name = listed, kind
    elif name == "from_numpy":
        return
    if name is None or not facts.may_hold_tensor(data):
        return
    value = facts.value(data)
    if (
        value.kind & Kind.TENSOR  # a list on some paths only: it cannot be stacked
        or not (value.kind & Kind.SEQUENCE or _is_parameter_list(value))
        or (found := _cut(node, data, facts)) is None
    ):
        return
    graph, demand, exported = found
    if facts.used_as_leaf(node) or (demand.repeated and facts.is_target(node)):
        return
    if graph < Graph.YES and not demand.backward and makes_targets(node, facts):
        return
    elements = contents(value)
    certain = demand.backward and demand.alone and not demand.carries
    if (
        elements is not None
        and elements.kind & Kind.UNKNOWN
        and not (graph == Graph.YES or certain)
    ):
        return
    if graph < Graph.YES and not demand.backward and _COUNTS.search(facts.source.segment(data)):
        return
    floating = element_dtypes(data, facts) & FLOATING
    if (
        graph < Graph.YES
        and not certain
        and not (
            elements is not None and elements.computed and (floating or elements.why is not None)
        )
    ):
        return  # arguments or parts of them, put together again, or integers: most often data
    dtype = keyword(node, "dtype")
    if TYPED.get(name) in INTEGRAL:
        return  # labels, indices, masks
    if dtype is not None and dtype_name(facts.value(dtype)) in INTEGRAL:
        return  # raises for floating elements: whatever this is, no gradient was meant
    yield _report(node, data, name, graph, demand, exported, facts)


def _is_parameter_list(value: Value) -> bool:
    return value.kind == Kind.MODULE and value.elem is not None and value.elem.is_tensor


def constructor_name(node: ast.Call, facts: Facts) -> str | None:
    """`tensor` of `torch.tensor(...)` under any alias, or `new_tensor` of a tensor's method."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "new_tensor":
        return "new_tensor" if facts.value(node.func.value).is_tensor else None
    dotted = facts.library_name(node.func)
    if dotted is None or not dotted.startswith("torch."):
        return None
    last = dotted.rpartition(".")[2]
    return last if last in _CALLED and dotted.count(".") <= 2 else None


def _cut(
    node: ast.Call, data: ast.expr, facts: Facts
) -> tuple[Graph, Demand, ast.expr | None] | None:
    """Is a graph cut here that something needs? With the `.item()` or `float()` that cut it."""
    found = facts.needed(node)
    if found is not None:
        return (*found, None)
    for element in ast.walk(data):
        # A number taken out by hand may be a weight held constant on purpose: it counts only
        # where the backward pass has no other graph to run through, or a leaf would never learn.
        if not isinstance(element, ast.Call):
            continue
        tensor = exported_tensor(element, facts)
        if tensor is not None:
            found = facts.needed(element)
            if found is None or not found[1].backward:
                continue
            if not found[1].carries or is_only_read_cut(tensor, facts):
                return (*found, element)
    return None


def _report(
    node: ast.Call,
    data: ast.expr,
    name: str,
    graph: Graph,
    demand: Demand,
    exported: ast.expr | None,
    facts: Facts,
) -> Report:
    elements = contents(facts.value(data)) or facts.value(data)
    why = elements.why.steps() if elements.why is not None else ()
    label = f"`{facts.source.segment(node.func)}`"
    message = (
        f"{label} copies graph values as plain numbers: no gradient gets past it, "
        f"and it is needed ({demand.text}, line {demand.line})"
    )
    if demand.repeated:
        why_not = "it is made once and used by every turn of a training loop: make it inside"
        return Report(node, message, declined=why_not, why=why)
    if facts.is_carried(node):
        return Report(node, message, declined=CARRIED, why=why)
    unknown = [k.arg for k in node.keywords if k.arg not in _KEYWORDS]
    if unknown or len(node.args) > 1:
        what = f"`{unknown[0]}=`" if unknown and unknown[0] else "these arguments"
        return Report(node, message, declined=f"{what} has no counterpart in a stack", why=why)
    trusted = demand.backward and demand.alone and not demand.carries
    like, anywhere = like_what(data, facts), like_what(data, facts, exact=False)
    stacker = Stacker(facts, node, like, anywhere, element_dtypes(data, facts), trusted)
    try:
        stacked = in_place_of(stacker.stack(data), expression(facts, node))
        new = casts(stacked, node, name, exported is not None, stacker)
    except CannotStack as reason:
        return Report(node, message, declined=str(reason), why=why)
    spelled_out = is_false(keyword(node, "requires_grad"))
    buffer = kept_in_buffer(node, facts)
    by_hand = exported is not None and not (trusted and facts.is_term(exported))
    meant = by_hand or spelled_out or buffer
    safe = graph == Graph.YES and stacker.exact and not meant
    edits = [
        *replace(facts, node, new),
        *stacker.edits,
        *_unsilenced(node, facts),
        *(edit for read in facts.arrays(node) for edit in constant_for(facts, read)),
    ]
    note = None if safe else _note(graph, by_hand, spelled_out)
    note = BUFFER if buffer else note
    tier = Applicability.SAFE if safe else Applicability.UNSAFE
    if facts.is_weight(node):
        tier, note = Applicability.DISPLAY, WEIGHT
    elif facts.is_target(node):
        tier, note = Applicability.DISPLAY, "it is the target of a loss: the stop may be meant"
    return Report(node, message, fix=fix(tier, *edits), why=why, note=note)


def _note(graph: Graph, exported: bool, spelled_out: bool) -> str:
    if spelled_out:
        return "`requires_grad=False` is spelled out: the cut may be meant"
    if exported:
        return "the numbers were taken out of the graph by hand; keeping them in changes training"
    if graph < Graph.YES:
        return "the elements are arguments that may carry a graph"
    return "the kind of an element is not certain"


def _unsilenced(node: ast.Call, facts: Facts) -> list[Edit]:
    """`x.requires_grad = True` raises once x has a graph, so these statements go."""
    return [
        edit
        for target in facts.silencers(node)
        if (edit := remove_statement(facts, target)) is not None
    ]
