"""Binding: names, attributes, elements."""

from __future__ import annotations

import ast
import re

from autofix.flow import torch_api
from autofix.flow.frame import Frame
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.joins import join, join_all, sequence
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.state import written_into
from autofix.flow.values import EMPTY, INTEGRAL, UNKNOWN, Either, Graph, Kind, Value, Why, tensor
from autofix.flow.writes import is_unseen, overwrite

_SETUP = re.compile(r"_*(init|build|set_?up|create|make|configure|prepare|reset)")


def assign(target: ast.expr, value: Value, frame: Frame) -> None:
    match target:
        case ast.Name(id=name):
            frame.bind(name, value)
            frame.program.record(target, value)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            _unpack(elements, value, frame)
        case ast.Starred(value=inner):
            assign(inner, value, frame)
        case ast.Attribute():
            owner = frame.eval(target.value)
            frame.program.record(target, value)
            if target.attr == "grad" and owner.leaf:
                frame.program.purposes.optimized |= owner.cuts
            store_attribute(owner, target.attr, value, target, frame)
        case ast.Subscript():
            _store_element(target, value, frame)


def _unpack(elements: list[ast.expr], value: Value, frame: Frame) -> None:
    from autofix.flow.access import iterate

    starred = next((i for i, e in enumerate(elements) if isinstance(e, ast.Starred)), None)
    if starred is None:
        items = unpacked(value, len(elements)) or _fields(value, frame)
    else:
        items = _gathered(value.items, starred, len(elements))
    if items is not None and len(items) == len(elements):
        for element, item in zip(elements, items, strict=True):
            assign(element, item, frame)
        return
    each = iterate(value, frame, elements[0] if elements else None)
    for i, element in enumerate(elements):
        assign(element, sequence(None, each) if i == starred else each, frame)


def _fields(value: Value, frame: Frame) -> tuple[Value, ...] | None:
    """The fields of a named tuple."""
    from autofix.flow.instances import class_attribute

    records = value.ref.values if isinstance(value.ref, Either) else (value,)
    if not all(isinstance(r.ref, Instance) and r.ref.info.is_record for r in records):
        return None
    if len({r.ref.info for r in records}) > 1:
        return None
    found = [
        join_all([class_attribute(record, name, frame) or UNKNOWN for record in records])
        for name in records[0].ref.info.fields
    ]
    return tuple(UNKNOWN if each is None else each for each in found)


def _gathered(
    items: tuple[Value, ...] | None, starred: int, count: int
) -> tuple[Value, ...] | None:
    """What each of `a, *b, c` gets, where all parts are known."""
    if items is None or len(items) < count - 1:
        return None
    behind = len(items) - (count - 1 - starred)
    return (*items[:starred], sequence(items[starred:behind]), *items[behind:])


def unpacked(value: Value, count: int) -> tuple[Value, ...] | None:
    """The parts that a tuple assignment of `count` names would get, where they are known."""
    if value.items is not None:
        return value.items
    if value.kind == Kind.SEQUENCE and value.elem is not None:
        return (value.elem,) * count
    return None


def store_attribute(
    owner: Value, attribute: str, value: Value, node: ast.AST, frame: Frame
) -> None:
    from autofix.flow.functions import call_closure

    line = getattr(node, "lineno", 0)
    if isinstance(owner.ref, Instance):
        setter = owner.ref.info.find(f"{attribute}.setter")
        if setter is not None and isinstance(setter.ref, Closure):
            call_closure(setter.ref.bind(owner), [value], {}, node, frame)
            return
        if value.graph == Graph.YES and value.why is None:
            value = value.but(why=Why(f"`{attribute}` is set", line))
        frame.state.bound[owner.ref.identity, attribute] = value
        if not frame.program.skims:
            owner.ref.info.note(attribute, value)
    elif isinstance(owner.ref, ClassInfo):
        owner.ref.body[attribute] = join(owner.ref.find(attribute), value)
    elif owner.is_tensor and attribute == "data" and frame.state.grad:
        _write_unseen(node, owner, value, frame)
    elif owner.kind == Kind.MODULE and attribute in ("weight", "bias") and value.is_tensor:
        for identity in owner.aliases:
            frame.state.bound[identity, attribute] = value
    elif owner.parameter and attribute == "requires_grad":
        freeze(owner, value.const is False, node, frame)
    elif owner.leaf and attribute == "requires_grad" and value.const is False:
        freeze(owner, True, node, frame)
        no_leaf(owner, frame)
    elif owner.may_be_tensor and attribute == "requires_grad" and value.const is True:
        if owner.cuts:
            earlier = frame.program.purposes.silencers.get(node, frozenset())
            frame.program.purposes.silencers[node] = earlier | owner.cuts
        frame.program.purposes.rewrapped(node, frame.program.purposes.all_before(owner))
        frame.program.thaw(owner.storage)
        requires_grad(owner, "`requires_grad = True`", line, frame)


