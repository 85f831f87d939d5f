"""What has a `step` or a `backward` and is neither an optimizer nor a tensor."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.roles import is_optimizer
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

_TRAINS = re.compile(r"(?i)engine|trainer|accelerator|learner|model")


def is_engine(owner: ast.expr | None, facts: Facts) -> bool:
    """Is the backward pass the object's, too, as in `engine.backward(loss)`?"""
    return owner is not None and any(
        bool(call.args)
        and isinstance(call.func, ast.Attribute)
        and ast.dump(call.func.value) == ast.dump(owner)
        for call in uses_in(facts).names.calls.get("backward", ())
    )


def takes_loss(step: ast.Call, facts: Facts) -> bool:
    """`opt.step(loss)`, `opt.step(losses)`: it differentiates that itself, and keeps no gradients
    for later, or may do so in another file. (A closure is a function, or the argument of one.)"""
    given = step.args[0] if step.args else None
    if not isinstance(given, ast.Name) or not isinstance(step.func, ast.Attribute):
        return False
    if is_optimizer(given, facts):  # `scaler.step(optimizer)`
        ref = facts.value(step.func).ref
        return isinstance(ref, Closure) and is_foreign(ref.node)  # which may do more
    if facts.value(given).kind == Kind.TENSOR:
        return True
    stores = uses_in(facts).names.stores(given)
    made = [_made_by(store, facts) for store in stores]
    return bool(made) and all(
        isinstance(one, ast.Assign)
        and isinstance(one.value, (ast.Call, ast.BinOp, ast.List, ast.ListComp))
        and last_name(getattr(one.value, "func", one.value)) != "partial"
        for one in made
    )


def _made_by(store: ast.expr, facts: Facts) -> ast.AST | None:
    """The assignment, also of `loss, accuracy = ...`."""
    parent = facts.index.parents.get(store)
    return facts.index.parents.get(parent) if isinstance(parent, ast.Tuple) else parent


def is_distributed(func: ast.expr, facts: Facts) -> bool:
    name = facts.library_name(func) or ""
    return name.startswith("torch.distributed.autograd")


def may_train(owner: ast.expr) -> bool:
    """By its name: schedulers, environments and profilers have a `step` as well."""
    return _TRAINS.search(last_name(owner) or "") is not None
