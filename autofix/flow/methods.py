"""Method calls on tensors, lists, dicts and values of unknown kind."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from autofix.flow import constructors, distributions, torch_api
from autofix.flow.arrays import METHODS, kept_dtype
from autofix.flow.evidence import SHARED
from autofix.flow.exposed import expose
from autofix.flow.frame import Frame, all_cuts
from autofix.flow.index import last_name
from autofix.flow.joins import join, sequence
from autofix.flow.labels import names_loss
from autofix.flow.leaves import use_as_leaf
from autofix.flow.mappings import dict_method
from autofix.flow.operations import apply
from autofix.flow.stores import freeze, no_leaf, replace_contents, requires_grad
from autofix.flow.values import (
    NONE,
    NUMBER,
    OTHER,
    STRING,
    UNKNOWN,
    Graph,
    Kind,
    Value,
    Why,
    tensor,
)

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_WHOLE = frozenset({"int", "long", "short", "byte", "bool"})
_BACKWARD = frozenset({"backward", "manual_backward"})


def call_method(
    receiver: Value, func: ast.Attribute, given: Arguments, frame: Frame
) -> Value | None:
    """`receiver.method(...)`; None if the attribute should be read and called like any value."""
    name = func.attr
    if name in _BACKWARD:
        return _backward(receiver, given, frame)
    if name == "step" and Kind.OPTIMIZER in (one.kind for one in (receiver, *given.values)):
        frame.program.stepped.update(frame.program.cuts.loops)
    if receiver.kind == Kind.TENSOR | Kind.NUMPY and name not in METHODS:
        receiver = receiver.but(kind=Kind.TENSOR)
    if receiver.kind & Kind.TENSOR and not receiver.kind & (Kind.SEQUENCE | Kind.DICT):
        return _tensor_method(receiver, name, given, frame)
    if receiver.kind & Kind.SEQUENCE:
        return _list_method(receiver, func, given, frame)
    if receiver.kind & Kind.DICT:
        return dict_method(receiver, func, given, frame)
    if receiver.kind == Kind.NUMPY:
        cuts = receiver.cuts
        if name in ("item", "tolist"):
            return Value(Kind.NUMBER, cuts=cuts)
        return Value(Kind.NUMPY, dtype=kept_dtype(receiver, name, given), cuts=cuts)
    if receiver.kind == Kind.STRING:
        return _string_method(name)
    if distributions.is_distribution(receiver):
        found = distributions.member(receiver, name, given.values, given.node, frame)
        return found or Value(Kind.UNKNOWN, receiver.graph, cuts=receiver.cuts)
    if receiver.kind == Kind.NUMBER and receiver.cuts and not hasattr(float, name):
        return tensor(Graph.NO, cuts=receiver.cuts)  # it raises, as only tensors have this method
    if receiver.kind in (Kind.OTHER, Kind.NUMBER):
        return Value(Kind.OTHER) if receiver.kind == Kind.OTHER else NUMBER
    if receiver.kind == Kind.OPTIMIZER:
        from autofix.flow.callbacks import escape

        for value in given.all():
            escape(value, frame)
            use_as_leaf(value, frame)  # `add_param_group`
        return OTHER
    return _unknown_method(receiver, name, given, frame)


def _backward(receiver: Value, given: Arguments, frame: Frame) -> Value:
    line = given.node.lineno
    own = bool(receiver.kind & (Kind.TENSOR | Kind.NUMBER | Kind.NUMPY)) or not given.values
    own = own or receiver.graph == Graph.YES  # what has a graph is a tensor, and no engine
    if own or _is_gradient(given.values[0], given.node, frame) or not _names_engine(given.node):
        frame.program.cuts.need(receiver, "`backward()` runs through it", line, True)
    else:  # accelerator.backward(loss), self.manual_backward(loss)
        frame.program.cuts.need(given.values[0], "`backward()` runs through it", line, True)
        frame.program.cuts.need(receiver, "`backward()` runs through it", line, True)
    frame.state.saved = {}
    return NONE


_ENGINE = re.compile(
    r"(?i)engine|train|accel|learn|model|net|fabric|strateg|scal|amp|opt|boost|self"
)


def _names_engine(call: ast.Call) -> bool:
    """`engine.backward(loss)`, by what both are called; `y.backward(v)` is of the tensor y."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    loss = call.args[0]
    return bool(_ENGINE.search(last_name(owner) or "")) or names_loss(ast.unparse(loss))


