"""Reading parts of a value: elements, attributes, and one turn of an iteration."""

from __future__ import annotations

import ast
from typing import Any

from autofix.flow import distributions, shapes, torch_api
from autofix.flow.arrays import kept_dtype
from autofix.flow.dotted import library_attribute
from autofix.flow.exposed import doubted, expose
from autofix.flow.frame import Frame, all_cuts, expression
from autofix.flow.index import has_decorator, is_property, last_name
from autofix.flow.joins import join_all, sequence
from autofix.flow.leaves import use_as_leaf
from autofix.flow.mappings import entry, one_of
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.packed import is_packed, member
from autofix.flow.values import (
    OTHER,
    STRING,
    UNKNOWN,
    Either,
    Graph,
    Kind,
    Value,
    number,
    tensor,
)


@expression(ast.Subscript)
def _subscript(node: ast.Subscript, frame: Frame) -> Value:
    owner = frame.eval(node.value)
    index = frame.eval(node.slice)
    if owner.is_tensor:
        shape = shapes.index(owner.shape, node.slice, frame)
        memory = _memory_of_part(owner, index, frame)
        return frame.derive("an index", node, [owner], shape, owner.dtype, **memory)
    if owner.kind == Kind.SEQUENCE:
        return frame.state.look(_element(owner, node.slice, index, frame))
    if owner.kind == Kind.DICT:
        found = frame.state.look(entry(owner, index, node, frame))
        return UNKNOWN if found.is_tensor and _is_told_apart(node, frame) else found
    if owner.kind == Kind.MODULE and owner.elem is not None:
        if owner.items is not None and isinstance(index.const, int):
            at = index.const
            return owner.items[at] if -len(owner.items) <= at < len(owner.items) else owner.elem
        return owner.elem if not isinstance(node.slice, ast.Slice) else owner
    if owner.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, dtype=owner.dtype, cuts=owner.cuts)
    if owner.kind in (Kind.LIBRARY, Kind.CLASS):
        return owner  # Generic[...], nn.Module[...]: the class itself
    if (made := _special(owner, "__getitem__", [index], node, frame)) is not None:
        return made
    return _part_of_unknown(owner, frame)


def _is_told_apart(node: ast.Subscript, frame: Frame) -> bool:
    """`if isinstance(batch["y"], np.ndarray):` around it: no tensor, whatever else is in there."""
    inner: ast.AST = node
    for owner in frame.index.ancestors(node):
        if isinstance(owner, ast.If) and inner in owner.body:
            match owner.test:
                case ast.Call(func=ast.Name(id="isinstance"), args=[subject, kind]):
                    if last_name(kind) not in ("Tensor", None) and ast.unparse(
                        subject
                    ) == ast.unparse(node):
                        return True
        inner = owner
    return False


def _memory_of_part(owner: Value, index: Value, frame: Frame) -> dict[str, Any]:
    """Basic indexing is a view; an index tensor (but for one that is a number), a mask or a list
    makes a copy. What is not known may be either."""
    parts = index.items if index.items is not None else (index,)
    for part in parts:
        several = part.kind & (Kind.TENSOR | Kind.SEQUENCE | Kind.NUMPY) and not part.is_scalar
        if several or (part.kind == Kind.OTHER and part.dtype == "bool"):
            return {}
    if any(part.kind == Kind.UNKNOWN for part in parts):
        return {"storage": frame.program.writes.doubt(owner.storage)}
    return {"storage": owner.storage}


def _element(owner: Value, slice_node: ast.expr, index: Value, frame: Frame) -> Value:
    if isinstance(slice_node, ast.Slice):
        low, high, step = slice_node.lower, slice_node.upper, slice_node.step
        parts: list[Any] = [getattr(p, "value", None) for p in (low, high, step)]
        known = all(p is None or isinstance(p, ast.Constant) for p in (low, high, step))
        if owner.items is not None and known:
            return sequence(owner.items[slice(*parts)])
        return sequence(None, owner.elem)
    if owner.items is not None and isinstance(index.const, int):
        at = index.const
        if -len(owner.items) <= at < len(owner.items):
            return owner.items[at]
    if owner.entries is not None and index.const in owner.entries:  # `x.shape[0]`
        return owner.entries[index.const]
    return one_of(owner, index, frame) or UNKNOWN


