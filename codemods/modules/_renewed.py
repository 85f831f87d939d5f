"""Lists of modules that methods bind anew while a program runs: samples of weights, snapshots."""

from __future__ import annotations

import ast

from autofix.codemods.modules._kept import Kept
from autofix.flow.class_table import methods_of
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in


def made_while_running(facts: Facts, kept: Kept) -> bool:
    """Is every list with something in it made by a method that neither the constructor nor code
    outside of the class calls here? An optimizer has what it trains by then."""
    filled = [root for root in kept.roots if getattr(root.value, "elts", None) != []]
    building = _building(kept.roots[0].owner)
    return (
        bool(filled)
        and not kept.fills
        and all(root.method.name not in building for root in filled)
        and all(
            facts.index.class_of(call) is root.owner
            for root in filled
            for call in uses_in(facts).names.calls.get(root.method.name, ())
        )
    )


def _building(node: ast.ClassDef) -> set[str]:
    """`__init__` and the methods that it calls, directly or not."""
    methods = {method.name: method for method in methods_of(node)}
    found, todo = {"__init__"}, ["__init__"]
    while todo:
        method = methods.get(todo.pop())
        called = {last_name(c.func) for c in calls_in(method)} if method is not None else set()
        new = [name for name in methods if name in called and name not in found]
        found.update(new)
        todo += new
    return found
