"""When is it certain that weights which no optimizer is given were meant to be trained?"""

from __future__ import annotations

import ast
import re

from autofix.codemods.modules._kept import Kept
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.torch_api import is_optimizer
from autofix.flow.unit import Unit
from autofix.flow.users import users
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk
from autofix.model import Applicability

_LOADS = re.compile(
    r"\bload_state_dict\b|\btorch\.load\b|\bload_from_checkpoint\b|\bsafetensors\b|\bckpt_path\b"
)


def trained_here(facts: Facts, node: ast.ClassDef) -> bool:
    """Is `x.parameters()` given to an optimizer, in this file or in one that imports the class, and
    loads none of them a checkpoint whose keys could be others?"""
    if _LOADS.search(facts.source.text):
        return False
    others = list(users(facts, node.name))
    if any(_LOADS.search(user.source.text) for user in others):
        return False
    return _gives_parameters(facts) or any(_optimizes(user) for user in others)


def _gives_parameters(facts: Facts) -> bool:
    if "parameters()" not in facts.source.text:
        return False
    for call in (c for calls in uses_in(facts).names.calls.values() for c in calls):
        if "parameters()" in facts.source.segment(call) and is_optimizer(
            facts.library_name(call.func) or ""
        ):
            return True
    return False


def _optimizes(user: Unit) -> bool:
    return any(
        isinstance(call, ast.Call)
        and is_optimizer(f"torch.optim.{last_name(call.func)}")
        and any(isinstance(n, ast.Attribute) and n.attr == "parameters" for n in walk(call))
        for call in user.index.of_kind(ast.Call)
    )


def tier(facts: Facts, kept: Kept) -> Applicability:
    """Safe where nothing but training can change."""
    sure = kept.table.is_module is True and kept.certain
    trained = sure and trained_here(facts, kept.table.node)
    return Applicability.SAFE if trained else Applicability.UNSAFE