@expression(ast.Slice)
def _slice(node: ast.Slice, frame: Frame) -> Value:
    for part in (node.lower, node.upper, node.step):
        if part is not None:
            frame.eval(part)
    return OTHER


@expression(ast.Attribute)
def _attribute(node: ast.Attribute, frame: Frame) -> Value:
    return attribute(frame.eval(node.value), node, frame)


def attribute(owner: Value, node: ast.Attribute, frame: Frame) -> Value:
    """`owner.attr`, read."""
    from autofix.flow.functions import call_closure
    from autofix.flow.imported import attribute_of
    from autofix.flow.instances import class_attribute

    name = node.attr
    if isinstance(owner.ref, Either):
        return join_all([attribute(one, node, frame) for one in owner.ref.values]) or UNKNOWN
    if isinstance(owner.ref, Instance):
        if name == "__dict__":
            expose(owner, frame)
        if name == "__class__":
            return Value(Kind.CLASS, ref=owner.ref.info)
        found = class_attribute(owner, name, frame)
        if found is not None and isinstance(found.ref, Closure) and is_property(found.ref.node):
            return call_closure(found.ref.bind(owner), [], {}, node, frame)
        if found is not None:
            return frame.state.look(found)
    if owner.kind == Kind.LIBRARY and isinstance(owner.ref, str):
        inner = attribute_of(owner, name, frame)
        if inner is not None and not frame.program.skims:
            return frame.state.look(frame.program.modules.resolve(inner, frame))
        return library_attribute(f"{owner.ref}.{name}")
    if isinstance(owner.ref, ClassInfo):
        found = owner.ref.find(name) or UNKNOWN
        if isinstance(found.ref, Closure) and has_decorator(found.ref.node, "classmethod"):
            return found.but(ref=found.ref.bind(owner))
        found = frame.state.look(found)
        return doubted(found) if name in frame.index.set_on_others else found
    if owner.is_tensor:
        return tensor_attribute(owner, name, node, frame)
    if owner.aliases and owner.kind & (Kind.SEQUENCE | Kind.DICT):
        expose(owner, frame)  # `push = items.append`
    if owner.kind == Kind.SEQUENCE and name in _FIELDS and owner.elem is not None:
        at = _FIELDS[name]
        return owner.items[at] if owner.items is not None and at < len(owner.items) else owner.elem
    if owner.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, dtype=kept_dtype(owner, name), cuts=owner.cuts)
    if owner.kind == Kind.MODULE and name in ("weight", "bias") and isinstance(owner.ref, str):
        given = [
            frame.state.bound[i, name] for i in owner.aliases if (i, name) in frame.state.bound
        ]
        if len(given) == 1:
            return given[0]
        memory = frozenset({hash((min(owner.aliases, default=owner.ref), name))})
        frame.program.writes.no_data |= memory
        if (memory | owner.aliases) & frame.program.frozen:
            return tensor(Graph.NO, dtype="default", storage=memory)
        frame.program.writes.weights |= memory
        return tensor(Graph.YES, leaf=True, dtype="default", storage=memory)
    if distributions.is_distribution(owner):
        return distributions.member(owner, name, (), node, frame) or UNKNOWN
    if owner.kind in (Kind.NUMBER, Kind.STRING, Kind.OTHER, Kind.OPTIMIZER):
        return OTHER
    if name == "shape":
        return shapes.sizes(owner)
    if is_packed(owner):
        return member(owner, name)
    if name == "data" and owner.kind == Kind.UNKNOWN and _is_output(node.value, frame):
        return tensor(Graph.NO, cuts=frame.cut(node, owner), storage=owner.storage)
    return Value(Kind.UNKNOWN, Graph.MAYBE if frame.state.grad else Graph.NO, cuts=owner.cuts)


