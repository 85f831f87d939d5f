"""Functions that stand in a list and are called one after the other by a loop."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


@dataclass(frozen=True)
class Stage:
    element: ast.expr
    """Where the list names the function."""
    function: FunctionNode


@functools.lru_cache(maxsize=4)
def stages_in(facts: Facts) -> dict[ast.For, list[Stage]]:
    """For `for stage in self.stages: stage(batch)`: the functions that the loop calls, where their
    list is written out once and only such loops read it."""
    found: dict[ast.For, list[Stage]] = {}
    for loop in facts.index.of_kind(ast.For):
        if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name):
            continue
        if not any(_calls(call, loop.target.id) for s in loop.body for call in calls_in(s)):
            continue
        elements = _written_out(loop.iter, facts)
        known = [(one, callee(one, facts)) for one in elements]
        if known and all(one is not None for _, one in known):
            found[loop] = [Stage(element, one[0]) for element, one in known if one is not None]
    return found


def _calls(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == name


def _written_out(many: ast.expr, facts: Facts) -> list[ast.expr]:
    names = uses_in(facts).names
    stores: list[ast.expr] = []
    reads: list[ast.expr] = []
    if isinstance(many, ast.Name):
        stores, reads = [*names.stores(many)], [*names.all_loads(many)]
    elif isinstance(many, ast.Attribute):
        stores, reads = [*names.stored.get(many.attr, ())], [*names.attributes.get(many.attr, ())]
    if stores:
        made = facts.index.parents.get(stores[0])
        only = len(stores) == 1 and isinstance(made, ast.Assign) and made.targets == stores
        loops = [facts.index.parents.get(read) for read in reads]
        if not only or not all(isinstance(one, ast.For) for one in loops):
            return []
        assert isinstance(made, ast.Assign)
        many = made.value
    listed = isinstance(many, (ast.List, ast.Tuple))
    return many.elts if listed else []  # type: ignore[attr-defined]


def callee(func: ast.expr, facts: Facts) -> tuple[FunctionNode, int] | None:
    """The function of this file that a call of `func` runs, and how many arguments come unseen."""
    ref = facts.value(func).ref
    if isinstance(ref, Closure):
        return ref.node, int(ref.bound_to is not None)
    if isinstance(ref, ClassInfo):
        return None
    if isinstance(func, ast.Name):
        known = uses_in(facts).names.function_named(func)
        return (known, 0) if known is not None else None
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        owner = facts.index.class_of(func) if func.value.id == "self" else None
        for method in owner.body if owner is not None else ():
            if isinstance(method, FUNCTIONS) and method.name == func.attr:
                return method, 1
    return None
