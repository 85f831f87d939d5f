"""Torch operations: what comes out, from the generated table and a few shape rules."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autofix.flow import shapes
from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.index import last_name
from autofix.flow.joins import promote, sequence
from autofix.flow.labels import is_data
from autofix.flow.op_shapes import SHAPE_RULES
from autofix.flow.saved import KEPT_IN_PLACE, keep, save
from autofix.flow.stores import requires_grad
from autofix.flow.terms import LINEAR
from autofix.flow.torch_api import Op
from autofix.flow.values import (
    EMPTY,
    FLOATING,
    NONE,
    NUMBER,
    OTHER,
    Graph,
    Kind,
    Value,
    number,
    tensor,
)
from autofix.flow.writes import NOT_WRITES, overwrite

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_CASTS = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "cfloat": "complex64",
    "cdouble": "complex128",
}
_DTYPE_NAMES = {
    **_CASTS,
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "BoolTensor": "bool",
    "ByteTensor": "uint8",
}


def dtype_name(value: Value | None) -> str | None:
    """The dtype that `torch.float64`, `torch.DoubleTensor`, `float` ... stand for."""
    if value is None:
        return None
    if not isinstance(value.ref, str):
        return value.dtype if value.is_tensor else None
    last = value.ref.rpartition(".")[2]
    if value.ref.startswith("builtins."):
        return {"float": "float64", "int": "int64", "bool": "bool"}.get(last)
    return _DTYPE_NAMES.get(
        last, last if last in FLOATING or last.startswith(("int", "u")) else None
    )


_SETTINGS = frozenset(
    "descending device dim dim0 dim1 dims dtype end_dim generator k keepdim largest layout "
    "memory_format start_dim".split()
)
"""Arguments that are numbers or settings, whatever they are called with."""

_LIKE = frozenset("to type type_as".split())
"""Methods whose arguments tell a dtype, a device or a shape, be they tensors."""

_WITH_INDICES = frozenset("cummax cummin kthvalue max median min mode nanmedian sort topk".split())
"""Operations that give values and where they stood: numbers without a gradient."""


_PARTING = frozenset(
    "chunk split unbind tensor_split hsplit vsplit dsplit split_with_sizes unsafe_chunk".split()
)
"""Operations whose results are views, made at once."""


def apply(op: Op, name: str, receiver: Value | None, given: Arguments, frame: Frame) -> Value:
    """Call a torch function (`receiver` None) or tensor method and give its result."""
    inputs = [receiver] if receiver is not None else []
    if receiver is None or name not in _LIKE:
        inputs += [value for v in _operands(op, given) if (value := contents(v)) is not None]
    tensors = [v for v in inputs if v.kind & (Kind.TENSOR | Kind.UNKNOWN | Kind.NUMPY)]
    first = receiver if receiver is not None else (given.values[0] if given.values else None)
    if op.ret not in ("tensor", "tensors"):
        return _plain(op, name, first, tensors, given, frame)
    if op.shape == "loss" and (target := given.named("target", op.args)) is not None:
        # `mse_loss(data, output)`, the wrong way round, has its target in front
        if first is None or first is target or first.graph > Graph.NO or all_cuts(first):
            frame.program.cuts.targets |= all_cuts(target)
        if first is not None and first.cuts and is_data(first, target, given.node):
            inputs = [v.but(graph=Graph.NO) if v is target else v for v in inputs]
        if first is not None and first.graph == Graph.NO and target.graph == Graph.YES:
            frame.program.cuts.targets |= all_cuts(first)
    if first is not None and name in ("pow", "square", "abs"):
        frame.program.cuts.distance(first)
    label = f"`.{name}`" if receiver is not None else f"`{name}`"
    node = given.node
    dtype = _dtype(op, name, receiver, tensors, given)
    differentiable = (op.grad and name not in _STEPS) and (
        dtype is None or dtype in FLOATING or dtype.startswith("complex")
    )
    if _returns_several(op, receiver, given):
        more = {}
        if name in _PARTING and first is not None and first.storage:
            writes = frame.program.writes
            more["storage"] = writes.mark(writes.parted, first.storage, node)
        each = frame.derive(label, node, inputs, None, dtype, differentiable=differentiable, **more)
        if name in _WITH_INDICES:
            return sequence((each, tensor(Graph.NO, None, "int64")))
        return sequence((each,) * op.n if op.n else ((each, each) if op.ret_dim else None), each)
    shape = _shape(op, name, receiver, tensors, given, frame)
    more = _identity(op, name, first, tensors, shape, given, frame)
    if op.alias == "self" and first is not None and first.kind & Kind.TENSOR:
        value = _in_place(first, inputs, receiver is not None, given, frame)
        save(op, name, _by_name(op, receiver, given), value, node, frame)
        return value
    if first is not None and first.kind & Kind.TENSOR and _asks_in_place(op, given):
        if node.args:
            overwrite(node.args[0], first, frame)
        if name in KEPT_IN_PLACE and first.graph > Graph.NO and frame.state.grad:
            keep(first, node, first.graph, first, frame, own=True)
        return first
    value = frame.derive(label, node, inputs, shape, dtype, differentiable=differentiable, **more)
    if first is not None and first.kind & Kind.SEQUENCE and (parts := contents(first)) is not None:
        frame.program.cuts.gathered.update(dict.fromkeys(value.storage, parts.storage))
    if name in LINEAR and first is not None:
        frame.program.cuts.terms.keep(value, _parts(first))
    if op.saves:
        save(op, name, _by_name(op, receiver, given), value, node, frame)
    for number_ in _numbers(op, given):
        value = value.but(cuts=value.cuts | frame.cut(node, number_))
    flag = given.keywords.get("requires_grad")
    if flag is not None and flag.const is True:
        value = requires_grad(value, "made with `requires_grad=True`", node.lineno, frame)
    return value


def _parts(value: Value) -> list[Value]:
    """The elements of a list of known length; anything else is one part."""
    if value.kind & Kind.SEQUENCE:
        return list(value.items) if value.items is not None else []
    return [value]


_STEPS = frozenset("round sign floor ceil trunc fix heaviside".split())
"""Operations that carry a graph through which only zeros flow."""


def _numbers(op: Op, given: Arguments) -> list[Value]:
    """Tensors that `linspace`, `full` and the like read as numbers: graphs end there."""
    if op.grad:
        return []
    found = [given.named(name, op.args) for name in ("start", "end", "fill_value")]
    return [v for v in found if v is not None and v.is_tensor and v.graph > Graph.NO]


def _operands(op: Op, given: Arguments) -> list[Value]:
    """The arguments without those that only say how: no gradient comes from them."""
    if not given.exact or op.binary:  # what stands second in `max(a, b)` may be a tensor
        return list(given.all())
    names = (*op.args, *("" for _ in given.values))
    named = (*zip(names, given.values, strict=False), *given.keywords.items())
    return [value for name, value in named if name not in _SETTINGS]


def _by_name(op: Op, receiver: Value | None, given: Arguments) -> dict[str, Value]:
    """The arguments by parameter name; the first one is `self`, as in a method."""
    names = op.args if receiver is not None else ("self", *op.args[1:])
    found = dict(zip(names, given.values, strict=False)) | given.keywords
    first = receiver or (given.keywords.get(op.args[0]) if op.args else None)
    return found if first is None else {**found, "self": first}


def _returns_several(op: Op, receiver: Value | None, given: Arguments) -> bool:
    if op.ret == "tensors":
        return True
    if op.ret_dim != "tensors":
        return False
    first = given.get(0 if receiver is not None else 1, "dim")
    return (first is not None and not first.kind & Kind.TENSOR) or "dim" in given.keywords


def _plain(
    op: Op, name: str, first: Value | None, tensors: list[Value], given: Arguments, frame: Frame
) -> Value:
    """Results that are no tensors: where a value leaves the graph for Python."""
    cuts = EMPTY
    for value in tensors:
        cuts = cuts | frame.cut(given.node, value)
    if op.ret in ("number", "bool"):
        return number(cuts=cuts) if name == "item" else NUMBER
    if op.ret == "list":
        return sequence(None, number(cuts=cuts))
    if op.ret == "numpy":
        if first is not None and first.cuts and first.graph == Graph.NO:
            earlier = frame.program.cuts.arrays.get(given.node, EMPTY)
            frame.program.cuts.arrays[given.node] = earlier | first.cuts
        return Value(Kind.NUMPY, cuts=cuts | (first.cuts if first is not None else EMPTY))
    if op.ret == "sizes" and first is not None:
        axis = given.get(0, "dim")
        if axis is not None:
            return shapes.size(first, axis.const) if isinstance(axis.const, int) else NUMBER
        return shapes.sizes(first)
    return NONE if op.ret == "none" else OTHER


def _dtype_of_numbers(values: Sequence[Value]) -> str | None:
    """What `torch.arange(0, 4)` is made of, where the numbers are written in the source."""
    kinds = {type(value.const) for value in values}
    if float in kinds:
        return "default"
    return "int64" if kinds == {int} else None


def _dtype(
    op: Op, name: str, receiver: Value | None, tensors: list[Value], given: Arguments
) -> str | None:
    explicit = given.keywords.get("dtype") or given.named("dtype", op.args)
    if explicit is not None and (found := dtype_name(explicit)):
        return found
    if receiver is not None:
        if name in _CASTS:
            return _CASTS[name]
        if name in ("to", "type", "type_as"):
            names = [d for v in given.values if (d := dtype_name(v))]
            return names[0] if names else receiver.dtype
    if op.dtype in ("bool", "int64"):
        return op.dtype
    if op.creates or name in ("rand", "randn", "zeros", "ones", "empty", "linspace", "eye"):
        if name in ("arange", "full"):
            return _dtype_of_numbers(given.values if name == "arange" else given.values[1:2])
        return "default" if name not in ("randint", "randperm") else None
    dtypes = [v.dtype for v in tensors if v.is_tensor]
    if op.dtype == "float" and len(tensors) == 1 and dtypes == [None]:
        return "float"  # whatever went in, a float comes out
    if not dtypes or len(dtypes) != len(tensors):
        return None
    dtype: str | None = dtypes[0]
    if op.dtype == "promote" or op.shape == "broadcast":
        for other in dtypes[1:]:
            dtype = promote(dtype, other)
    if op.dtype == "float" and dtype is not None and dtype not in FLOATING:
        return "default" if not dtype.startswith("complex") else dtype
    return dtype


def _shape(
    op: Op,
    name: str,
    receiver: Value | None,
    tensors: list[Value],
    given: Arguments,
    frame: Frame,
) -> tuple[Any, ...] | None:
    first = receiver if receiver is not None else (given.values[0] if given.values else None)
    rule = SHAPE_RULES.get(name)
    if rule is not None:
        return rule(first, given, 0 if receiver is not None else 1)
    if op.shape == "same" and first is not None:
        return first.shape
    if op.shape == "broadcast":
        return shapes.broadcast(tensors)
    if op.shape == "scalar":
        return ()
    if op.shape == "loss":
        reduction = given.named("reduction", op.args)
        return () if reduction is None or reduction.const in ("mean", "sum", "batchmean") else None
    if op.shape == "reduce" and first is not None:
        return _reduced(op, first, given, receiver is not None)
    return None


def _reduced(op: Op, first: Value, given: Arguments, is_method: bool) -> tuple[Any, ...] | None:
    dim = given.named("dim", op.args) or given.keywords.get("axis")
    keep = given.named("keepdim", op.args) or given.keywords.get("keepdims")
    if keep is not None and not isinstance(keep.const, bool):
        return None
    keepdim = keep is not None and keep.const is True
    if dim is None or dim.kind == Kind.NONE:
        return shapes.reduced(first.shape, None, keepdim)
    if dim.kind & Kind.SEQUENCE:
        items = dim.items
        if items is None or not all(isinstance(i.const, int) for i in items):
            return None
        return shapes.reduced(first.shape, [i.const for i in items], keepdim)
    if not isinstance(dim.const, int):
        return None
    return shapes.reduced(first.shape, [dim.const], keepdim)


def _asks_in_place(op: Op, given: Arguments) -> bool:
    """`F.relu(x, inplace=True)`"""
    flag = given.named("inplace", op.args) if "inplace" in op.args else None
    return flag is not None and flag.const is True


_SPREADING = frozenset({"expand", "expand_as", "broadcast_to"})


def _identity(
    op: Op,
    name: str,
    first: Value | None,
    tensors: list[Value],
    shape: tuple[Any, ...] | None,
    given: Arguments,
    frame: Frame,
) -> dict[str, Any]:
    """What a result shares with its input: memory, an unknown shape, being a Parameter."""
    more: dict[str, Any] = {}
    if first is None or not first.kind & Kind.TENSOR:
        return more
    writes = frame.program.writes
    if name in _SPREADING and not (shape is not None and shape == first.shape):
        more["storage"] = writes.mark(writes.expanded, first.storage, given.node)
    elif op.alias == "view":
        more["storage"] = first.storage
    elif (
        op.alias == "maybe"
        and "inplace" not in op.args  # what drops out makes a copy
        and first.storage.isdisjoint(writes.expanded)  # what is spread is copied for sure
    ):
        more["storage"] = writes.doubt(first.storage)
    if shape is None and first.shape is None:
        if op.shape == "same":
            more["shape_id"] = first.shape_id
        elif op.shape == "broadcast":
            kept = shapes.kept_shape_id(tensors)
            if kept is not None:
                more["shape_id"] = kept
    return more


def _in_place(
    first: Value, inputs: list[Value], is_method: bool, given: Arguments, frame: Frame
) -> Value:
    """`x.add_(y)`, `F.relu_(x)`: the memory of x is written, and x comes back."""
    from autofix.flow.stores import write_into

    others = [v for v in inputs[1:] if v.kind & Kind.TENSOR]
    for other in others:
        frame.program.cuts.written(first, other)
    written = tensor(
        max([v.graph for v in others], default=Graph.NO) if frame.state.grad else Graph.NO,
        cuts=frozenset().union(*(all_cuts(v) for v in others)),
        why=others[0].why if others else None,
    )
    target = given.node.func
    if last_name(target) in NOT_WRITES:
        return first
    node: ast.expr = given.node
    if is_method and isinstance(target, ast.Attribute):
        node = target.value
    elif given.node.args:
        node = given.node.args[0]
    write_into(node, first, written, frame)
    if isinstance(node, ast.Name):
        current = frame.name(node.id)
        if current.kind & Kind.TENSOR:
            return current
    return first.but(graph=max(first.graph, written.graph), cuts=first.cuts | written.cuts)
