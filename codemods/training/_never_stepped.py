"""Optimizers that nothing steps, as far as all the code that can get at them shows."""

from __future__ import annotations

import ast
import re

from autofix.flow.class_table import self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import optimizer_class, scheduler_class
from autofix.flow.users import around, users
from autofix.flow.uses import uses_in

_CALM = frozenset({"zero_grad", "param_groups", "state_dict", "load_state_dict"})
_BY_NAME = re.compile(
    r"(?<!\.)\b(?:getattr|vars|locals|globals|attrgetter|eval|exec)\s*\(|\b__dict__\b"
)
"""Code that gets at an optimizer in a way that the syntax does not show."""


def is_never_stepped(optimizer: ast.expr, facts: Facts) -> bool:
    """One name stands for all that is called so: whatever else is done with any of them says no."""
    name = last_name(optimizer)
    if name is None or made_once(optimizer, facts) is None or _is_used_elsewhere(optimizer, facts):
        return False
    loads: list[ast.expr] = [*uses_in(facts).names.attributes.get(name, ())]
    for node in facts.index.of_kind(ast.Name):
        if node.id == name and isinstance(node.ctx, ast.Load):
            loads.append(node)
    return all(_is_calm(one, facts) for one in loads)


def made_once(optimizer: ast.expr, facts: Facts) -> ast.Call | None:
    """The only call in this file that makes what is called so."""
    name = last_name(optimizer)
    stores: list[ast.expr] = [*uses_in(facts).names.stored.get(name or "", ())]
    for node in facts.index.of_kind(ast.Name):
        if node.id == name and isinstance(node.ctx, ast.Store):
            stores.append(node)
    made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    match made:
        case (
            ast.Assign(targets=[_], value=ast.Call() as call)
            | ast.AnnAssign(value=ast.Call() as call)
        ):
            return call if optimizer_class(call, facts) not in (None, "LBFGS") else None
    return None


def _is_used_elsewhere(optimizer: ast.expr, facts: Facts) -> bool:
    """May code of other files, or of this one by way of the name as a string, have it?"""
    if _BY_NAME.search(facts.source.text):
        return True
    function = facts.index.function_of(optimizer)
    if isinstance(optimizer, ast.Name):
        stores = uses_in(facts).names.all_stores(optimizer)
        if not stores or facts.index.function_of(stores[0]) is not None:
            return not stores
        return any(unit.mentions(optimizer.id) for unit in users(facts, optimizer.id))
    owner = facts.index.class_of(optimizer)
    if not isinstance(optimizer, ast.Attribute) or owner is None or function is None:
        return True
    if last_name(optimizer.value) != self_name(function):
        return True
    if facts.class_table(owner).is_module is None:
        return True  # a base that is not known may go through all that its objects keep
    texts = [index.source.text for index in around(facts, owner)]
    return any(optimizer.attr in text or _BY_NAME.search(text) for text in texts)


def _is_calm(use: ast.expr, facts: Facts) -> bool:
    """Does nothing step the optimizer here, or get it under another name?"""
    taker = facts.index.parents.get(use)
    if isinstance(taker, ast.Attribute):
        return taker.attr in _CALM
    call = facts.index.parents.get(taker) if isinstance(taker, ast.keyword) else taker
    return isinstance(call, ast.Call) and scheduler_class(call, facts) is not None
