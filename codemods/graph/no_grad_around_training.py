"""What is to be trained is computed while gradients are switched off.

## What it does

Finds `with torch.no_grad()`, `torch.inference_mode()` and `torch.set_grad_enabled(False)`, as
block, decorator or call, around computations whose gradient is needed: a `backward()` runs through
the result, and what it was computed from is not trained in any other way.

## Why is this bad

Nothing is recorded inside. If the loss was computed there, `backward()` raises; if only a part of
the model was, the rest is trained on top of layers that keep their random weights, and nothing is
said.

## Example

```python
with torch.no_grad():
    a = self.encoder(left)
    b = self.encoder(right)
return self.scorer((a - b).abs())
```

## Use instead

```python
a = self.encoder(left)
b = self.encoder(right)
return self.scorer((a - b).abs())
```

## Fix safety

The statements whose results need a gradient are taken out of the block, the others stay in it; a
decorator or a call is removed. Values stay the same. Where the loss had no graph at all, so that
`backward()` raised or had to be silenced, the fix is safe if everything in the block was needed.
Otherwise it is unsafe: a part of a model can be frozen on purpose, and more memory is used. It is
only shown where the module is called as what is usually frozen, `backbone` for one, though an
optimizer gets it.

Left alone are the usual reasons to switch gradients off: targets of a loss, the steps towards a
fixed point before one with gradients, frozen, pretrained or foreign modules, modules that an
optimizer in the file is not given or that are trained elsewhere, weights of log-probabilities,
evaluation, sampling, updates of weights, and statements that a comment calls frozen, pretrained or
not trained.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must be equal, and the
gradient must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
- https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from autofix.codemods.graph._exports import export_at
from autofix.codemods.graph._intent import binds_targets, is_for_inference
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._lifting import Lift
from autofix.codemods.graph._no_grad_block import (
    Block,
    after,
    freed,
    is_choice,
    said_to_be_frozen,
)
from autofix.codemods.graph._no_grad_sources import (
    Sources,
    gives_a_side,
    is_taken_up,
    sources_of,
    stored_in,
)
from autofix.codemods.graph._unwrapping import constant_for
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.modes import OFF, SET
from autofix.flow.syntax import is_false
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG107",
    names=("no_grad", "inference_mode", "set_grad_enabled"),
)

Wanted = dict[ast.stmt, tuple[Demand, Sources]]

_RETURNED = ("returned from `forward`", "returned from `training_step`")
_RUN = re.compile(r"def (?:forward|training_step)\b")
_OR_FROZEN = "an optimizer gets its weights: if they are meant to stay as they are, leave them out"
_WHICH = "the same module runs more than once here: a target without gradients may be one of these"
_KEPT = "a part of a model can be frozen on purpose; with the fix more is trained"


@rule.visit(ast.With)
def check_block(node: ast.With, facts: Facts) -> Iterator[Report]:
    item = next((i.context_expr for i in node.items if _switches_off(i.context_expr, facts)), None)
    if item is None or is_choice(node, facts):
        return
    wanted = {s: found for s in node.body if (found := _wanted(s, facts)) is not None}
    certain = [s for s, (demand, _) in wanted.items() if demand.is_sole]
    lost = [s for s, (_, sources) in wanted.items() if s in certain or _trains(sources)]
    chosen = [s for s in lost if s in certain or not _is_meant(s, facts)]
    if (lost and not chosen) or (not certain and is_taken_up(node, facts)):
        return
    if not chosen:
        yield from _held(node, item, wanted, facts)
        return
    demand = wanted[chosen[0]][0]
    behind = _behind(node.body, chosen, facts)
    meant = any(_is_meant(s, facts) for s in chosen)
    alike = certain and len(behind) == len(node.body) and not meant
    edits = freed(Block(node, item), _all_if_backward(node, behind), facts)
    note = _WHICH if not certain and gives_a_side(chosen, behind, facts) else _KEPT
    yield _report(item, demand, edits, None if alike else note, behind, facts)


@rule.visit(ast.FunctionDef)
def check_decorator(node: ast.FunctionDef, facts: Facts) -> Iterator[Report]:
    for decorator in node.decorator_list if _may_train(facts) else ():
        if not _switches_off(decorator, facts):
            continue
        found = _wanted(decorator, facts, [*node.body])
        if found is None:
            continue
        demand, sources = found
        certain = demand.is_sole
        if not demand.backward and is_for_inference(node, facts):
            continue
        if certain or _trains(sources):
            edits = _without_line(decorator, facts)
            yield _report(decorator, demand, edits, None if certain else _KEPT, [decorator], facts)


@rule.visit(ast.Expr)
def check_call(node: ast.Expr, facts: Facts) -> Iterator[Report]:
    call = node.value
    if not isinstance(call, ast.Call) or not _switches_off(call, facts, called=True):
        return
    block = after(node, facts)
    found = _wanted(call, facts, block)
    if found is not None:
        demand, sources = found
        certain = demand.is_sole
        if certain or _trains(sources):
            removed = remove_statement(facts, node)
            edits = (removed,) if removed is not None else "it stands where it cannot be removed"
            yield _report(call, demand, edits, _KEPT, [call], facts)


def _is_meant(statement: ast.stmt, facts: Facts) -> bool:
    return binds_targets(statement) or said_to_be_frozen(statement, facts)


def _switches_off(node: ast.expr, facts: Facts, called: bool = False) -> bool:
    call = node if isinstance(node, ast.Call) else None
    name = facts.library_name(call.func if call is not None else node)
    if name in SET and call is not None and call.args:
        return is_false(call.args[0])
    if called or name not in OFF:
        return False
    first = call.args[0] if call is not None and call.args else None
    return not is_false(first)


def _wanted(
    node: ast.AST, facts: Facts, code: list[ast.AST] | None = None
) -> tuple[Demand, Sources] | None:
    """What needs the gradient that is lost at `node`, and what it would reach."""
    if not (_may_train(facts) or _RUN.search(facts.source.text)):
        return None
    found = facts.needed(node)
    if found is None or found[0] < Graph.YES or found[1].repeated:
        return None
    demand = found[1]
    if not (demand.backward or (demand.text in _RETURNED and demand.carries)):
        return None
    if not _is_lost(node, facts):
        return None
    sources = sources_of(code if code is not None else [node], facts)
    return (demand, sources) if sources.any and (demand.backward or facts.index.trains) else None


def _may_train(facts: Facts) -> bool:
    """Is a backward pass run here, or perhaps in another file?"""
    return facts.index.trains or facts.project is not None


def _held(node: ast.With, item: ast.expr, wanted: Wanted, facts: Facts) -> Iterator[Report]:
    """The name says that a module is not trained, the optimizer says that it is."""
    chosen = [
        s
        for s, (demand, sources) in wanted.items()
        if sources.held and demand.backward and not _is_meant(s, facts)
    ]
    if chosen:
        edits = freed(Block(node, item), chosen, facts)
        yield _report(item, wanted[chosen[0]][0], edits, _OR_FROZEN, chosen, facts)


def _behind(body: list[ast.stmt], chosen: list[ast.stmt], facts: Facts) -> list[ast.stmt]:
    """Statements that go on with what the chosen ones compute, and lose its graph again."""
    found = list(chosen)
    for statement in body[body.index(chosen[0]) :]:
        reads = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        if statement not in found and reads & stored_in(found) and _is_lost(statement, facts):
            found.append(statement)
    return found


def _is_lost(node: ast.AST, facts: Facts) -> bool:
    meant = facts.is_target(node) or facts.is_weight(node) or facts.used_as_leaf(node)
    return facts.needed(node) is not None and not meant


def _trains(sources: Sources) -> bool:
    return bool(sources.fresh or sources.live)


def _all_if_backward(node: ast.With, chosen: list[ast.stmt]) -> list[ast.stmt]:
    """A block that runs the backward pass itself is a whole training step."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr == "backward":
            return node.body
    return chosen