def freeze(owner: Value, frozen: bool, node: ast.AST, frame: Frame) -> None:
    """Every parameter of a module, one after the other, stops to require grad, or may start again:
    by a flag that is not known, or only some of them."""
    parents = frame.index.ancestors(node)
    loop = next((i for i, p in enumerate(parents) if isinstance(p, ast.For)), 0)
    if frozen and any(isinstance(p, ast.If) for p in parents[:loop]):
        return  # only some of them
    if frozen:
        frame.program.freeze(owner.storage)
    else:
        frame.program.thaw(owner.storage)


def requires_grad(
    owner: Value, text: str, line: int, frame: Frame, sure: Graph = Graph.YES
) -> Value:
    """`owner` becomes a leaf that requires grad, through every name for it. (It stays what it is
    if it has a graph already.)"""
    if owner.graph == Graph.YES or not owner.is_tensor or owner.has_no_elements:
        return owner
    purposes = frame.program.purposes
    for storage in owner.storage:  # what writes broke before is behind the new leaf
        frame.program.writes.tainted.pop(storage, None)
    # Its graph begins here, whatever it was computed from: it had none before.
    changed = owner.but(leaf=True, computed=False, cuts=purposes.all_before(owner))
    begins = frame.function is not None and _sets_up(frame.function, frame)
    if begins or not purposes.is_silencer(changed, frame.index.asks_for_gradients):
        changed = changed.but(graph=sure, why=Why(text, line))
        frame.program.writes.no_data |= owner.storage
    made = frame.state.bound.get("self") if begins and not frame.program.skims else None
    mine = made.ref if made is not None and isinstance(made.ref, Instance) else None
    for key, other in frame.state.bound.items():
        if other.is_tensor and other.storage == owner.storage and other.storage:
            new = other.but(
                graph=changed.graph,
                leaf=True,
                computed=False,
                cuts=changed.cuts,
                why=changed.why,
            )
            frame.state.bound[key] = new
            if mine is not None and isinstance(key, tuple) and key[0] == mine.identity:
                mine.info.note(key[1], new)  # the other methods know it as a leaf
    return changed


def no_leaf(owner: Value, frame: Frame, cuts: frozenset[int] = EMPTY) -> None:
    """`x.detach_()`, `x.requires_grad_(False)`: from now on none of its names has a graph."""
    for key, other in frame.state.bound.items():
        mine = bool(other.storage) and other.storage <= owner.storage
        if mine and other.is_tensor and not other.parameter:
            rest = other.cuts | cuts
            frame.state.bound[key] = other.but(graph=Graph.NO, leaf=False, cuts=rest, why=None)


def _sets_up(function: FunctionNode, frame: Frame) -> bool:
    """Is it run before the training? No loss is made there."""
    if isinstance(function, ast.Lambda) or function.name == "__init__":
        return not isinstance(function, ast.Lambda)
    makes_optimizer = False
    for node in frame.index.body_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            return False
        if isinstance(node, ast.Attribute) and node.attr == "backward":
            return False
        if isinstance(node, ast.Call) and (name := last_name(node.func)) is not None:
            makes_optimizer |= torch_api.is_optimizer(f"torch.optim.{name}")
    return makes_optimizer or _SETUP.match(function.name) is not None