def _is_gradient(value: Value, node: ast.Call, frame: Frame) -> bool:
    """`y.backward(y.data - target)`: what is computed of the tensor itself is its gradient."""
    owner = ast.dump(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    cut = (frame.program.cuts.places[token].node for token in value.cuts)
    return any(
        isinstance(read, ast.Attribute) and ast.dump(read.value) == owner
        for each in cut
        for read in (each, getattr(each, "func", each))
    )


def _tensor_method(receiver: Value, name: str, given: Arguments, frame: Frame) -> Value:
    if name == "new_tensor":
        return constructors.make(name, given, frame, receiver)
    if name == "requires_grad_":
        flag = given.get(0, "requires_grad")
        stops = flag is not None and flag.const is False
        if receiver.parameter:
            freeze(receiver, stops, given.node, frame)
        if stops:
            no_leaf(receiver, frame)
            return receiver.but(graph=Graph.NO, leaf=False)
        frame.program.purposes.rewrapped(given.node, frame.program.purposes.all_before(receiver))
        sure = Graph.YES if flag is None or flag.const is True else Graph.MAYBE
        return requires_grad(receiver, "`requires_grad_()`", given.node.lineno, frame, sure)
    if name in ("detach", "detach_"):
        cuts = frame.cut(given.node, receiver)
        made = tensor(
            Graph.NO,
            receiver.shape,
            receiver.dtype,
            cuts=cuts,
            storage=receiver.storage,
            **({"shape_id": receiver.shape_id} if receiver.shape is None else {}),
        )
        if name == "detach_":
            no_leaf(receiver, frame, cuts)
            owner = given.node.func.value if isinstance(given.node.func, ast.Attribute) else None
            if isinstance(owner, ast.Name) and not receiver.storage:
                frame.bind(owner.id, made)
        return made
    op = torch_api.method(name)
    if op is None:
        from autofix.flow.calls import unknown_call

        return unknown_call(given, frame, receiver)
    if name.startswith("register_"):
        from autofix.flow.callbacks import register

        for value in given.all():
            register(value, frame)
    result = apply(op, name, receiver, given, frame)
    same_object = name in ("to", "cuda", "cpu", "contiguous", "float", "double", "half", "type")
    if same_object and receiver.parameter and result.is_tensor:
        return result.but(parameter=False)
    return result


def _string_method(name: str) -> Value:
    if name in ("count", "find", "rfind", "index", "rindex") or name.startswith("is"):
        return NUMBER
    if name in ("split", "rsplit", "splitlines", "partition", "rpartition"):
        return sequence(None, STRING)
    return OTHER if name in ("encode", "endswith", "startswith") else STRING


def _list_method(receiver: Value, func: ast.Attribute, given: Arguments, frame: Frame) -> Value:
    name = func.attr
    added = given.values[-1] if given.values else None
    if name in ("append", "appendleft", "insert", "add", "extend"):
        frame.program.cuts.carried.grow(receiver.aliases, frame.program.cuts.loops)
    elif name in ("clear", "pop", "popleft"):
        frame.program.cuts.carried.empty(receiver.aliases)
    if name in ("append", "appendleft", "insert", "add") and added is not None:
        at_end = name == "append" and receiver.items is not None and len(receiver.items) < 16
        if at_end and receiver.items is not None:
            new = sequence((*receiver.items, added))
        else:
            new = sequence(None, join(receiver.elem, added) if receiver.elem else added)
        replace_contents(receiver, new, func.value, frame)
        return NONE
    if name in ("extend", "update") and added is not None:
        from autofix.flow.access import iterate

        if receiver.items is not None and added.items is not None:
            new = sequence(receiver.items + added.items)
        else:
            elem = iterate(added, frame, given.node.args[-1])
            new = sequence(
                None,
                join(receiver.elem, elem) if receiver.elem else elem,
                empty=receiver.may_be_empty and added.may_be_empty,
            )
        replace_contents(receiver, new, func.value, frame)
        return NONE
    if name in ("pop", "popleft"):
        replace_contents(receiver, sequence(None, receiver.elem), func.value, frame)
        return receiver.elem or UNKNOWN
    if name == "clear":
        replace_contents(receiver, sequence(()), func.value, frame)
        return NONE
    if name in ("sort", "reverse", "remove", "insert"):
        replace_contents(receiver, sequence(None, receiver.elem), func.value, frame)
        return NONE
    if name in ("copy", "numel") or receiver.kind != Kind.SEQUENCE:
        return receiver if name == "copy" else _number_or_unknown(receiver, name)
    if name in ("index", "count"):
        return NUMBER
    expose(receiver, frame)
    return UNKNOWN


def _number_or_unknown(receiver: Value, name: str) -> Value:
    return (
        NUMBER if name == "numel" else Value(Kind.UNKNOWN, receiver.graph, cuts=all_cuts(receiver))
    )


def _unknown_method(receiver: Value, name: str, given: Arguments, frame: Frame) -> Value | None:
    """A method of something unknown. A name that only tensors have makes the result a tensor."""
    op = torch_api.method(name)
    owner = given.node.func.value if isinstance(given.node.func, ast.Attribute) else None
    if name == "new" and isinstance(owner, ast.Attribute) and owner.attr == "data":
        return tensor(Graph.NO)  # `w.data.new(3)`, as it was written for old versions
    if op is None or name in SHARED or not receiver.kind & Kind.UNKNOWN:
        return _opaque(receiver, name, given, frame)
    why = receiver.why or Why("an argument that may carry a graph", given.node.lineno)
    known = tensor(
        max(receiver.graph, Graph.NO), cuts=receiver.cuts, why=why, storage=receiver.storage
    )
    return _tensor_method(known, name, given, frame)


def _opaque(receiver: Value, name: str, given: Arguments, frame: Frame) -> Value:
    from autofix.flow.calls import unknown_call

    if name in ("item", "tolist"):
        cuts = frame.cut(given.node, receiver)
        value = Value(Kind.NUMBER if name == "item" else Kind.SEQUENCE, cuts=cuts)
        return value if name == "item" else value.but(elem=Value(Kind.NUMBER, cuts=cuts))
    if name == "numpy":
        return Value(Kind.NUMPY, cuts=frame.cut(given.node, receiver))
    if name == "detach":
        made = tensor(Graph.NO, cuts=frame.cut(given.node, receiver))
        return made.but(storage=receiver.storage) if receiver.storage else made
    if name == "size" and len(given.all()) == 1:
        return NUMBER  # `x.size(0)`
    if name in _WHOLE and not given.all() and receiver.kind == Kind.UNKNOWN:
        return Value(Kind.UNKNOWN)  # whole numbers, of what else it may be
    result = unknown_call(given, frame, receiver)
    keeps = receiver.graph if receiver.kind & Kind.UNKNOWN else Graph.MAYBE
    if keeps == Graph.NO and (name == "to" or all(v.graph == Graph.NO for v in given.all())):
        return result.but(graph=Graph.NO)
    return result