def _is_output(node: ast.expr, frame: Frame) -> bool:
    """Is it what a model gives: a call, with something to compute with, of what is not known?"""
    made = frame.conditions.get(node.id) if isinstance(node, ast.Name) else node
    if not isinstance(made, ast.Call) or not made.args:
        return False
    values = frame.program.values
    target = values.get(made.func)
    if any(is_packed(values.get(each)) for each in made.args):
        return False  # it may be packed, too
    return target is None or bool(target.kind & (Kind.UNKNOWN | Kind.MODULE))


_FIELDS = {
    **dict.fromkeys(("values", "eigenvalues", "U", "Q", "sign"), 0),
    **dict.fromkeys(("indices", "eigenvectors", "S", "R", "logabsdet"), 1),
    "Vh": 2,
}
"""What torch calls the results of operations that give several."""


def tensor_attribute(owner: Value, name: str, node: ast.AST, frame: Frame) -> Value:
    if name == "shape":
        return shapes.sizes(owner)
    if name == "data":
        cuts = frame.cut(node, owner)
        memory = frame.program.writes.uncount(owner.storage)
        return tensor(Graph.NO, owner.shape, owner.dtype, storage=memory, cuts=cuts)
    op = torch_api.property_(name)
    if name in ("ndim", "requires_grad") or (op is not None and op.ret in ("number", "bool")):
        return number(owner.rank if name == "ndim" else None)
    if op is None or op.ret != "tensor":
        return OTHER
    if name == "grad":
        if owner.leaf:
            use_as_leaf(owner, frame)
        made = tensor(Graph.NO, owner.shape, owner.dtype)
        frame.program.writes.no_data |= made.storage
        return made
    shape = shapes.transposed(owner.shape) if name in ("T", "mT", "H", "mH") else owner.shape
    return frame.derive(
        f"`.{name}`",
        node,
        [owner],
        shape,
        owner.dtype,
        storage=owner.storage,
        differentiable=op.grad,
    )


def iterate(value: Value, frame: Frame, node: ast.expr | None) -> Value:
    """One element of an iterable."""
    if value.kind & Kind.SEQUENCE:
        return frame.state.look(value.elem) if value.elem is not None else UNKNOWN
    if value.is_tensor:
        shape = value.shape[1:] if value.shape else None
        where = node if node is not None else ast.Constant(None)
        writes = frame.program.writes
        storage = writes.mark(writes.parted, value.storage, where) if node else value.storage
        return frame.derive("iteration", where, [value], shape, value.dtype, storage=storage)
    if value.kind == Kind.MODULE:
        return value.elem or UNKNOWN
    if value.kind == Kind.DICT:
        return STRING if value.entries else OTHER
    if value.kind == Kind.NUMPY:
        return Value(Kind.NUMPY, dtype=value.dtype, cuts=value.cuts)
    if node is not None:
        listed = _special(value, "__iter__", [], node, frame)
        if listed is not None and not isinstance(listed.ref, Instance):
            return iterate(listed, frame, node)
        element = _special(value, "__getitem__", [number()], node, frame)
        if element is not None:
            return element
    return _part_of_unknown(value, frame)


def _part_of_unknown(value: Value, frame: Frame) -> Value:
    """What brings no graph, as a batch of data, holds nothing that does."""
    grad = Graph.NO if value.graph == Graph.NO or not frame.state.grad else Graph.MAYBE
    return Value(Kind.UNKNOWN, grad, cuts=all_cuts(value), why=value.why)


def _special(
    owner: Value, name: str, values: list[Value], node: ast.AST, frame: Frame
) -> Value | None:
    from autofix.flow.instances import call_special

    return call_special(owner, name, values, node, frame)
