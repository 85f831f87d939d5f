"""Parameters that come while an optimizer is at work: they get a group of their own."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from autofix.codemods.training._replaced import Replaced, reads
from autofix.flow.facts import Facts
from autofix.flow.handles import Handles, Scope, handles, related
from autofix.flow.index import last_name
from autofix.flow.roles import scheduler_class
from autofix.flow.syntax import argument, calls_in
from autofix.model import Edit
from autofix.rewrite.statements import insert_after

GAINS = re.compile(
    r"add_param_group|param_groups\s*(?:\[[^\]]*\]\s*\[\s*['\"]params['\"]\s*\]\s*)?"
    r"(?:\+=|=[^=]|\.\s*(?:append|extend|insert))"
)
"""How an optimizer that is there gets more to train."""

_NO_GROUPS = ("LBFGS",)


def added_groups(
    call: ast.Call,
    target: ast.expr,
    brought: Sequence[tuple[ast.stmt, Replaced]],
    facts: Facts,
) -> tuple[Edit, ...] | None:
    """`opt.add_param_group({"params": model.fc.parameters()})` behind each replacement, with what
    the group of the old parameters was set to; None if that cannot be told."""
    if last_name(call.func) in _NO_GROUPS or is_scheduled(target, facts):
        return None
    edits: dict[str, Edit] = {}
    for statement, one in brought:
        part = one.node
        if one.whole or not one.direct or not isinstance(statement, ast.Assign):
            return None
        if not isinstance(part, (ast.Attribute, ast.Subscript)):
            return None
        settings = _settings(call, part, facts)
        if settings is None or not _is_module(statement.value, facts):
            return None
        name = facts.source.segment(part)
        group = ", ".join([f'"params": {name}.parameters()', *settings])
        code = f"{ast.unparse(target)}.add_param_group({{{group}}})"
        edits[name] = insert_after(facts, statement, code)
    return tuple(edits.values()) or None


def is_scheduled(target: ast.expr, facts: Facts) -> bool:
    """A schedule counts the groups when it is made, and takes no other number of them later."""
    around = facts.index.function_of(target) or facts.tree
    return any(
        scheduler_class(call, facts) and reads(target, [ast.Expr(call)], facts)
        for call in calls_in(around)
    )


def _is_module(value: ast.expr, facts: Facts) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func) != "Parameter"


def _settings(call: ast.Call, part: ast.expr, facts: Facts) -> list[str] | None:
    """`"lr": 1e-3` of the group in which the old parameters are."""
    given = argument(call, 0, "params")
    if isinstance(given, ast.Call) and last_name(given.func) in ("list", "tuple") and given.args:
        given = given.args[0]
    if isinstance(given, ast.Call) and last_name(given.func) == "parameters":
        return []
    if not isinstance(given, ast.List):
        return None
    scope = Scope(facts.index.function_of(part))
    place = handles(part, scope, facts)
    groups = [g for g in given.elts if isinstance(g, ast.Dict) and _holds(g, place, scope, facts)]
    if len(groups) != 1 or len(given.elts) != sum(isinstance(g, ast.Dict) for g in given.elts):
        return None
    return _others_of(groups[0], facts)


def _holds(group: ast.Dict, place: Handles, scope: Scope, facts: Facts) -> bool:
    """Is the part, or what it is a part of, what the group was made of?"""
    owners = [
        call.func.value
        for key, value in zip(group.keys, group.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "params"
        for call in calls_in(value)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "parameters"
    ]
    return any(
        len(whole) <= len(one) and related(one, whole)
        for owner in owners
        for whole in handles(owner, scope, facts)
        for one in place
    )


def _others_of(group: ast.Dict, facts: Facts) -> list[str] | None:
    found: list[str] = []
    for key, value in zip(group.keys, group.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return None
        if key.value == "params":
            continue
        if not isinstance(value, ast.Constant):
            return None  # it may be another value by then
        found.append(f"{facts.source.segment(key)}: {facts.source.segment(value)}")
    return found
