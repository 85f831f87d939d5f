"""A tensor is used as a weight of a Module, but is a plain attribute that nothing trains.

## What it does

Finds tensors that a Module makes in `__init__` and computes with in `forward`: those that are made
to require grad, and those that are named or initialised as weights are.

## Why is this bad

A Module registers `nn.Parameter`s only. A plain tensor, even one that requires grad, is not listed
by `parameters()` and `state_dict()`: no optimizer moves it, a checkpoint does not hold it, and
`.to(device)` leaves it behind.

## Example

```python
self.weight = torch.randn(8, 8, requires_grad=True)
self.query = nn.init.xavier_uniform_(torch.empty(1, 8))
```

## Use instead

```python
self.weight = nn.Parameter(torch.randn(8, 8))
self.query = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 8)))
```

## Fix safety

The tensor becomes an `nn.Parameter` with the same values. The `state_dict` gains a key, and an
optimizer gains a parameter.

It is safe for a tensor that requires grad and that the class computes with. It is unsafe where only
its name or its initialiser tell that it is a weight, and where this file never reads it. A random
tensor with a name that says nothing is shown only: it may be meant to stay fixed. What is given to
an optimizer, read for its `.grad`, set again later or said to be fixed is left alone, as are masks,
noise, statistics and frequencies. There is no fix where `__init__` writes into the tensor in a way
that a leaf refuses.

## How it is verified

The original and the rewritten code run on the same inputs. Forward values must be equal; the
parameter must be missing before and listed after, and one optimizer step must move it.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
- https://discuss.pytorch.org/t/what-is-the-difference-between-register-buffer-and-register-parameter-of-nn-module/32723
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.modules._built import exclude
from autofix.codemods.modules._lines import line_after, statement_in
from autofix.codemods.modules._mixin_first import never_initialised
from autofix.codemods.modules._weights import MAKING, Evidence, Weight, weights_in
from autofix.flow.class_table import How, methods_of, self_name, stores_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import is_none
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG503",
    trigger=r"class\b.*\(",
    needs=("requires_grad", "Tensor(", "normal", "empty", "full", "rand", "zeros", "ones"),
)


@rule.visit(ast.ClassDef)
def check(node: ast.ClassDef, facts: Facts) -> Iterator[Report]:
    if not node.bases or not _may_have(facts, node):
        return
    table = facts.class_table(node)
    if not table.may_be_module or table.keeps_own_books or never_initialised(facts, table):
        return
    for weight in weights_in(facts, table):
        yield _report(facts, weight)


def _may_have(facts: Facts, node: ast.ClassDef) -> bool:
    """By the syntax alone: is an attribute set to what a function makes that creates tensors?"""
    definitions = uses_in(facts).names.definitions
    return any(
        store.how == How.ASSIGNED
        and store.value is not None
        and (isinstance(store.value, (ast.Name, ast.IfExp)) or _is_made(store.value, definitions))
        for method in methods_of(node)
        for store in stores_of(method, node)
    )


def _is_made(value: ast.expr, definitions: Mapping[str, Sequence[ast.AST]]) -> bool:
    for node in walk(value):
        name = (last_name(node.func) if isinstance(node, ast.Call) else None) or ""
        if name in MAKING or any(isinstance(d, FUNCTIONS) for d in definitions.get(name, ())):
            return True
    return False


def _report(facts: Facts, weight: Weight) -> Report:
    name = weight.store.attribute
    message = f"`{name}` is used as a weight, but is a plain tensor that nothing trains"
    edits = _repaired(facts, weight)
    if isinstance(edits, str):
        return Report(weight.store.statement, message, declined=edits)
    tier = _tier(weight)
    why = (f"{weight.evidence.value} (line {weight.store.statement.lineno})",)
    return Report(weight.store.statement, message, fix=fix(tier, *edits), why=why, note=_NOTE)


_NOTE = "the module gains a parameter; checkpoints written before lack its key"


def _tier(weight: Weight) -> Applicability:
    if weight.evidence == Evidence.RANDOM or (
        weight.evidence == Evidence.NAMED and not weight.used
    ):
        return Applicability.DISPLAY
    sure = weight.table.is_module is True and weight.used
    if weight.evidence == Evidence.TRAINS and weight.trains and sure:
        return Applicability.SAFE
    return Applicability.UNSAFE


def _repaired(facts: Facts, weight: Weight) -> tuple[Edit, ...] | str:
    """Make the Parameter at once; or after the last statement of `__init__` that writes into the
    tensor, which a leaf would refuse."""
    method = weight.store.method
    last: ast.stmt | None = None
    for node in _touches(facts, weight):
        if facts.index.function_of(node) is method:
            statement = _beside(facts, node, weight)
            if statement is None:
                continue  # in another branch
            if isinstance(statement, str):
                return statement
            last = max(filter(None, [last, statement]), key=lambda s: s.lineno)
        elif _writes(facts, node) and not without_gradient(facts, node):
            return f"it is written in place (line {node.lineno}), which a leaf refuses"
    if last is None:
        return _wrapped(facts, weight)
    owner = f"{self_name(method)}.{weight.store.attribute}"
    spelling = spell(facts, "torch.nn.Parameter", last)
    flag = f", requires_grad={owner}.requires_grad" if weight.flag else ""
    code = f"{owner} = {spelling.code}({owner}{flag})"
    return (line_after(facts, last, code), *spelling.edits)


def _beside(facts: Facts, node: ast.expr, weight: Weight) -> ast.stmt | str | None:
    """The statement with the node in the block that makes the tensor, or around both; None where
    only one of them is run."""
    store = weight.store
    block = facts.index.block_of(store.statement)
    statement = facts.index.statement_of(node)
    around = [statement, *facts.index.ancestors(node)]
    found = next((one for one in block if one in around), None)
    written = store.statement.value if isinstance(store.statement, ast.Assign) else store.value
    optional = isinstance(written, ast.IfExp) and store.value is not written
    if (found is not None and not optional) or statement is None:
        return found
    if exclude(facts, statement, store.statement):
        return None
    if optional or any(is_none(other.value) for other in weight.table.stores[store.attribute]):
        return f"it may be None where it is changed (line {node.lineno})"
    return statement_in(facts, node, store.method)


def _touches(facts: Facts, weight: Weight) -> Iterator[ast.expr]:
    """What writes into the tensor or, in `__init__`, does anything else with it."""
    stores = weight.table.stores[weight.store.attribute]
    changed = [s.node for s in stores if s.how in (How.ELEMENT, How.AUGMENTED)]
    for read in (*weight.reads, *changed):
        parent = facts.index.parents.get(read)
        inside = facts.index.function_of(read) is weight.store.method
        own = isinstance(parent, ast.Call) and (last_name(parent.func) or "").endswith("_")
        if _writes(facts, read) or (inside and not own and parent and not _asks(parent)):
            yield read


def _writes(facts: Facts, read: ast.expr) -> bool:
    """`self.w[0] = 1`, `self.w *= 2`, `self.w.uniform_(-1, 1)`"""
    if isinstance(getattr(read, "ctx", None), ast.Store):
        return True
    parent = facts.index.parents.get(read)
    if isinstance(parent, ast.Subscript):
        return not isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Attribute):
        call = facts.index.parents.get(parent)
        called = parent.attr.endswith("_") and parent.attr != "requires_grad_"
        return called and isinstance(call, ast.Call) and call.func is parent
    return False


def _asks(node: ast.AST) -> bool:
    """`self.w.shape`, `self.w.requires_grad_()`, `print(self.w)`"""
    if isinstance(node, ast.Attribute):
        return node.attr in ("shape", "size", "requires_grad_", "requires_grad", "device", "dtype")
    return isinstance(node, ast.Call) and last_name(node.func) in ("print", "len")


def _wrapped(facts: Facts, weight: Weight) -> tuple[Edit, ...]:
    """`nn.Parameter(value)`, without what made the value require grad."""
    spelling = spell(facts, "torch.nn.Parameter", weight.value)
    start, end = facts.source.span(weight.value)
    flag = f", requires_grad={weight.flag}" if weight.flag else ""
    edits = [Edit(start, start, f"{spelling.code}("), Edit(end, end, f"{flag})"), *spelling.edits]
    for node in walk(weight.value):
        if isinstance(node, ast.Call):
            edits += _without_grad(facts, node)
    return tuple(edits)


def _without_grad(facts: Facts, call: ast.Call) -> list[Edit]:
    text = facts.source.text
    if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        return [Edit(facts.source.span(call.func.value)[1], facts.source.span(call)[1], "")]
    for keyword in call.keywords:
        if keyword.arg != "requires_grad":
            continue
        value_end = facts.source.span(keyword.value)[1]
        start = text.rfind("requires_grad", 0, value_end)
        before = text[:start].rstrip()
        if before.endswith(",") and "\n" not in text[len(before) : start]:
            return [Edit(len(before) - 1, value_end, "")]
    return []
