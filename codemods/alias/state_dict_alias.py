"""The best weights are kept as `model.state_dict()`, which goes on changing with the model.

## What it does

Finds `best = model.state_dict()` where the model is trained on (or gets other weights) afterwards,
and `best` is then loaded, saved or returned as if it were what it was. Also `w.data`,
`w.detach()` and lists and dicts of them that are kept, be it in a dict beside the score or in an
attribute, and then copied back into the weights.

## Why is this bad

`state_dict()` copies nothing: its tensors are the memory of the parameters and buffers. An
optimizer writes into that memory, so what was kept at the best epoch holds the weights of the last
one. `model.load_state_dict(best)` then copies each tensor onto itself. Nothing fails; early
stopping, rollbacks and "best model" checkpoints do nothing. `dict(...)`, `copy.copy(...)`,
`.copy()` and a comprehension over `.items()` make a new dict of the same tensors.

## Example

```python
if accuracy > best_accuracy:
    best_weights = model.state_dict()
```

## Use instead

```python
if accuracy > best_accuracy:
    best_weights = copy.deepcopy(model.state_dict())
```

## Fix safety

The fix copies the tensors, with `copy.deepcopy` or, in a comprehension, with `.clone()`. Nothing
before the point where the copy is used can change. It is safe where this file shows that the
weights are loaded back into the model that they were taken from, after training, and where a loop
that trains takes them on a condition (the best so far). It is unsafe where they are otherwise only
saved, returned or loaded into another model later. What is saved or loaded at once,
before anything is trained, is left alone. The state of an optimizer is copied where it is loaded
back into that optimizer.

## How it is verified

Both versions run on the same inputs. After the repair, what is loaded at the end must be the
weights of the moment when they were kept.

## References

- https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
- https://discuss.pytorch.org/t/copying-weights-from-one-net-to-another/1492
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.alias._aliases import aliases_in
from autofix.codemods.alias._copies import copied, copied_weights
from autofix.codemods.alias._kept_state import How, Kept, kept_state
from autofix.codemods.alias._kept_weights import kept_weights
from autofix.codemods.alias._stale import restores, stale
from autofix.codemods.alias._weights import Of
from autofix.codemods.leaf._kept import is_initialiser
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.roles import is_optimizer
from autofix.flow.syntax import calls_any, is_true, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__, code="AG402", names=("state_dict", "parameters", "named_parameters", "data", "detach")
)


_BEFORE = "it is taken once, before the training: a copy would undo all of it"


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if not (isinstance(node.func, ast.Attribute) and node.func.attr == "state_dict"):
        return
    if is_true(keyword(node, "keep_vars")):
        return  # the Parameters themselves are wanted
    optimizer = is_optimizer(node.func.value, facts)
    if facts.value(node.func.value).kind == Kind.OBJECT and not _asks_a_model(node.func, facts):
        return
    if not (optimizer or _is_model(node.func.value, facts)):
        return
    if optimizer and is_initialiser(facts, node):
        return  # it has no moments yet that could be shared
    kept = kept_state(facts, node)
    if kept is None or (optimizer and not (kept.certain and kept.how == How.LOADED)):
        return
    owner = facts.source.segment(node.func.value)
    message = (
        f"`{facts.source.segment(node)}` shares the memory of the "
        f"{'moments' if optimizer else 'weights'}: by the time it is "
        f"{kept.how.value} (line {kept.line}), it holds those of the last step"
    )
    if kept.how == How.LOADED and _undoes_training(node, kept.line, facts):
        yield Report(node, message, declined=_BEFORE)
        return
    tier = Applicability.SAFE if kept.certain else Applicability.UNSAFE
    note = None if kept.certain else f"that `{owner}` is trained in between is likely, not shown"
    yield Report(node, message, fix=fix(tier, *_copied(facts, kept)), note=note)


@rule.visit(ast.Assign, ast.Expr)
def check_list(node: ast.Assign | ast.Expr, facts: Facts) -> Iterator[Report]:
    """`best = [p.data for p in model.parameters()]`, and later `p.data.copy_(b)`."""
    for alias in aliases_in(facts, node):
        found = stale(facts, alias) if alias.of == Of.WEIGHTS else None
        if found is not None and restores(facts, found):
            held = facts.source.segment(alias.holder)
            message = (
                f"`{held}` shares the memory of the weights: by the time it is copied back "
                f"(line {found.read.lineno}), it holds those of the last step"
            )
            yield Report(node, message, fix=fix(Applicability.SAFE, *copied(facts, alias)))


@rule.visit(ast.Attribute, ast.Call, ast.ListComp, ast.DictComp)
def check_kept(
    node: ast.Attribute | ast.Call | ast.ListComp | ast.DictComp, facts: Facts
) -> Iterator[Report]:
    """`best = {"loss": v, "w": w.data}`, and later `w.data.copy_(best["w"])`."""
    if not _may_be_kept(facts, node) or _is_found_by_name(facts, node):
        return
    found = kept_weights(facts, node)
    if found is None:
        return
    text = facts.source.segment(node)
    message = (
        f"`{text}` shares the memory of the weights: by the time it is copied back "
        f"(line {found.read.lineno}), it holds those of the last step"
    )
    yield Report(node, message, fix=fix(Applicability.SAFE, *copied_weights(facts, node)))


def _may_be_kept(facts: Facts, node: ast.expr) -> bool:
    """By the syntax alone."""
    names = uses_in(facts).names
    match node:
        case ast.Attribute(attr="data") | ast.Call(func=ast.Attribute(attr="detach")):
            return bool(names.calls.get("copy_") or names.stored.get("data"))
        case ast.Call(func=ast.Name(id="list" | "dict" | "tuple"), args=[_]):
            pass
        case ast.ListComp() | ast.DictComp():
            pass
        case _:
            return False
    return any(names.calls.get(n) for n in ("copy_", "load_state_dict")) or "data" in names.stored


def _is_found_by_name(facts: Facts, node: ast.expr) -> bool:
    """Is it kept under a name, and found where that is read?"""
    statement = facts.index.statement_of(node)
    return isinstance(statement, (ast.Assign, ast.Expr)) and any(
        node in ast.walk(alias.node) and stale(facts, alias) is not None
        for alias in aliases_in(facts, statement)
    )


def _undoes_training(call: ast.Call, loaded: int, facts: Facts) -> bool:
    """Is the state taken once, before any loop, and does the function return the model into which
    it is loaded at the end?"""
    assert isinstance(call.func, ast.Attribute)
    statement, function = facts.index.statement_of(call), facts.index.function_of(call)
    if function is None or facts.index.loops_around(call) or not isinstance(statement, ast.Assign):
        return False
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or len(uses_in(facts).names.stores(target)) > 1:
        return False
    owner = ast.dump(call.func.value)
    return any(
        isinstance(node, ast.Return)
        and node.lineno > loaded
        and owner in {ast.dump(part) for part in ast.walk(node)}
        for node in facts.index.body_nodes(function)
    )


def _asks_a_model(method: ast.expr, facts: Facts) -> bool:
    """Not a `state_dict` of its own that gives copies, or what the object has put aside."""
    ref = facts.value(method).ref
    if not isinstance(ref, Closure):
        return True
    asks = calls_any(ref.node, ("state_dict", "parameters", "named_parameters"))
    return asks and not calls_any(ref.node, ("clone", "deepcopy"))


def _is_model(owner: ast.expr, facts: Facts) -> bool:
    """Not an optimizer's, a scheduler's or a scaler's state."""
    value = facts.value(owner)
    if value.kind == Kind.MODULE:
        return True
    name = (last_name(owner) or "").lower()
    others = ("opt", "sched", "scaler", "loader", "sampler", "meter", "metric", "stopper")
    return bool(value.kind & (Kind.UNKNOWN | Kind.MODULE | Kind.OBJECT)) and not any(
        word in name for word in others
    )


def _copied(facts: Facts, kept: Kept) -> tuple[Edit, ...]:
    """The edits that copy the tensors where the dict is taken."""
    if kept.element is not None:  # `{k: v for k, v in model.state_dict().items()}`
        end = facts.source.span(kept.element)[1]
        return (Edit(end, end, ".clone()"),)
    start, end = facts.source.span(kept.node)
    shallow = kept.shallow
    if shallow is not None:  # `copy.copy(...)`, `dict(...)`
        start, end = facts.source.span(shallow.func)
        spelled = spell(facts, "copy.deepcopy", kept.node)
        return (*spelled.edits, Edit(start, end, spelled.code))
    spelled = spell(facts, "copy.deepcopy", kept.node)
    return (*spelled.edits, Edit(start, start, f"{spelled.code}("), Edit(end, end, ")"))
