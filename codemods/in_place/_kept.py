"""Repairs where something is kept: the operation gets, or hands on, a copy of its own."""

from __future__ import annotations

import ast

from autofix.codemods.in_place._places import Place
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.flow.syntax import all_arguments
from autofix.flow.unit import is_foreign
from autofix.flow.values import Kind
from autofix.flow.writes import Break
from autofix.model import Edit

_TIGHT = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)


def clone_kept(breaks: tuple[Break, ...], place: Place, facts: Facts) -> list[Edit]:
    """`.clone()` for all that the write would spoil. Values, memory and aliases stay as they are,
    but for one copy more."""
    edits: dict[Edit, None] = {}
    for one in breaks:
        for node in _kept(one, place, facts):
            edits.update(dict.fromkeys(cloned(node, facts)))
    return list(edits)


def _kept(one: Break, place: Place, facts: Facts) -> list[ast.expr]:
    """The expressions, next to the write if possible, that give what is kept."""
    here = facts.index.function_of(place.statement)
    memory = facts.program.writes.memory(facts.value(place.base).storage)
    for call in one.save.calls:
        if facts.index.function_of(call) is here and isinstance(call, ast.Call):
            parts = [call] if one.save.own else all_arguments(call)
            shared = [p for p in parts if _is_tensor(p, facts) and _memory(p, facts) & memory]
            if shared:
                return shared
    node = one.save.node
    found = [node] if one.save.own else list(one.save.operands)
    if is_foreign(node):
        raise DeclinedError("what is kept is kept in another file")
    if not found or not all(isinstance(n, ast.expr) and _is_tensor(n, facts) for n in found):
        raise DeclinedError("what is kept has no expression of its own that could be copied")
    return [n for n in found if isinstance(n, ast.expr)]


def _is_tensor(node: ast.expr, facts: Facts) -> bool:
    return facts.value(node).kind == Kind.TENSOR


def _memory(node: ast.expr, facts: Facts) -> frozenset[int]:
    return facts.value(node).storage


def cloned(node: ast.expr, facts: Facts) -> list[Edit]:
    start, end = facts.source.span(node)
    if isinstance(node, _TIGHT):
        return [Edit(end, end, ".clone()")]
    return [Edit(start, start, "("), Edit(end, end, ").clone()")]
