"""A lifted value that a function returns: where the function is called."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._lifted_abroad import is_needed_abroad
from autofix.codemods.graph._lifted_dicts import received
from autofix.codemods.graph._lifted_rest import kept
from autofix.codemods.graph._way import OFF, Way, calls_of
from autofix.flow.index import last_name
from autofix.model import Edit

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift


def returned(
    lift: Lift, node: ast.expr, form: Form, mixed: bool, position: int | None = None
) -> Way:
    """What the function around `node` returns is lifted: in all its calls."""
    function = lift.facts.index.function_of(node)
    if function is None:
        return OFF
    ways: list[tuple[ast.expr, Way]] = []
    calls: list[ast.expr] = [*calls_of(function, lift.uses)]
    if calls:
        lift.exact = lift.exact and form == Form.NUMBER
    for call in (*lift.uses.property_reads(function), *calls):
        if position is None:
            ways.append((call, lift.follow(call, form, mixed)))
            continue
        parent = lift.facts.index.parents.get(call)
        match parent:
            case ast.Assign(targets=[ast.Tuple(elts=names)]) if position < len(names):
                ways.append((call, lift.bind(names[position], form, mixed)))
            case ast.Subscript(slice=ast.Constant(value=at)) if at == position:
                ways.append((parent, lift.follow(parent, form, mixed)))
            case ast.Assign() | ast.Starred():
                ways.append((call, spread(lift, call, position, form)))
    joined = any(way.joined for _, way in ways)
    if not joined and (form != Form.ARRAY or _is_list(lift)) and position is None:
        joined = is_needed_abroad(function, lift.export, lift.facts)
    if not joined:
        return OFF
    lift.exact = False  # whoever else calls it gets a tensor now
    edits: list[Edit] = []
    for result, way in ways:
        if way.joined:
            edits += way.edits
        elif position is None and (edited := kept(lift, result, form, mixed)):
            if form == Form.ARRAY and lift.facts.index.class_of(function) is not None:
                name = getattr(function, "name", "the method")
                raise CannotLift(f"`{name}` is there to give arrays to other callers, too")
            edits += edited
    return Way(True, tuple(dict.fromkeys(edits)))


def _is_list(lift: Lift) -> bool:
    """Are the numbers in a Python list, `x.tolist()`? Whoever takes one calls no numpy on it."""
    whole = lift.export.whole
    return isinstance(whole, ast.Call) and last_name(whole.func) == "tolist"


def spread(lift: Lift, holder: ast.expr, position: int, form: Form) -> Way:
    """A tuple with the value in one place: where it is unpacked, read there, or handed on as the
    arguments of a function."""
    parent = lift.facts.index.parents.get(holder)
    match parent:
        case ast.Assign(targets=[ast.Tuple(elts=names)]) if position < len(names):
            return lift.bind(names[position], form, True)
        case ast.Assign(targets=[ast.Name() as target]):
            names_ = lift.uses.names
            loads = dict.fromkeys([*names_.loads(target), *names_.next_turn(target)])
            return lift.both(*(spread(lift, load, position, form) for load in loads))
        case ast.Subscript(slice=ast.Constant(value=at), ctx=ast.Load()) if at == position:
            return lift.loads([parent], form, lambda load: True)
        case ast.Starred():
            call = lift.facts.index.parents.get(parent)
            if isinstance(call, ast.Call) and call.args[-1:] == [parent]:
                reads = received(lift, call, len(call.args) - 1 + position, None)
                return lift.loads(reads, form, lambda load: True)
    return OFF
