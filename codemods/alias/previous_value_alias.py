"""A previous gradient or weight is kept as a name for memory that is overwritten.

## What it does

Finds `old = w.grad`, `old = w.data`, `old = list(model.parameters())`, `old = model.state_dict()`
and the like where the gradient or the weights are then changed in place, and `old` is read as if it
had stayed: by the same function, or, of `state["previous"] = p.grad`, by its next call, or, of
`self.anchor = [p.data for p in net.parameters()]`, by a method that computes their difference. Also
`target = copy.copy(model)` and `target = model` where the weights are later loaded from the one
into the other.

## Why is this bad

Neither `.data` nor `.detach()` nor a list copies anything. After `w.grad.zero_()` the previous
gradient is zero and then the next one, and after `optimizer.step()` the previous weights are the
present ones: differences are zero, restoring restores nothing, an average is the model itself.

## Example

```python
old = [p.data for p in model.parameters()]
optimizer.step()
change = sum((p - q).norm() for p, q in zip(model.parameters(), old))
```

## Use instead

```python
old = [p.data.clone() for p in model.parameters()]
optimizer.step()
change = sum((p - q).norm() for p, q in zip(model.parameters(), old))
```

## Fix safety

The fix copies the values with `.clone()`, and models with `copy.deepcopy`. It is safe where the
program reads the old value together with the new one, or a gradient after it was set to zero: as
written it computes with one value twice. Gradients that `zero_grad()` drops (`set_to_none=True`,
which is the default) stay what they were, and are left alone, as are lists of parameters that are
only used to reach the parameters.

## How it is verified

Both versions run on the same inputs. What was kept must still be what it was after the update.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
- https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.alias._aliases import aliases_in
from autofix.codemods.alias._anchored import anchored
from autofix.codemods.alias._copies import copied
from autofix.codemods.alias._kept_before import kept_before
from autofix.codemods.alias._kept_gradient import kept_gradients
from autofix.codemods.alias._kept_state import kept_state
from autofix.codemods.alias._stale import restores, stale
from autofix.codemods.alias._weights import Of
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG403")


@rule.visit(ast.Assign, ast.Expr)
def check(node: ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    for alias in aliases_in(facts, node):
        if alias.of == Of.PART:
            continue
        found = stale(facts, alias)
        if found is None or (alias.of == Of.WEIGHTS and restores(facts, found)):
            continue  # AG402 is about weights that are brought back
        if any(_is_brought_back(facts, call) for call in calls_in(alias.node)):
            continue
        held = facts.source.segment(alias.holder)
        message = (
            f"`{held}` is no copy of {alias.of.value}: line {found.write.lineno} changes it, too, "
            f"before it is read (line {found.read.lineno})"
        )
        yield Report(node, message, fix=fix(Applicability.SAFE, *copied(facts, alias)))


@rule.visit(ast.Assign)
def check_kept(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`state["previous"] = p.grad`"""
    seen = {a.holder for a in aliases_in(facts, node) if stale(facts, a) is not None}
    for kept in kept_gradients(facts, node):
        if kept.holder in seen:
            continue
        held = facts.source.segment(kept.holder)
        message = (
            f"`{held}` is no copy of the gradient: line {kept.zeroed.lineno} sets it to zero, "
            f"before it is read again (line {kept.read.lineno})"
        )
        end = facts.source.span(kept.node)[1]
        yield Report(node, message, fix=fix(Applicability.SAFE, Edit(end, end, ".clone()")))


