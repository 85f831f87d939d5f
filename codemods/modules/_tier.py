"""When is it certain that weights which no optimizer is given were meant to be trained?"""

from __future__ import annotations

import re

from autofix.codemods.modules._kept import Kept
from autofix.flow.facts import Facts
from autofix.flow.torch_api import is_optimizer
from autofix.flow.uses import uses_in
from autofix.model import Applicability

_LOADS = re.compile(r"\bload_state_dict\b|\btorch\.load\b")


def trained_here(facts: Facts) -> bool:
    """Does this file give `x.parameters()` to an optimizer, and load no checkpoint whose keys could
    be others?"""
    if "parameters()" not in facts.source.text or _LOADS.search(facts.source.text):
        return False
    for call in (c for calls in uses_in(facts).names.calls.values() for c in calls):
        if "parameters()" in facts.source.segment(call) and is_optimizer(
            facts.library_name(call.func) or ""
        ):
            return True
    return False


def tier(facts: Facts, kept: Kept) -> Applicability:
    """Safe where nothing but training can change."""
    sure = kept.table.is_module is True and kept.certain and trained_here(facts)
    return Applicability.SAFE if sure else Applicability.UNSAFE
