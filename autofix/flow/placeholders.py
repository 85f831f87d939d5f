"""Attributes of global objects that begin as a number or None, and that functions set later on."""

from __future__ import annotations

import ast
import functools

from autofix.flow.index import Index
from autofix.flow.joins import join
from autofix.flow.objects import Instance
from autofix.flow.program import Program
from autofix.flow.state import Key
from autofix.flow.values import UNKNOWN, Kind, Value


def unsettle(heap: dict[Key, Value], program: Program) -> None:
    """`agent.value = 0` in `__init__`, and `agent.value = critic(x)` in a function: what another
    function finds there is not known."""
    module = program.module
    for name, attribute in _set_by_functions(module.index):
        owner = module.state.bound.get(name)
        if owner is None or not isinstance(owner.ref, Instance):
            continue
        key = (owner.ref.identity, attribute)
        value = heap.get(key)
        if value is not None and value.kind in (Kind.NUMBER, Kind.NONE):
            heap[key] = join(value, UNKNOWN)


@functools.lru_cache(maxsize=8)
def _set_by_functions(index: Index) -> tuple[tuple[str, str], ...]:
    found = [
        (node.value.id, node.attr)
        for node in index.of_kind(ast.Attribute)
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)
        if (function := index.function_of(node)) is not None
        if node.value.id not in index.bound_names(function)
    ]
    return tuple(dict.fromkeys(found))
