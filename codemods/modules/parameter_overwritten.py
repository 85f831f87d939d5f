"""Something else takes the place of a registered Parameter: the optimizer goes on with the old one.

## What it does

Finds assignments to an attribute that holds a Parameter: of a new `nn.Parameter` computed from the
old one (by `setattr` and in `_parameters`, too), of a plain tensor, and of a plain tensor after
`del`. Also `nn.Embedding.from_pretrained`
in the place of a layer that is trained, where the text speaks of fine-tuning: it freezes. And
`self.scale = self.log_scale.exp()` in `__init__`, where other methods compute with `self.scale`.

## Why is this bad

An optimizer holds the Parameter objects that it was given. A new one in the place of an old one is
used by the model and never moved: the model stops learning there, without a word. A plain tensor is
refused ("cannot assign 'torch.FloatTensor' as parameter"), or after `del` no longer a parameter.

## Example

```python
def project(self):
    self.gain = nn.Parameter(self.gain.detach().clamp(0, 1))
```

## Use instead

```python
def project(self):
    with torch.no_grad():
        self.gain.copy_(self.gain.detach().clamp(0, 1))
```

## Fix safety

The new values are written into the Parameter that is there. The values are the same, and the
optimizer still has it. It is safe between the steps of an optimizer, where the program shows that,
and for what would raise; it is unsafe elsewhere, for a product with a mask of unknown shape, where
a Parameter was deleted, and for `freeze=False`.

What `forward` computes from the Parameter and then computes with gets a name of its own, and the
Parameter stays as it is. The values of the call are the same. This is unsafe: it is likely, not
sure, that only the use of the Parameter was to change.

What `__init__` computes from Parameters is computed in each call instead. This is safe: the first
call gives the same values, and after the first step the program raised, or went on with old ones.

There is no fix where the new values may have another shape, and none in `forward` where other
methods read them. What is set from values of its own (weights that are loaded), weights that are
computed from other parameters in place of a deleted one, and tables that are frozen right behind
are left alone.

## How it is verified

An optimizer is made of the parameters before the program runs. In the original a leaf behind the
result is not among them, or it raises; in the rewritten code all are, and move with a step.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
- https://discuss.pytorch.org/t/how-to-assign-an-arbitrary-tensor-to-models-parameter/44082
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._composed import composed_once, in_each_call
from autofix.codemods.modules._lines import indent_of
from autofix.codemods.modules._local import used_in_this_call
from autofix.codemods.modules._overwritten import (
    Change,
    Overwritten,
    frozen_replacement,
    overwritten,
)
from autofix.flow.facts import Facts
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG505", trigger=r"\.\w+\s*=[^=]|setattr\(|_parameters\[")


@rule.visit(ast.Assign, ast.Expr)
def check(node: ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    report = _set_once(facts, node) if isinstance(node, ast.Assign) else None
    if report is None and (found := overwritten(facts, node)) is not None:
        report = _report(facts, found)
    if report is not None:
        yield report


def _set_once(facts: Facts, node: ast.Assign) -> Report | None:
    call = frozen_replacement(facts, node)
    if call is not None:
        end = facts.source.span(call)[1] - 1
        message = "`from_pretrained` freezes the weights that take the place of trained ones"
        edit = Edit(end, end, ", freeze=False")
        return Report(node, message, fix=fix(Applicability.UNSAFE, edit))
    composed = composed_once(facts, node)
    if composed is None or (edits := in_each_call(facts, composed)) is None:
        return None
    held = facts.source.segment(composed.target)
    message = (
        f"`{held}` is computed from parameters once, in `__init__`: it does not follow them, "
        "and its graph is gone after the first backward pass"
    )
    return Report(node, message, fix=fix(Applicability.SAFE, *edits))


def _text(facts: Facts, target: ast.expr) -> str:
    known = target in facts.index.parents
    return facts.source.segment(target) if known else ast.unparse(target)


def _report(facts: Facts, found: Overwritten) -> Report | None:
    name = _text(facts, found.target)
    message = f"`{name}` is a registered Parameter: {found.change.value}"
    if found.is_frozen_behind(facts):
        return None
    if found.for_this_call:
        used = used_in_this_call(facts, found)
        if isinstance(used, str):
            return Report(found.statement, message, declined=used)
        note = f"`{name}` itself stays as it is"
        return Report(found.statement, message, fix=fix(Applicability.UNSAFE, *used), note=note)
    if found.set_up and facts.value(found.data).graph != Graph.YES:
        return _wrapped(facts, found, message)
    fits = found.fits(facts)
    if not fits and not (found.change == Change.MADE_ANEW and found.is_masked(facts)):
        if found.change == Change.MADE_ANEW:
            return None
        return Report(found.statement, message, declined="the new values may have another shape")
    if found.in_forward and found.change == Change.REFUSED:
        why = "whether the Parameter or only its use should change is not known"
        return Report(found.statement, message, declined=why)
    edits = _copied(facts, found)
    if edits is None:
        return Report(found.statement, message, declined="it shares its line with other statements")
    tier = _tier(facts, found) if fits else Applicability.UNSAFE
    return Report(found.statement, message, fix=fix(tier, *edits))


def _wrapped(facts: Facts, found: Overwritten, message: str) -> Report:
    """`layer.weight = nn.Parameter(table)`, where no optimizer can know the weight yet."""
    spelling = spell(facts, "torch.nn.Parameter", found.statement)
    start, end = facts.source.span(found.data)
    edits = (Edit(start, start, f"{spelling.code}("), Edit(end, end, ")"), *spelling.edits)
    return Report(found.statement, message, fix=fix(Applicability.SAFE, *edits))


def _tier(facts: Facts, found: Overwritten) -> Applicability:
    if found.in_forward or found.change == Change.DELETED:
        return Applicability.UNSAFE
    if found.change == Change.REFUSED or found.in_training:
        return Applicability.SAFE
    return Applicability.UNSAFE


def _copied(facts: Facts, found: Overwritten) -> tuple[Edit, ...] | None:
    """`with torch.no_grad():` and, in it, `target.copy_(data)`."""
    text = facts.source.text
    start, end = facts.source.span(found.statement)
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip() or text[end : end + 2].lstrip()[:1] == ";":
        return None
    indent = indent_of(facts, found.statement)
    step = "\t" if "\t" in indent else "    "
    spelling = spell(facts, "torch.no_grad", found.statement)
    a, b = facts.source.span(found.data)
    target = _text(facts, found.target)
    newline = facts.source.newline(start)
    head = f"with {spelling.code}():{newline}{indent}{step}{target}.copy_("
    edits = [Edit(start, a, head), Edit(b, end, ")"), *spelling.edits]
    if found.deletion is not None:
        removed = remove_statement(facts, found.deletion)
        if removed is None:
            return None
        edits.append(removed)
    return tuple(edits)