def _report(
    node: ast.expr,
    demand: Demand,
    edits: tuple[Edit, ...] | str,
    doubt: str | None,
    cuts: Sequence[ast.AST],
    facts: Facts,
) -> Report:
    label = f"`{facts.source.segment(node)}`"
    message = (
        f"{label} around what is to be trained: no gradient is recorded, "
        f"and it is needed ({demand.text}, line {demand.line})"
    )
    if isinstance(edits, str):
        return Report(node, message, declined=edits)
    more: dict[Edit, None] = dict.fromkeys(edits)
    for cut in cuts:
        for target in facts.silencers(cut):
            edit = remove_statement(facts, target)
            more.update({edit: None} if edit is not None else {})
        for read in facts.arrays(cut):
            refusal = _no_way_back(read, demand, facts)
            if refusal is not None:
                return Report(node, message, declined=refusal)
            more.update(dict.fromkeys(constant_for(facts, read)))
    tier = Applicability.SAFE if doubt is None else Applicability.DISPLAY
    tier = Applicability.UNSAFE if doubt == _KEPT else tier
    return Report(node, message, fix=fix(tier, *more), note=doubt)


def _no_way_back(read: ast.Call, demand: Demand, facts: Facts) -> str | None:
    """Why an array, taken of what is computed here, cannot become a tensor: without that, the
    gradient is lost again."""
    export = export_at(read, facts)
    try:
        if export is not None:
            Lift(facts, export, demand.backward).run()
    except CannotLift as refusal:
        return str(refusal)
    return None


def _without_line(decorator: ast.expr, facts: Facts) -> tuple[Edit, ...] | str:
    """Nothing where the decorator stood, its line included."""
    text = facts.source.text
    start, end = facts.source.span(decorator)
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    if text[first:start].strip() != "@" or text[end:last].strip()[:1] not in ("", "#"):
        return "its line holds something else"
    return (Edit(first, last + 1, ""),)