def _store_element(target: ast.Subscript, value: Value, frame: Frame) -> None:
    from autofix.flow.instances import call_special

    owner = frame.eval(target.value)
    index = frame.eval(target.slice)
    frame.program.record(target, value)
    match target.value:
        case ast.Attribute(value=module, attr="_buffers" | "_parameters") if index.const:
            store_attribute(frame.eval(module), str(index.const), value, target, frame)
    if isinstance(index.const, str) and owner.kind & Kind.TENSOR:
        return  # a dict after all
    if owner.kind & Kind.TENSOR:
        write_into(target, owner, value, frame)
    elif owner.kind == Kind.SEQUENCE:
        _store_item(owner, index, value, target, frame)
    elif call_special(owner, "__setitem__", [index, value], target, frame) is not None:
        return
    elif owner.kind == Kind.DICT:
        entries = dict(owner.entries or {})
        known = isinstance(index.const, (str, int)) and owner.entries is not None
        if known:
            entries[index.const] = value
        elem = join(owner.elem, value)
        if owner.assumed and index.const is not None and elem.is_tensor:
            frame.program.parts["entry", elem.key(), index.const] = value  # see `mappings.one_of`
        new = owner.but(entries=entries if known else None, elem=elem)
        replace_contents(owner, new, target.value, frame)
    elif isinstance(target.value, ast.Name) and value.cuts - owner.cuts:
        # An object of unknown kind (a numpy array, say) now holds what was cut.
        frame.bind(target.value.id, owner.but(cuts=owner.cuts | value.cuts))


def write_into(target: ast.expr, owner: Value, value: Value, frame: Frame) -> None:
    """A write into tensor memory: the tensor takes the graph of what is written."""
    if frame.state.grad:
        frame.program.cuts.memory.written(owner, value)
    overwrite(target, owner, frame)
    if not frame.state.grad:
        return
    if is_unseen(target):
        _write_unseen(target, owner, value, frame)
        return
    if owner.leaf and owner.graph == Graph.YES:
        return  # it raises
    if owner.dtype in INTEGRAL:
        value = value.but(graph=Graph.NO)
    graph = max(owner.graph, value.graph)
    if value.is_number or value.kind == Kind.NONE:
        value = value.but(graph=Graph.NO)
    written = value
    if owner.graph > Graph.NO:
        written = written.but(cuts=written.cuts | {frame.program.cuts.made(target, graph)})
    before = dict(frame.state.bound)
    frame.state.mutate(owner, written)
    for other in (*frame.scopes, *frame.program.callers):
        other.state.mutate(owner, written)
    name = target
    while isinstance(name, ast.Subscript):
        name = name.value
    if isinstance(name, ast.Name) and frame.state.bound.get(name.id) is before.get(name.id):
        current = frame.name(name.id)
        if current.kind & Kind.TENSOR:
            frame.bind(name.id, written_into(current, written))


def _write_unseen(target: ast.AST, owner: Value, value: Value, frame: Frame) -> None:
    """A write through `.data`: the values change, the graph of what is written is left behind."""
    if value.graph == Graph.NO:
        return
    written = tensor(Graph.NO, cuts=value.cuts | frame.cut(target, value))
    frame.state.mutate(owner, written)
    for other in (*frame.scopes, *frame.program.callers):
        other.state.mutate(owner, written)


def _store_item(
    owner: Value, index: Value, value: Value, target: ast.Subscript, frame: Frame
) -> None:
    at = index.const
    if (
        owner.items is not None
        and isinstance(at, int)
        and -len(owner.items) <= at < len(owner.items)
    ):
        items = list(owner.items)
        items[at] = value
        new = sequence(tuple(items))
    elif isinstance(target.slice, ast.Slice):
        new = sequence(None, join(owner.elem, value.elem or UNKNOWN))
    else:
        new = sequence(None, join(owner.elem, value) if owner.elem is not None else value)
    replace_contents(owner, new, target.value, frame)


def replace_contents(owner: Value, new: Value, node: ast.expr, frame: Frame) -> None:
    """The list or dict that `node` refers to has new contents."""
    if owner.aliases:
        frame.state.store(owner, new)
    elif isinstance(node, (ast.Name, ast.Attribute)):
        assign(node, new, frame)
