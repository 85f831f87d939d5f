"""Statements after which an optimizer is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autofix.codemods.training._made_by import held_by_maker, held_by_method
from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope
from autofix.flow.index import last_name, root_name
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.turns import held_by_call
from autofix.model import Edit
from autofix.rewrite.statements import insert_after

_DISPLAYS = (ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp)


@dataclass(frozen=True)
class Made:
    """`opt = Adam(model.parameters())`, `trainer = Trainer(model)`, `self.set_up()`"""

    statement: ast.Assign | ast.AnnAssign | ast.Expr
    call: ast.Call
    target: ast.Name | ast.Attribute | ast.Subscript
    held: Handles
    plain: bool
    """The call itself makes the optimizer."""
    besides: frozenset[str] = frozenset()
    """Attributes that are set with it."""
    one_of_several: bool = False
    """The statement gives values to other names too: `opt, criterion = Adam(...), MSELoss()`."""


def made_here(node: ast.stmt, later: Sequence[ast.stmt], facts: Facts) -> Iterator[Made]:
    """What a statement makes of which later ones may touch something."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name())) as call):
            found = held_by_method(call, facts)
            if found is not None and _is_touched(call, later):
                target, held, stores = found
                besides = frozenset(s.attribute for s in stores) - {target.attr}
                yield Made(node, call, target, held, False, besides)
        case ast.Assign(targets=[ast.Tuple(elts=places)], value=ast.Tuple(elts=values)):
            if len(places) == len(values):
                for place, value in zip(places, values, strict=True):
                    for one in _kept_as(node, place, value, later, facts):
                        yield replace(one, one_of_several=True)
        case ast.Assign(targets=[place], value=value):
            yield from _kept_as(node, place, value, later, facts)
        case ast.AnnAssign(target=place, value=ast.expr() as value):
            yield from _kept_as(node, place, value, later, facts)


def _kept_as(
    node: ast.Assign | ast.AnnAssign,
    place: ast.expr,
    value: ast.expr,
    later: Sequence[ast.stmt],
    facts: Facts,
) -> Iterator[Made]:
    if not isinstance(place, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    scope = Scope(facts.index.function_of(node))
    if isinstance(value, ast.Call):
        plain = (last_name(value.func) or "")[:1].isupper() and optimizer_class(value, facts)
        if plain or _is_touched(value, later):
            known = (held_by_call if plain else held_by_maker)(value, scope, facts)
            if known:
                yield Made(node, value, place, known, bool(plain))
    elif isinstance(value, _DISPLAYS):  # `{"body": Adam(...), "head": SGD(...)}`
        calls = [call for call in calls_in(value) if optimizer_class(call, facts)]
        held = [held_by_call(call, scope, facts) for call in calls]
        known = NOBODY.union(*(one for one in held if one))
        if known and all(held):
            yield Made(node, calls[0], place, known, False)


def _is_touched(call: ast.Call, later: Sequence[ast.stmt]) -> bool:
    """By the syntax alone: is anything that a call is given set or called with further down?"""
    parts = (n for one in [call.func, *all_arguments(call)] for n in ast.walk(one))
    given = {n.id for n in parts if isinstance(n, ast.Name)}
    for node in (n for statement in later for n in ast.walk(statement)):
        if isinstance(node, ast.Call):
            touched = {root_name(node.func), *map(root_name, all_arguments(node))}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            touched = {root_name(node)}
        else:
            continue
        if given & touched:
            return True
    return False


def taken_out(made: Made, behind: ast.stmt, facts: Facts) -> tuple[Edit, ...] | None:
    """The edits that make the optimizer behind a later statement, and leave the other names of
    `opt, criterion = Adam(...), MSELoss()` where they are."""
    match made.statement:
        case ast.Assign(targets=[ast.Tuple(elts=places)], value=ast.Tuple(elts=values)) as node:
            at = places.index(made.target)
        case _:
            return None
    sides = [places[:at] + places[at + 1 :], values[:at] + values[at + 1 :]]
    starred = any(isinstance(part, ast.Starred) for part in (*places, *values))
    if not sides[0] or starred or "#" in facts.source.segment(node):
        return None
    rest = " = ".join(", ".join(map(facts.source.segment, side)) for side in sides)
    code = f"{facts.source.segment(made.target)} = {facts.source.segment(made.call)}"
    start, end = facts.source.span(node)
    return (Edit(start, end, rest), insert_after(facts, behind, code))
