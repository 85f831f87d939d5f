"""A value leaves the graph as a number, an array or a constant, and comes back into the loss.

## What it does

Finds `x.item()`, `float(x)`, `x.tolist()` and `x.detach().numpy()` where the number or array ends
in a tensor again (arithmetic with a tensor, `torch.tensor`, `torch.from_numpy`) on the way from
parameters to a loss, through names, lists, loops, `math.*` and `numpy.*`, and functions of the
file. Finds `x.detach()`, `x.data` and `Variable(x)` where the constant is all of what a backward
pass runs through, or a term of it, where a parameter is read in no other way, and where a loop
gathers results and each turn cuts off those of the turns before
(`outs = torch.cat([outs.detach(), out])`).

## Why is this bad

Autograd records operations on tensors only. What was a Python number, an array or a detached copy
on the way has the right value and no history: everything before it stops learning, and nothing is
said.

## Example

```python
kl = (-0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()).item()
loss = reconstruction + beta * kl
loss.backward()
```

## Use instead

```python
kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum()
loss = reconstruction + beta * kl
loss.backward()
```

## Fix safety

The value stays a tensor: the export goes, constructors that read it go, `math.*` and `numpy.*` on
the way become `torch.*`. Where it is printed, logged, kept in a history or returned for that, the
export is made there. The fix is safe where what was cut is all that a backward pass runs through,
or a term of it, and where a parameter has no other read: there no constant can be meant. It is
unsafe where the value is a factor or goes through other operations: the constant may be meant, and
more is trained without it. It is only shown where the value is a target, or weighs
log-probabilities or the very values it is made of, or is computed by layers that have no gradient
on another way: perhaps they are not to learn.

Nothing is rewritten where a step on the way has no counterpart in torch, where another file takes
the number for one, where the value is made once and used by every turn of a training loop, and
where it is handed on from turn to turn.

## How it is verified

Both versions run on the same inputs: values must be equal up to rounding (Python computes in
double precision), and the gradient of the new version must equal finite differences of the
original.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.item.html
- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from autofix.codemods.graph._exports import Export, Form, export_at
from autofix.codemods.graph._gathered import is_gathered
from autofix.codemods.graph._habits import (
    is_meant_number,
    is_old,
    is_old_habit,
    is_own_scale,
    is_part_of_weight,
    is_state,
    says_enough,
)
from autofix.codemods.graph._intent import (
    in_loss_function,
    is_dead_loss,
    is_handed_on,
    is_made_number,
    is_wanted,
    names_constant,
)
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._lifting import Lift
from autofix.codemods.graph._number_uses import needs_number
from autofix.codemods.graph._only_cut import is_only_read_cut, never_learns
from autofix.codemods.graph._only_hard import only_stopped
from autofix.codemods.graph._optimized import comes_from_untrained, has_own_optimizer
from autofix.codemods.graph._reasons import ABROAD, CARRIED, IDLE, REPEATED, TARGET, WEIGHT
from autofix.codemods.graph._stops import freed, is_written, stopped, tidied
from autofix.codemods.modules._settings import is_left_out
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.unit import is_foreign
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix
from autofix.source import Line

_CALLED = frozenset({"item", "tolist", "numpy", "detach", "float", "array", "asarray", "Variable"})
rule = Rule(
    __name__,
    code="AG105",
    names=_CALLED | {"data"},
)

CHANGES = "the stop may be meant; with the fix more is trained"


@rule.visit(ast.Attribute)
def check_attribute(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    read = node.attr == "data" and isinstance(node.ctx, ast.Load)
    if read and last_name(node.value) != "utils":  # `torch.utils.data`
        yield from _check(node, facts)


@rule.visit(ast.Call)
def check_call(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if node.args and isinstance(node.args[0], ast.Constant):
        return  # `float("inf")`
    if last_name(node.func) in _CALLED and (node.args or isinstance(node.func, ast.Attribute)):
        yield from _check(node, facts)


def _check(node: ast.expr, facts: Facts) -> Iterator[Report]:
    source = stopped(node, facts)
    export = export_at(node, facts)
    tensor = export.source if export is not None else source
    if tensor is None or not facts.may_hold_tensor(tensor):
        return
    found = facts.needed(node)
    wrappers = facts.rewraps(node)
    if found is None or facts.used_as_leaf(node) or not all(is_foreign(w) for w in wrappers):
        return
    if comes_from_untrained(tensor, facts) or is_left_out(facts, node):
        return
    surely = Kind.TENSOR if export is not None else Kind.TENSOR | Kind.UNKNOWN
    if not facts.value(tensor).kind & surely:
        return
    if export is not None:
        reports: Iterable[Report] = _exported(node, export, found, facts)
    else:
        assert source is not None
        reports = _stopped(node, source, found, facts) if not is_written(node, facts) else ()
    for report in reports:
        yield _with_wrappers(report, wrappers)


def _with_wrappers(report: Report, wrappers: list[ast.AST]) -> Report:
    """Another file makes a leaf of the loss, which hid the cut and is of no use without it."""
    numbers = [getattr(node, "lineno", None) for node in wrappers if not _only_marks(node)]
    lines = [line for line in numbers if isinstance(line, Line)]
    if report.fix is None or not lines:
        return report
    note = f"the leaf that is made of the loss (line {lines[0]}) has to go as well"
    along = frozenset(line.path for line in lines)
    return replace(report, fix=replace(report.fix, along=along), note=note)


def _only_marks(node: ast.AST) -> bool:
    """`loss.requires_grad_()` does nothing to what has a graph."""
    return isinstance(node, ast.Call) and last_name(node.func) == "requires_grad_"


def _exported(
    node: ast.expr, export: Export, found: tuple[Graph, Demand], facts: Facts
) -> Iterator[Report]:
    graph, demand = found
    term = facts.is_term(node) or demand.is_sole
    if not term and not _matters(node, export, graph, demand, facts):
        return
    if not term and (has_own_optimizer(export.source, facts) or is_meant_number(export, facts)):
        return
    message = _message(export.whole, demand, facts)
    why = _why(export.source, facts)
    if demand.repeated or facts.is_carried(node):
        if term and (demand.repeated or demand.is_sole):
            reason = REPEATED if demand.repeated else CARRIED
            yield Report(export.whole, message, declined=reason, why=why)
        return
    lift = Lift(facts, export, demand.backward)
    try:
        way = lift.run()
    except CannotLift as refusal:
        if term or (graph == Graph.YES and not facts.is_target(node)):
            yield Report(export.whole, message, declined=str(refusal), why=why)
        return
    if not way.joined:
        if facts.is_term(node) and demand.backward and isinstance(demand.line, Line):
            yield Report(export.whole, message, declined=ABROAD, why=why)
        return
    idle = demand.backward and never_learns(node, export.source, facts)
    certain = (term or idle) and (graph == Graph.YES or not demand.carries)
    tier, note = _tier(node, certain and lift.exact, term, facts)
    edits = tidied(list(way.edits), facts)
    yield Report(export.whole, message, fix=fix(tier, *edits), why=why, note=note)


def _matters(node: ast.expr, export: Export, graph: Graph, demand: Demand, facts: Facts) -> bool:
    """Is the number or array on the way to a loss, as far as this file tells?"""
    if names_constant(export.whole, facts) or not is_wanted(demand, node, facts):
        return False
    if graph < Graph.YES and (export.is_bare or is_made_number(node, export.source, facts)):
        return False
    if graph == Graph.YES:
        return True
    if facts.value(export.source).why is None:
        return in_loss_function(node, facts)  # nobody can tell where a graph might come from
    return demand.backward or (export.form == Form.ARRAY and demand.carries)


def _stopped(
    node: ast.expr, source: ast.expr, found: tuple[Graph, Demand], facts: Facts
) -> Iterator[Report]:
    demand = found[1]
    if says_enough(node, source, found, facts):
        return
    whole = demand.is_sole or (facts.is_term(node) and not demand.carries)
    term = (
        whole
        or facts.is_term(node)
        or (facts.is_term_of_result(node) and in_loss_function(node, facts))
    )
    gathered = is_gathered(node, source, demand, facts)
    if not (whole or gathered) and is_handed_on(node, facts):
        return
    dead = not term and is_dead_loss(node, facts)
    untrained = is_wanted(demand, node, facts) and is_only_read_cut(source, facts)
    scale = is_own_scale(node, source, facts)
    known = term or dead or untrained or scale or gathered
    if not known and not (
        is_old_habit(node, source, found, facts) and not has_own_optimizer(source, facts)
    ):
        yield from _of_idle_layers(node, source, found, facts)
        return
    weight = facts.is_weight(node) and not scale
    meant = names_constant(node, facts) or facts.is_target(node) or weight
    if meant and not (whole and demand.alone):
        return
    message = _message(node, demand, facts)
    why = _why(source, facts)
    if demand.repeated or facts.is_carried(node):
        if whole:
            reason = REPEATED if demand.repeated else CARRIED
            yield Report(node, message, declined=reason, why=why)
        return
    certain = whole or (untrained and demand.backward) or (facts.is_term(node) and is_old(node))
    tier, note = _tier(node, certain, term, facts)
    try:
        edits = _without_stop(node, source, demand, facts)
    except CannotLift as refusal:
        yield Report(node, message, declined=str(refusal), why=why)
        return
    yield Report(node, message, fix=fix(tier, *tidied(edits, facts)), why=why, note=note)


def _of_idle_layers(
    node: ast.expr, source: ast.expr, found: tuple[Graph, Demand], facts: Facts
) -> Iterator[Report]:
    """The stop of what only layers compute that have no gradient on another way."""
    graph, demand = found
    if graph < Graph.YES or not demand.backward or not only_stopped(source, facts):
        return
    if names_constant(node, facts) or facts.is_target(node) or facts.is_carried(node):
        return
    shown = fix(Applicability.DISPLAY, *tidied(freed(node, source, facts), facts))
    yield Report(node, _message(node, demand, facts), fix=shown, note=IDLE)


def _without_stop(node: ast.expr, source: ast.expr, demand: Demand, facts: Facts) -> list[Edit]:
    """Edits that take the stop away. Where a constant tensor is read as a number, the way is one
    of numbers: what has a graph cannot be read so."""
    if not needs_number(node, facts):
        return freed(node, source, facts)
    export = Export(node, node, source, source, Form.NUMBER, ".detach()")
    return list(Lift(facts, export, demand.backward).run().edits)


def _tier(
    node: ast.expr, certain: bool, term: bool, facts: Facts
) -> tuple[Applicability, str | None]:
    if facts.is_target(node):
        return Applicability.DISPLAY, TARGET
    if not (term or is_state(node, facts)) and is_part_of_weight(node, facts):
        return Applicability.DISPLAY, WEIGHT
    if certain:
        return Applicability.SAFE, None
    return Applicability.UNSAFE, CHANGES


def _message(node: ast.expr, demand: Demand, facts: Facts) -> str:
    text = " ".join(facts.source.segment(node).split())
    text = text if len(text) <= 40 else text[:37] + "..."
    return (
        f"`{text}` leaves the graph, and its value comes back on the way to a gradient that is "
        f"needed ({demand.text}, line {demand.line})"
    )


def _why(source: ast.expr, facts: Facts) -> tuple[str, ...]:
    value = facts.value(source)
    return value.why.steps() if value.why is not None else ()
