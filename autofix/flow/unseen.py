"""Calls that lead out of the file: what they may do to gradients."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autofix.flow.events import Event, What, loss_of
from autofix.flow.handles import Scope, handles
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.roles import is_optimizer
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

_MAY_TRAIN = re.compile(r"(?i)back|train|step|update|optim|fit\b|grad|epoch|run|closure|learn")
_ON_GRADIENTS = re.compile(r"backward|step|grad|optim|zero_")
_BEGINS = re.compile(r"(?i)clear|clean|reset|zero|flush|empty|begin|start|before|prepare")
"""No optimizer of torch has such a method: one that has is the author's, and may reset there."""
_HARMLESS_FUNCTIONS = frozenset(
    {"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "train_test_split"}
    | {"set_grad_enabled", "no_grad", "enable_grad", "is_grad_enabled"}
)
_HARMLESS = _HARMLESS_FUNCTIONS | {"update", "unscale_", "state_dict", "load_state_dict", "append"}
_HARMLESS |= {"train", "eval", "prepare", "add_param_group", "get_last_lr"}


def led_out(
    node: ast.Call, scope: Scope, chain: tuple[ast.stmt, ...], facts: Facts
) -> Iterator[Event]:
    """What a call that leads out of the file may do."""
    name = last_name(node.func) or ""
    if name in (_HARMLESS if isinstance(node.func, ast.Attribute) else _HARMLESS_FUNCTIONS):
        return
    if name[:1].isupper() or (facts.library_name(node.func) or "").startswith("torch."):
        return
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    named = [a for a in given if isinstance(a, (ast.Name, ast.Attribute))]
    optimizers = [a for a in named if is_optimizer(a, facts)]
    for one in optimizers:
        yield Event(What.TOUCH, node, chain, handles(one, scope, facts), one, scope)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if owner is not None and _BEGINS.search(name) and is_optimizer(owner, facts):
        yield Event(What.TOUCH, node, chain, handles(owner, scope, facts), owner, scope)
        return
    what = What.HIDDEN if optimizers else _may_do(node, name, chain[-1], facts)
    if any(isinstance(one, ast.Name) and one.id == "self" for one in given):
        what = what or What.TOUCH  # `getattr(hook, event)(self)`: hooks have all of a trainer
    if what is not None:
        yield Event(what, node, chain)


def _may_do(node: ast.Call, name: str, statement: ast.stmt, facts: Facts) -> What | None:
    """What happens in a call, as far as its name, its result and its code in another file tell;
    None if nothing does that matters."""
    if not _MAY_TRAIN.search(name) or _is_known_to_compute(node, facts):
        return None
    return What.UNSEEN if _is_backpropagated(node, statement, facts) else What.HIDDEN


def _is_known_to_compute(node: ast.Call, facts: Facts) -> bool:
    """Is it a function of another file that touches no gradient and calls none that may?"""
    ref = facts.value(node.func).ref
    if not isinstance(ref, Closure) or not is_foreign(ref.node):
        return False
    words = {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in walk(ref.node)
        if isinstance(part, (ast.Attribute, ast.Name))
    }
    return not any(_ON_GRADIENTS.search(word) or _MAY_TRAIN.search(word) for word in words)


def _is_backpropagated(node: ast.Call, statement: ast.stmt, facts: Facts) -> bool:
    """`loss = closure()`, and `loss.backward()` below: nothing has been run backwards through the
    result, which would have freed its graph."""
    names = uses_in(facts).names
    for call in names.calls.get("backward", ()):
        loss = loss_of(call)
        if any(keyword.arg == "retain_graph" for keyword in call.keywords) or loss is None:
            continue
        named = isinstance(loss, ast.Name) and loss.id in _bound(node, statement)
        here = facts.index.function_of(call) is facts.index.function_of(node)
        if loss is node or (named and here):
            return True
    return False


def _bound(node: ast.Call, statement: ast.stmt) -> set[str]:
    if not isinstance(statement, ast.Assign) or statement.value is not node:
        return set()
    return {n.id for target in statement.targets for n in walk(target) if isinstance(n, ast.Name)}
