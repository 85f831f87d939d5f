"""Objects that code which is not seen has in its hands: it may put anything into them.

What they hold stays what it was seen to be, but is no proof any more that there is no graph: see
`UNSEEN`.
"""

from __future__ import annotations

import re

from autofix.flow.frame import Frame
from autofix.flow.joins import join, sequence
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.values import UNKNOWN, UNSEEN, Graph, Kind, Value

_DEPTH = 4
_LOOKS = re.compile(r"(?i)_*(?:log|print|plot|show|save|write|dump|add_|im|info|debug|warn|report)")


def doubted(value: Value, depth: int = _DEPTH) -> Value:
    """The same, but for what looks like a constant: that may have been replaced by something."""
    if value.kind & (Kind.TENSOR | Kind.UNKNOWN) and value.graph == Graph.NO:
        return value.but(cuts=value.cuts | UNSEEN)
    if not depth or not value.kind & (Kind.SEQUENCE | Kind.DICT):
        return value
    below = depth - 1
    return value.but(
        elem=value.elem and doubted(value.elem, below),
        items=value.items and tuple(doubted(item, below) for item in value.items),
        entries=value.entries and {k: doubted(v, below) for k, v in value.entries.items()},
    )


def expose(value: Value, frame: Frame, depth: int = _DEPTH) -> None:
    """From now on, what is in an object (a list, a dict or one with attributes) is in doubt."""
    if not depth:
        return
    if value.kind & (Kind.SEQUENCE | Kind.DICT):
        value = frame.state.look(value)
        for inner in value.inner:
            expose(inner, frame, depth - 1)
        if value.aliases:
            frame.state.store(value, _filled(doubted(value, depth)))
    elif isinstance(value.ref, Instance):
        expose_attributes(value.ref, frame, depth)


def expose_attributes(
    instance: Instance, frame: Frame, depth: int = _DEPTH, all_of_them: bool = False
) -> None:
    """Of a module, perhaps only those that it sets anew when it is called."""
    bound = frame.state.bound
    names = {key[1] for key in bound if isinstance(key, tuple) and key[0] == instance.identity}
    if instance.info.is_module and not all_of_them:
        names &= _set_later(instance.info, frame)
    for name in names:
        held = bound[instance.identity, name]
        expose(held, frame, depth - 1)
        unset = held.kind in (Kind.NONE, Kind.NUMBER)
        bound[instance.identity, name] = join(held, UNKNOWN) if unset else doubted(held, depth)


def _set_later(info: ClassInfo, frame: Frame) -> set[str]:
    from autofix.flow.instances import stored_attributes

    methods = [method for method in info.methods() if method.name != "__init__"]
    return {name for method in methods for name in stored_attributes(method, frame)}


def _filled(value: Value) -> Value:
    """An empty list or dict need not be empty any more."""
    if value.inner:
        return value
    if value.kind == Kind.DICT:
        return value.but(elem=UNKNOWN, entries=None)
    return sequence(None, UNKNOWN, aliases=value.aliases, empty=True)


def hand_out(given: list[Value], name: str | None, frame: Frame) -> None:
    """Code that is not seen, called by that name, is given these values."""
    if not frame.state.grad or (name is not None and _LOOKS.match(name)):
        return
    for value in given:
        expose(value, frame)
    if any(each.graph > Graph.NO for value in given for each in (value, *value.inner)):
        for value in given:
            for one in (value, *value.inner):
                if one.is_tensor and one.graph == Graph.NO:
                    _doubt_memory(one, frame)


def _doubt_memory(value: Value, frame: Frame) -> None:
    written = Value(Kind.TENSOR, cuts=UNSEEN)
    for one in (frame, *frame.scopes, *frame.program.callers):
        one.state.mutate(value, written)