@rule.visit(ast.Assign)
def check_kept_weight(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`state["previous"] = p`"""
    for kept in kept_before(facts, node):
        held, weight = facts.source.segment(kept.holder), facts.source.segment(kept.node)
        message = (
            f"`{held}` is no copy: line {kept.compared.lineno} subtracts it from `{weight}`, the "
            "very memory that it is, which is zero"
        )
        end = facts.source.span(kept.node)[1]
        copy = ".clone()" if kept.cut else ".detach().clone()"
        yield Report(node, message, fix=fix(Applicability.SAFE, Edit(end, end, copy)))


@rule.visit(ast.Assign, ast.Expr)
def check_anchor(node: ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    """`self.anchor = [p.data for p in net.parameters()]`"""
    found = anchored(facts, node)
    if found is None:
        return
    if any(_told(facts, node)):
        return
    held = facts.source.segment(found.holder)
    message = (
        f"`{held}` is no copy: line {found.compared.lineno} subtracts it from the very memory that "
        "it is, which is zero"
    )
    end = facts.source.span(found.each)[1]
    yield Report(node, message, fix=fix(Applicability.SAFE, Edit(end, end, ".clone()")))


def _told(facts: Facts, node: ast.Assign | ast.Expr) -> Iterator[bool]:
    """Is it found as an alias already?"""
    yield any(stale(facts, alias) is not None for alias in aliases_in(facts, node))
    yield isinstance(node, ast.Assign) and any(True for _ in kept_gradients(facts, node))


def _is_brought_back(facts: Facts, call: ast.Call) -> bool:
    """Is it a `state_dict()` that AG402 reports?"""
    return last_name(call.func) == "state_dict" and kept_state(facts, call) is not None


@rule.visit(ast.Assign)
def check_model(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`self.target = copy.copy(self.online)`, `target = online`."""
    target, value = node.targets[0], node.value
    if "load_state_dict" not in uses_in(facts).names.calls:
        return
    source = value.args[0] if isinstance(value, ast.Call) and value.args else value
    if not isinstance(target, (ast.Name, ast.Attribute)):
        return
    if not isinstance(source, (ast.Name, ast.Attribute)):
        return
    load = _loaded_into_itself(facts, target, source)
    if load is None:
        return
    shallow = isinstance(value, ast.Call) and facts.library_name(value.func) == "copy.copy"
    if (source is not value and not shallow) or facts.value(source).kind != Kind.MODULE:
        return
    held = facts.source.segment(target)
    message = (
        f"`{held}` has the very parameters of `{facts.source.segment(source)}`: "
        f"loading one into the other (line {load.lineno}) does nothing"
    )
    spelled = spell(facts, "copy.deepcopy", node)
    if shallow and isinstance(value, ast.Call):
        start, end = facts.source.span(value.func)
        edits = [*spelled.edits, Edit(start, end, spelled.code)]
    else:
        start, end = facts.source.span(value)
        edits = [*spelled.edits, Edit(start, start, f"{spelled.code}("), Edit(end, end, ")")]
    yield Report(node, message, fix=fix(Applicability.SAFE, *edits))


def _loaded_into_itself(facts: Facts, target: ast.expr, source: ast.expr) -> ast.Call | None:
    """`target.load_state_dict(source.state_dict())`"""
    wanted = f"{ast.unparse(source)}.state_dict()"
    for call in uses_in(facts).names.calls.get("load_state_dict", ()):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if owner is not None and ast.unparse(owner) == ast.unparse(target):
            same = facts.index.class_of(call) is facts.index.class_of(target)
            named = same and call.args and ast.unparse(call.args[0]) == wanted
            if named and _same_variables(facts, call, target, source):
                return call
    return None


def _same_variables(facts: Facts, call: ast.Call, target: ast.expr, source: ast.expr) -> bool:
    """Do the names in `target.load_state_dict(source.state_dict())` mean what they mean where the
    one is made of the other? (Another function has a `net` of its own.)"""
    assert isinstance(call.func, ast.Attribute)
    names = uses_in(facts).names
    mine = [n for n in ast.walk(source) if isinstance(n, ast.Name)]
    loaded = [n for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)]
    if isinstance(target, ast.Name) and isinstance(call.func.value, ast.Name):
        mine, loaded = [*mine, target], [*loaded, call.func.value]
    if facts.index.function_of(call) is facts.index.function_of(source):
        return all(len(names.stores(n)) <= 1 for n in mine if n.id != "self")
    return all(
        a.id == "self" or (names.stores(a) and set(names.stores(a)) == set(names.stores(b)))
        for a, b in zip(mine, loaded, strict=False)
    )
