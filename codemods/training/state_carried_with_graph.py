"""A state goes from one turn of a training loop to the next together with its graph.

## What it does

Finds hidden states, memories, running means and baselines that a turn computes with a graph, and
that the next turn reads, where each turn has a backward pass of its own. The state may be a local
variable, or an attribute, or an element of one, that the methods of an object keep: those of a
module, here or in another file, or of the trainer itself.

## Why is this bad

The backward pass of the second turn runs on into the graph of the first, which has been freed:
"Trying to backward through the graph a second time". With `retain_graph=True` it does not raise
there, but every turn runs through all turns before it, over weights that have changed since.

## Example

```python
for x, y in batches:
    out, hidden = model(x, hidden)
    loss = criterion(out, y)
    loss.backward()
```

## Use instead

```python
for x, y in batches:
    out, hidden = model(x, hidden)
    loss = criterion(out, y)
    loss.backward()
    hidden = hidden.detach()
```

## Fix safety

The state is detached after the backward pass, or where `forward` begins if a module of this file
keeps it; its values stay. It is safe where this file shows the loop and what computes the state:
the program raised in its second turn. It is unsafe where the model is one that the file only
defines or gets as an argument, and where `retain_graph=True` goes away together with the graph.
States that are detached anywhere, or begun anew in the loop, are left alone. Of a state with
several parts (`h, c`) all are detached if one is. There is no fix for weights by which
`autograd.grad` differentiates.

## How it is verified

Both versions run on the same inputs. The original must fail in the second turn of the loop, and the
repaired program must run through it with the same first loss.

## References

- https://docs.pytorch.org/docs/stable/notes/faq.html
- https://discuss.pytorch.org/t/help-clarifying-repackage-hidden-in-word-language-model/226
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._by_helper import helpers
from autofix.codemods.training._cut_by_helper import is_differentiated_by
from autofix.codemods.training._detaching import detaches
from autofix.codemods.training._graphs import Backward, Graphs, graphs_around
from autofix.codemods.training._module_state import ModuleState, module_states
from autofix.codemods.training._partly import becomes, is_read_again, left_attached
from autofix.codemods.training._state import (
    Carried,
    Form,
    carried_states,
    form_of,
    holds_sequences,
    steps_in,
)
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability, Edit
from autofix.rewrite.arguments import append_method
from autofix.rewrite.statements import insert_after, insert_before
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG605", trigger=r"backward\b|detach\b|\.data\b")


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if facts.index.called_name(node) not in ("backward", "manual_backward"):
        return
    for call in (node, *_calls_of_helper(node, facts)):
        graphs = graphs_around(facts, call)
        for backward in (b for b in graphs.backwards if b.call is call):
            for state in carried_states(graphs, backward):
                yield from _local(state, graphs)
            for kept in module_states(graphs, backward):
                yield _module(kept, graphs)


def _calls_of_helper(node: ast.Call, facts: Facts) -> list[ast.Call]:
    """`update(loss)`, where the backward pass stands in `update`, and runs through its argument."""
    found = [h for many in helpers(facts).values() for h in many if h.backward is node]
    return uses_in(facts).calls_of(found[0].function) if found else []


@rule.visit(ast.Assign, ast.Return)
def check_parts(node: ast.Assign | ast.Return, facts: Facts) -> Iterator[Report]:
    """`self.state = (h.detach(), c)`"""
    if not isinstance(node.value, (ast.Tuple, ast.List)) or not detaches(facts, node.value):
        return
    targets = becomes(facts, node)
    for part in left_attached(facts, node.value, targets):
        if not is_read_again(facts, node, part.key):
            continue
        name = facts.source.segment(part.node)
        message = (
            f"`{name}` is kept with its graph, which the backward pass of the turn has freed when "
            "the next one runs; the other part of the state is detached"
        )
        tier = Applicability.SAFE if part.graph == Graph.YES else Applicability.UNSAFE
        yield Report(
            part.node, message, fix=fix(tier, *append_method(facts, part.node, ".detach()"))
        )


def _local(state: Carried, graphs: Graphs) -> Iterator[Report]:
    facts, backward = graphs.facts, state.backward
    if backward.retains and not steps_in(graphs, state.turn):
        return  # gradients of one graph after the other, over weights that stay
    form = Form.LIST if state.filled else form_of(state.value)
    text = _detached(state.key, form)
    if state.value.kind == Kind.DICT:
        text = f"{{name: part.detach() for name, part in {state.key}.items()}}"
    if form == Form.LIST and holds_sequences(state.value):  # the states of several LSTMs
        text = f"[tuple(part.detach() for part in pair) for pair in {state.key}]"
    anchor = backward.statement
    ends = {state.made} if state.turn is None else {state.made, state.turn}
    if anchor not in graphs.order.after(state.made, ends):
        anchor = state.made
    edits = [insert_after(facts, anchor, f"{state.key} = {text}"), *_released(graphs, backward)]
    message = (
        f"`{state.key}` is handed on to the next turn (line {state.read.lineno}) with its graph, "
        f"{_consequence(backward)}"
    )
    doubtful = state.doubtful or backward.retains or form == Form.UNKNOWN
    if is_differentiated_by(facts, state.turn or graphs.scope, state.key):
        why = "gradients by it are asked for, and without its graph it has to require grad anew"
        yield Report(state.made, message, declined=why)
        return
    tier = Applicability.UNSAFE if doubtful else Applicability.SAFE
    yield Report(state.made, message, fix=fix(tier, *edits))


def _consequence(backward: Backward) -> str:
    line = backward.call.lineno
    if backward.retains:
        return f"so that each backward pass (line {line}) runs through all turns before it"
    return f"which the backward pass (line {line}) has freed by then"


def _detached(key: str, form: Form) -> str:
    each = f"part.detach() for part in {key}"
    several, one = f"tuple({each})", f"{key}.detach()"
    if form == Form.LIST:
        return f"[{each}]"
    if form in (Form.TUPLE, Form.TENSOR):
        return several if form == Form.TUPLE else one
    return f"{several} if isinstance({key}, tuple) else {one}"


def _each_detached(kept: ModuleState) -> str:
    one, part = "part", "part.detach()"
    if kept.pairs:
        one, part = "pair", "tuple(part.detach() for part in pair)"
    if kept.holes:
        part = f"{part} if {one} is not None else None"
    return f"[{part} for {one} in {kept.place}]"


def _released(graphs: Graphs, backward: Backward) -> list[Edit]:
    """`retain_graph=True` goes away where it is the plaster for this."""
    if not backward.retains or len(graphs.backwards) > 1:
        return []
    call, facts = backward.call, graphs.facts
    keyword = next((k for k in call.keywords if k.arg == "retain_graph"), None)
    if keyword is None or len(call.keywords) > 1 or "\n" in facts.source.segment(call):
        return []
    end = facts.source.span(call)[1] - 1
    if call.args:
        return [Edit(facts.source.span(call.args[-1])[1], end, "")]
    return [Edit(facts.source.span(call.func)[1] + 1, end, "")]


def _module(kept: ModuleState, graphs: Graphs) -> Report:
    facts, name = graphs.facts, kept.place
    text = _each_detached(kept) if kept.elements else _detached(name, kept.form)
    if kept.may_be_none and kept.forward is not None:
        text = f"{text} if {name} is not None else None"
    text = f"{name} = {text}"
    if kept.forward is not None:
        edit = insert_before(facts, kept.forward, text)
    else:
        edit = insert_after(facts, kept.backward.statement, text)
    edits = [edit, *_released(graphs, kept.backward)]
    where = f" (line {kept.foreign})" if kept.foreign is not None else ""
    message = (
        f"`{kept.attribute}` is kept with its graph{where} for the next call, which the backward "
        f"pass (line {kept.backward.call.lineno}) has freed by then"
    )
    doubtful = kept.doubtful or kept.backward.retains or kept.form == Form.UNKNOWN
    tier = Applicability.UNSAFE if doubtful else Applicability.SAFE
    return Report(kept.made, message, fix=fix(tier, *edits))
