"""Objects of the classes of the analysed file: how they are made, and what their attributes are."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from autofix.flow import torch_api
from autofix.flow.frame import Frame
from autofix.flow.functions import call_closure, enter, index_of, settle
from autofix.flow.index import FunctionNode, Index
from autofix.flow.joins import MOST, join, join_all
from autofix.flow.modules import identity
from autofix.flow.objects import ClassInfo, Closure, Instance, instance_value
from autofix.flow.values import UNKNOWN, Graph, Kind, Value, fresh, tensor


def construct(
    info: ClassInfo,
    values: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    frame: Frame,
) -> Value:
    """A new object; its attributes are what `__init__` makes of these arguments."""
    key = None
    if getattr(frame.function, "name", "") == "__init__":
        # One part of a model stands for all parts of the same class made with the same arguments.
        given = (*values, *keywords.values())
        key = (info, frame.state.grad, *keywords, *(v.key() for v in given))
        made = frame.program.parts.get(key)
        if made is not None:
            return another(made, frame, node)
    if any(base.startswith("torch.optim.") for base in info.foreign_bases):
        frame.program.renewed.update(frame.program.cuts.loops)
    instance = Instance(info)
    value = instance_value(instance)
    if key is not None:
        frame.program.parts[key] = value
        frame.program.copied[node, instance.identity] = instance
    initialiser = info.find("__init__")
    if initialiser is not None and isinstance(initialiser.ref, Closure):
        call_closure(initialiser.ref.bind(value), values, keywords, node, frame)
        settle(instance, frame.state)
    else:
        _fill_fields(instance, values, keywords, frame)
    for base in info.foreign_bases:
        if base.endswith(("ModuleList", "Sequential", "ParameterList")):
            return value.but(elem=UNKNOWN)
    return value


def _fill_fields(
    instance: Instance, values: Sequence[Value], keywords: Mapping[str, Value], frame: Frame
) -> None:
    """A dataclass or NamedTuple: arguments become the annotated fields, in order."""
    for name, value in (*zip(instance.info.fields, values, strict=False), *keywords.items()):
        frame.state.bound[instance.identity, name] = value
        if not frame.program.skims:
            instance.info.note(name, value)


def class_attribute(owner: Value, name: str, frame: Frame) -> Value | None:
    """`owner.name` of an object of a class in this file: set on it, in its class, or by any of
    its methods. None if nothing here says anything of it."""
    instance: Instance = owner.ref
    found = frame.state.bound.get((instance.identity, name))
    if found is not None:
        return _unfrozen(found, instance, frame)
    in_class = instance.info.find(name)
    if in_class is not None and isinstance(in_class.ref, Closure):
        if in_class.ref.is_abstract:
            return _overriding(instance.info, name, frame)
        return Value(Kind.FUNCTION, ref=in_class.ref.bind(owner))
    survey(instance.info, name, frame)
    stored = instance.info.table.get(name)
    if stored is not None:
        if stored.kind == Kind.NONE:
            stored = join(stored, UNKNOWN)  # a derived class or a user sets it, or it would be idle
        if instance.is_copy:
            stored = another(stored, frame, instance.identity)
        frame.state.bound[instance.identity, name] = stored
        return stored
    return in_class if in_class is not None else _inherited_weight(instance, name, frame)


def another(value: Value, frame: Frame, owner: object, depth: int = 4) -> Value:
    """A module with parts of its own, the same ones each time it is asked for by its owner: what
    freezes it does nothing to the first."""
    made = frame.program.copied_memory
    if value.kind == Kind.TENSOR and value.storage:
        return value.but(
            storage=frozenset(made.setdefault((owner, s), fresh()) for s in value.storage)
        )
    if value.kind != Kind.MODULE or not depth:
        return value
    if not isinstance(value.ref, Instance):
        items, elem = value.items, value.elem
        return value.but(
            aliases=frozenset(made.setdefault((owner, a), fresh()) for a in value.aliases),
            items=items and tuple(another(one, frame, owner, depth - 1) for one in items),
            elem=elem and another(elem, frame, owner, depth - 1),
        )
    old = value.ref
    copy = frame.program.copied.setdefault((owner, old.identity), Instance(old.info, is_copy=True))
    if copy is old:
        return value
    bound = frame.state.bound
    for key, part in list(bound.items()):
        if isinstance(key, tuple) and key[0] == old.identity:
            inner = another(part, frame, copy.identity, depth - 1)
            bound.setdefault((copy.identity, key[1]), inner)
    return value.but(ref=copy)


def call_special(
    owner: Value, name: str, values: Sequence[Value], node: ast.AST, frame: Frame
) -> Value | None:
    """`owner[i]`, `owner + x`: what the method that stands for it gives; None if the class of the
    object has none."""
    method = owner.ref.info.find(name) if isinstance(owner.ref, Instance) else None
    if method is None or not isinstance(method.ref, Closure):
        return None
    return call_closure(method.ref.bind(owner), values, {}, node, frame)


def _overriding(mine: ClassInfo, name: str, frame: Frame) -> Value | None:
    """The methods of derived classes, in the same file, for one that the class only declares."""
    found = [
        Value(Kind.FUNCTION, ref=method.ref.bind(instance_value(info.any_of_them)))
        for info in list(frame.program.classes.values())  # more come in when a base is looked up
        if info.scopes == mine.scopes and mine in info.lineage
        if (method := info.body.get(name)) is not None and isinstance(method.ref, Closure)
        if not method.ref.is_abstract
    ]
    return join_all(found[:MOST])


def _inherited_weight(instance: Instance, name: str, frame: Frame) -> Value | None:
    """The `weight` or `bias` that a layer of torch gives to the classes derived from it."""
    ops = [torch_api.module(base) for base in instance.info.foreign_bases]
    if name not in ("weight", "bias") or not any(op is not None and op.params for op in ops):
        return None
    memory = frozenset({hash((instance.identity, name))})
    weight = tensor(Graph.YES, leaf=True, parameter=True, dtype="default", storage=memory)
    frame.state.bound[instance.identity, name] = weight
    return _unfrozen(weight, instance, frame)


def _unfrozen(value: Value, owner: Instance, frame: Frame) -> Value:
    """A parameter or submodule, as it is if the module that has it is frozen."""
    frozen = frame.program.frozen
    if owner.identity not in frozen:
        return value
    if value.kind == Kind.MODULE:
        inside = identity(value) - frame.program.thawed - frozen
        frozen |= inside
        frame.program.within.update(dict.fromkeys(inside, owner.identity))
    return value.but(graph=Graph.NO, leaf=False) if value.parameter else value


def survey(info: ClassInfo, name: str, frame: Frame) -> None:
    """Look into every method that stores `self.<name>`."""
    if name in info.surveyed or frame.program.skims:
        return
    info.surveyed.add(name)
    for method in info.methods():
        if method in frame.program.active or method in info.entered:
            continue
        if name in stored_attributes(method, frame):
            info.entered.add(method)
            enter(method, frame.program, owner=info)


def stored_attributes(method: FunctionNode, frame: Frame) -> set[str]:
    """The names under which a method stores something on its first argument."""
    known = index_of(method, frame).stored.get(method)
    if known is None:
        index = index_of(method, frame)
        known = index.stored[method] = _stored_attributes(method, index)
    return known


def _stored_attributes(method: FunctionNode, index: Index) -> set[str]:
    if not method.args.args:
        return set()
    me = method.args.args[0].arg
    names: set[str] = set()
    for node in index.body_nodes(method):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr, ctx=ast.Store()) if owner == me:
                names.add(attr)
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=owner), attr=attr), ctx=ast.Store()
            ) if owner == me:
                names.add(attr)
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name(id=owner), attr=attr),
                    attr="append" | "extend" | "insert" | "update" | "appendleft",
                )
            ) if owner == me:
                names.add(attr)
            case ast.Call(
                func=ast.Attribute(attr="register_buffer" | "register_parameter" | "add_module"),
                args=[ast.Constant(value=str(text)), *_],
            ):
                names.add(text)
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(text)), *_]):
                names.add(text)
    return names
