"""`torch.tensor` and its kin: a tensor made of data, and the graph of that data left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autofix.flow import shapes
from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.op_dtypes import dtype_name
from autofix.flow.trails import note_trail
from autofix.flow.values import COMPLEX, FLOATING, Dim, Graph, Kind, Value, Why, tensor

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

COPYING = frozenset({"tensor", "new_tensor"})
"""A tensor given to one of these comes out detached; the others keep the graph of a tensor."""

TYPED = {
    "Tensor": "default",
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}
CONSTRUCTORS = frozenset({"tensor", "as_tensor", "asarray", "new_tensor", *TYPED})


def make(name: str, given: Arguments, frame: Frame, receiver: Value | None = None) -> Value:
    """The result of `torch.<name>(data, ...)` or `receiver.new_tensor(data, ...)`."""
    data = given.get(0, "data", "obj")
    if name in TYPED and _is_size(data, given):
        dims = tuple(shapes.as_dim(v) for v in given.values)
        return tensor(Graph.NO, dims, TYPED[name])
    if data is None:
        return tensor(Graph.NO, None)
    flag = given.keywords.get("requires_grad")
    wants_grad = flag is not None and flag.const is True
    dtype = _dtype(name, data, given, receiver)
    if name not in COPYING and data.is_tensor and not wants_grad:
        return frame.derive(
            f"`{name}`", given.node, [data], data.shape, dtype, storage=data.storage
        )
    inner = contents(data)
    cuts = all_cuts(data) - frame.program.cuts.spoiled
    if inner is not None:
        made = frame.cut(given.node, inner.but(cuts=cuts), through=True)
        frame.program.cuts.copies(given.node, made, inner.storage, data.aliases)
        cuts = cuts | made
    if wants_grad:
        cuts |= frame.program.purposes.all_before(data)
    value = tensor(Graph.NO, data_shape(data), dtype, cuts=cuts)
    if wants_grad:
        frame.program.purposes.rewrapped(given.node, cuts)
        if frame.program.purposes.is_silencer(
            value, frame.index.asks_for_gradients
        ) and not _is_given(data):
            return value.but(leaf=True)
        if value.has_no_elements:
            return value
        why = Why("made with `requires_grad=True`", given.node.lineno)
        return value.but(graph=Graph.YES, leaf=True, why=why)
    return value


def _is_given(data: Value) -> bool:
    """Is it an argument or the like, or a list of some, of which no cut is known?"""
    inner = contents(data)
    given = data if inner is None else inner
    return given.kind == Kind.UNKNOWN and not all_cuts(data)


def _is_size(data: Value | None, given: Arguments) -> bool:
    return data is not None and data.is_number and bool(given.values)


def data_shape(data: Value | None) -> tuple[Dim, ...] | None:
    """The shape of `torch.tensor(data)`."""
    if data is None:
        return None
    if data.is_number:
        return ()
    if data.is_tensor:
        return data.shape
    if data.kind != Kind.SEQUENCE or data.elem is None:
        return (0,) if data.kind == Kind.SEQUENCE and data.items == () else None
    count = len(data.items) if data.items is not None else None
    if data.elem.is_tensor:
        # an element must hold exactly one value (longer ones raise), unless it is a row of a row
        return (count,) if data.elem.shape is None or data.elem.is_single else None
    inner = data_shape(data.elem)
    return None if inner is None else (count, *inner)


def _dtype(name: str, data: Value, given: Arguments, receiver: Value | None) -> str | None:
    explicit = dtype_name(given.keywords.get("dtype") or given.get(1))
    if explicit is not None:
        return explicit
    if name in TYPED:
        return TYPED[name]
    if receiver is not None:
        return receiver.dtype
    return data_dtype(data)


def data_dtype(data: Value) -> str | None:
    inner = contents(data)
    if inner is None:
        return "default"
    if inner.is_tensor or inner.kind == Kind.NUMPY:
        return inner.dtype
    if inner.is_number:
        found = {type(v.const) for v in _leaves(data)}
        if found and found <= {bool}:
            return "bool"
        if found and found <= {int, bool}:
            return "int64"
        return "default" if float in found and found <= {int, bool, float} else None
    return None


def _leaves(data: Value) -> list[Value]:
    if data.items is not None:
        return [leaf for item in data.items for leaf in _leaves(item)]
    if data.elem is not None:
        return _leaves(data.elem)
    return [data]


def parameter(given: Arguments, frame: Frame) -> Value:
    """`nn.Parameter(data, requires_grad=True)`: a fresh leaf that shares the data's memory."""
    data = given.get(0, "data")
    flag = given.get(1, "requires_grad")
    trains = flag is None or flag.const is not False
    line = given.node.lineno
    if data is None:
        data = tensor(Graph.NO, (0,), "default")
    cuts = frame.cut(given.node, data, through=True)
    if trains:
        frame.program.purposes.rewrapped(given.node, cuts)
    shape = data.shape if data.is_tensor else None
    dtype = data.dtype if data.is_tensor else None
    if dtype is not None and dtype not in FLOATING | COMPLEX:
        trains = False
    frame.program.writes.no_data |= data.storage
    note_trail(given.node, frame)
    return tensor(
        Graph.YES if trains else Graph.NO,
        shape,
        dtype,
        leaf=trains,
        parameter=True,
        cuts=cuts,
        why=Why("an `nn.Parameter`", line) if trains else None,
        **({"storage": data.storage} if data.is_tensor and data.storage else {}),
    )
