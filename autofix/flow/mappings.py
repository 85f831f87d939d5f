"""What dicts hold, key by key."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autofix.flow.exposed import expose
from autofix.flow.joins import join, sequence
from autofix.flow.stores import replace_contents
from autofix.flow.values import NONE, NUMBER, OTHER, STRING, UNKNOWN, Graph, Kind, Value, fresh

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments
    from autofix.flow.frame import Frame


@dataclass(frozen=True, eq=False, slots=True)
class Missing:
    """The reference of a `defaultdict`: what it calls for a key that it does not have."""

    factory: Value
    made: Arguments


def default_dict(given: Arguments, frame: Frame) -> Value:
    """`collections.defaultdict(list)`"""
    if len(given.values) != 1 or given.keywords or not given.exact:
        return UNKNOWN
    identity = fresh()
    missing = Missing(given.values[0], given)
    made = Value(Kind.DICT, entries={}, ref=missing, aliases=frozenset({identity}))
    frame.state.bound[identity] = made
    return made


def entry(owner: Value, key: Value, node: ast.Subscript, frame: Frame) -> Value:
    """`owner[key]`, read."""
    if key.const is not None and owner.entries is not None and key.const in owner.entries:
        return owner.entries[key.const]
    if not isinstance(owner.ref, Missing):
        return one_of(owner, key, frame) or UNKNOWN
    if owner.entries is None or not isinstance(key.const, (str, int)):
        # It may be any of them, or one more: from here on none is told from another.
        replace_contents(owner, owner.but(entries=None, elem=None), node.value, frame)
        return UNKNOWN
    return _fill(owner, key.const, owner.ref, node, frame)


def one_of(owner: Value, key: Value | None, frame: Frame) -> Value | None:
    """What stands under a key. Under each, a `dict[str, Tensor]` or `list[Tensor]` that was told by
    its annotation alone holds a tensor of its own."""
    elem = owner.elem
    if key is None or key.const is None or elem is None or not (owner.assumed and elem.is_tensor):
        return elem
    parts, at = frame.program.parts, ("entry", elem.key(), key.const)
    if at not in parts:
        shape = fresh() if elem.shape is None else elem.shape_id
        parts[at] = elem.but(storage=frozenset({fresh()}), shape_id=shape)
    return parts[at]


def _fill(
    owner: Value, key: str | int, missing: Missing, node: ast.Subscript, frame: Frame
) -> Value:
    from autofix.flow.calls import Arguments, call_value

    value = call_value(missing.factory, Arguments(missing.made.node), frame)
    entries = {**(owner.entries or {}), key: value}
    replace_contents(owner, owner.but(entries=entries), node.value, frame)
    return value


def _key(key: object) -> Value:
    if isinstance(key, str):
        return STRING.but(const=key)
    return NUMBER.but(const=key) if isinstance(key, (int, float)) else OTHER


def dict_method(receiver: Value, func: ast.Attribute, given: Arguments, frame: Frame) -> Value:
    name = func.attr
    elem = one_of(receiver, given.values[0] if given.values else None, frame)
    items = tuple(receiver.entries.values()) if receiver.entries is not None else None
    if name == "values":
        return sequence(items, elem)
    if name == "items":
        pairs = (
            tuple(sequence((_key(k), v)) for k, v in receiver.entries.items())
            if receiver.entries is not None
            else None
        )
        pair = sequence((Value(Kind.UNKNOWN, Graph.NO), elem or UNKNOWN))
        return sequence(pairs, pair if pairs is None else None)
    if name == "keys":
        return sequence(None, STRING)
    if name in ("get", "pop", "setdefault"):
        key = given.values[0].const if given.values else None
        if receiver.entries is not None and key in receiver.entries:
            return frame.state.look(receiver.entries[key])
        default = given.values[1] if len(given.values) > 1 else None
        known = receiver.entries is not None and isinstance(key, (str, int))
        if name == "setdefault" and known and default is not None:
            new = receiver.but(entries={**(receiver.entries or {}), key: default})
            replace_contents(receiver, new, func.value, frame)
            return default
        return join(elem, default) if elem is not None and default is not None else elem or UNKNOWN
    if name == "update":
        extra = given.values[0] if given.values else Value(Kind.DICT, entries=dict(given.keywords))
        replace_contents(receiver, updated(receiver, extra), func.value, frame)
        return NONE
    if name != "copy":
        expose(receiver, frame)
    return receiver if name == "copy" else UNKNOWN


def updated(owner: Value, extra: Value) -> Value:
    """What a dict is, after the entries of another were put into it."""
    both = owner.entries is not None and extra.entries is not None
    entries = {**(owner.entries or {}), **(extra.entries or {})} if both else None
    return owner.but(
        entries=entries, elem=join(owner.elem, extra.elem) if extra.elem else owner.elem
    )
