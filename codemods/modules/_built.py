"""What is set while an object is made, and at no other time."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import combinations

from autofix.flow.class_table import ClassTable, How, Method, Store, methods_of, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import calls_in, is_none
from autofix.flow.uses import uses_in

_BRANCHES = 4
_BUILDERS = frozenset({"__init__", "build", "reset_parameters", "setup"})
"""Others call them, too, but to build."""


def building(lineage: Iterable[ast.ClassDef]) -> set[str]:
    """`__init__` and the methods that it calls, directly or not."""
    methods: dict[str, list[Method]] = {}
    for node in lineage:
        for method in methods_of(node):
            methods.setdefault(method.name, []).append(method)
    found, todo = {"__init__"}, ["__init__"]
    while todo:
        called = {last_name(c.func) for m in methods.get(todo.pop(), ()) for c in calls_in(m)}
        new = [name for name in methods if name in called and name not in found]
        found.update(new)
        todo += new
    return found


def runs_once(facts: Facts, lineage: tuple[ast.ClassDef, ...], method: Method) -> bool:
    """Is it run when the object is made, and by nothing else in this file?"""
    if method.name in _BUILDERS:
        return True
    built = building(lineage)
    if method.name not in built:
        return False
    return all(
        _is_own(facts, call, built) for call in uses_in(facts).names.calls.get(method.name, ())
    )


def _is_own(facts: Facts, call: ast.Call, built: set[str]) -> bool:
    """`self.make()`, in a method that builds."""
    caller = facts.index.function_of(call)
    if not isinstance(caller, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    me = self_name(caller) if facts.index.class_of(call) is not None else None
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    own = isinstance(owner, ast.Name) and owner.id == me
    above = isinstance(owner, ast.Call) and last_name(owner.func) == "super"
    return caller.name in built and (own or above)


def places_of(facts: Facts, table: ClassTable, stores: list[Store]) -> list[Store]:
    """The one place that sets the attribute when the object is made; or one in each branch."""
    real = [s for s in stores if not is_none(s.value) and s.how not in (How.ELEMENT, How.AUGMENTED)]
    if not real or len(real) > _BRANCHES:
        return []
    method = real[0].method
    if any(s.method is not method for s in stores[:9] if not is_none(s.value)):
        return []  # updated later
    if any(s.how != How.ASSIGNED or s.owner is not table.node for s in real):
        return []
    apart = all(exclude(facts, a.statement, b.statement) for a, b in combinations(real, 2))
    return real if apart and runs_once(facts, table.lineage, method) else []


def exclude(facts: Facts, one: ast.stmt, other: ast.stmt) -> bool:
    """Do they stand in different branches of one condition?"""
    arms = [
        {(id(above), below in above.orelse) for below, above in _upwards(facts, statement)}
        for statement in (one, other)
    ]
    return any((owner, not arm) in arms[1] for owner, arm in arms[0])


def _upwards(facts: Facts, statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.If]]:
    at: ast.AST = statement
    for above in facts.index.ancestors(statement):
        if isinstance(above, ast.If):
            yield at, above
        at = above
