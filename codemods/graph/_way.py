"""Where following a value led."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.objects import Instance
from autofix.flow.uses import Uses
from autofix.model import Edit


@dataclass(frozen=True, slots=True)
class Way:
    """Where following an expression led: to a tensor or not, and what has to be rewritten."""

    joined: bool = False
    edits: tuple[Edit, ...] = ()


OFF = Way()


def calls_of(function: FunctionNode, uses: Uses) -> list[ast.Call]:
    """The calls in this file that surely call `function`; `model(x)` calls its `forward`."""
    found = list(uses.calls_of(function))
    if isinstance(function, FUNCTIONS) and function.name in ("forward", "__call__"):
        owner = uses.facts.index.parents.get(function)
        for calls in uses.names.calls.values() if isinstance(owner, ast.ClassDef) else ():
            for call in calls:
                ref = uses.facts.value(call.func).ref
                if isinstance(ref, Instance) and any(i.node is owner for i in ref.info.lineage):
                    found.append(call)
    return found
