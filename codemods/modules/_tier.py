"""When is it certain that weights which no optimizer is given were meant to be trained?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.modules._kept import Kept
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.torch_api import is_optimizer
from autofix.flow.unit import Unit
from autofix.flow.users import companions
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk
from autofix.model import Applicability

_LOADS = re.compile(
    r"\bload_state_dict\b|\btorch\.load\b|\bload_from_checkpoint\b|\bsafetensors\b|\bckpt_path\b"
)


def trained_here(facts: Facts, node: ast.ClassDef) -> bool:
    """Is `x.parameters()` given to an optimizer, in this file or in one that goes with those that
    import the class, and loads none of them a checkpoint whose keys could be others?"""
    if _LOADS.search(facts.source.text):
        return False
    others = list(companions(facts, node.name))
    if any(_LOADS.search(user.source.text) for user in others):
        return False
    return _gives_parameters(facts) or any(_optimizes(user) for user in others)


def _gives_parameters(facts: Facts) -> bool:
    if "parameters()" not in facts.source.text:
        return False
    return any(
        is_optimizer(facts.library_name(call.func) or "")
        for calls in uses_in(facts).names.calls.values()
        for call in calls
        if any("parameters()" in facts.source.segment(given) for given in _given(facts, call))
    )


def _given(facts: Facts, call: ast.Call) -> Iterator[ast.expr]:
    """The call, and what the name that it is given stands for: `params = [...]`, `Adam(params)`."""
    yield call
    for argument in call.args[:1]:
        for store in (
            uses_in(facts).names.stores(argument) if isinstance(argument, ast.Name) else ()
        ):
            made = facts.index.parents.get(store)
            if isinstance(made, ast.Assign):
                yield made.value


def _optimizes(user: Unit) -> bool:
    named = {
        target.id
        for made in user.index.of_kind(ast.Assign)
        for target in made.targets
        if isinstance(target, ast.Name) and _asks_for_parameters(made.value)
    }
    return any(
        is_optimizer(f"torch.optim.{last_name(call.func)}")
        and (
            _asks_for_parameters(call)
            or any(isinstance(n, ast.Name) and n.id in named for n in call.args[:1])
        )
        for call in user.index.of_kind(ast.Call)
    )


def _asks_for_parameters(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "parameters" for n in walk(node))


def tier(facts: Facts, kept: Kept) -> Applicability:
    """Safe where nothing but training can change."""
    sure = kept.table.is_module is True and kept.certain
    trained = sure and trained_here(facts, kept.table.node)
    return Applicability.SAFE if trained else Applicability.UNSAFE
