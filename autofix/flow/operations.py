"""Torch operations: what comes out, from the generated table and a few shape rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autofix.flow import shapes
from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.joins import sequence
from autofix.flow.labels import is_data
from autofix.flow.op_dtypes import result_dtype
from autofix.flow.op_memory import asks_in_place, shared, write_in_place
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
from autofix.flow.writes import overwrite

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments


_SETTINGS = frozenset(
    "descending device dim dim0 dim1 dims dtype end_dim generator k keepdim largest layout "
    "memory_format size start_dim".split()
)
"""Arguments that are numbers or settings, whatever they are called with."""

_LIKE = frozenset("to type type_as".split())
"""Methods whose arguments tell a dtype, a device or a shape, be they tensors."""

_FRESH = frozenset(
    "new new_zeros new_ones new_empty new_full zeros_like ones_like empty_like full_like rand_like "
    "randn_like randint_like".split()
)
"""Operations that learn a shape, a dtype or a device from a tensor, and nothing of its values."""

_WITH_INDICES = frozenset("cummax cummin kthvalue max median min mode nanmedian sort topk".split())
"""Operations that give values and where they stood: numbers without a gradient."""


_NUMPY_WORDS = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}
"""What torch takes for its own names of arguments."""

_PARTING = frozenset(
    "chunk split unbind tensor_split hsplit vsplit dsplit split_with_sizes unsafe_chunk".split()
)
"""Operations whose results are views, made at once."""

_OF_ONE_NUMBER = frozenset(
    "zeros ones full empty zeros_like ones_like full_like empty_like new_zeros new_ones new_full "
    "new_empty eye".split()
)


def apply(op: Op, name: str, receiver: Value | None, given: Arguments, frame: Frame) -> Value:
    """Call a torch function (`receiver` None) or tensor method and give its result."""
    given = _in_torch_words(op, given)
    inputs = [receiver] if receiver is not None else []
    if receiver is None or name not in _LIKE:
        inputs += [value for v in _operands(op, given) if (value := contents(v)) is not None]
    tensors = [v for v in inputs if v.kind & (Kind.TENSOR | Kind.UNKNOWN | Kind.NUMPY)]
    first = receiver if receiver is not None else (given.values[0] if given.values else None)
    if op.ret not in ("tensor", "tensors"):
        return _plain(op, name, first, tensors, given, frame)
    if op.shape == "loss" and (target := given.named("target", op.args)) is not None:
        inputs = _loss_inputs(first, target, inputs, given, frame)
    if first is not None and name in ("pow", "square", "abs", "exp"):
        frame.program.purposes.distance(first, ratio=name == "exp")
    if name in _FRESH:
        inputs = _filled(name, inputs, first, given)
    label = f"`.{name}`" if receiver is not None else f"`{name}`"
    node = given.node
    dtype = result_dtype(op, name, receiver, tensors, given)
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
            hard = frame.program.cuts.step(node, each.graph)
            return sequence((each, tensor(Graph.NO, None, "int64", cuts=hard)))
        return sequence((each,) * op.n if op.n else ((each, each) if op.ret_dim else None), each)
    shape = _shape(op, name, receiver, tensors, given, frame)
    more = shared(op, name, first, tensors, shape, dtype, given, frame)
    if op.alias == "self" and first is not None and first.kind & Kind.TENSOR:
        value = write_in_place(first, inputs, receiver is not None, given, frame)
        save(op, name, _by_name(op, receiver, given), value, node, frame)
        return value
    if first is not None and first.kind & Kind.TENSOR and asks_in_place(op, given):
        if node.args:
            overwrite(node.args[0], first, frame)
        if name in KEPT_IN_PLACE and first.graph > Graph.NO and frame.state.grad:
            keep(first, node, first.graph, first, frame, own=True)
        return first
    if name.endswith("_like") or name.startswith("new_"):
        inputs = [v if v.is_number else _constant(v) for v in inputs if _fills(v, name)]
    value = frame.derive(label, node, inputs, shape, dtype, differentiable=differentiable, **more)
    if name in _OF_ONE_NUMBER:
        frame.program.writes.no_data |= value.storage
    if first is not None and first.kind & Kind.SEQUENCE and (parts := contents(first)) is not None:
        frame.program.cuts.memory.put_together(value.storage, parts.storage)
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


def _fills(value: Value, name: str) -> bool:
    """Is it what is filled in? Of other tensors the shape alone matters."""
    return value.is_number or ("full" in name and value.is_tensor)


def _constant(value: Value) -> Value:
    """A tensor that is read as a number."""
    return value.but(graph=Graph.NO)


def _filled(name: str, inputs: list[Value], first: Value | None, given: Arguments) -> list[Value]:
    """Of what a new tensor is made, beside its shape: what `full_like` and `new_full` fill in."""
    if name == "new":
        return [value for value in given.values if value.is_tensor]
    return [v for v in inputs if v is not first] if "full" in name else []


def _loss_inputs(
    first: Value | None, target: Value, inputs: list[Value], given: Arguments, frame: Frame
) -> list[Value]:
    """What goes into a loss; whatever was cut on the way to its target was meant to be.
    `mse_loss(data, output)`, the wrong way round, has its target in front."""
    purposes = frame.program.purposes
    if first is None or first is target:
        purposes.targets |= all_cuts(target)
        return inputs
    if first.graph > Graph.NO or all_cuts(first):
        purposes.targets |= all_cuts(target)
    if first.graph == Graph.NO and target.graph == Graph.YES:
        purposes.targets |= all_cuts(first)
    if first.cuts and is_data(first, target, given.node):
        return [v.but(graph=Graph.NO) if v is target else v for v in inputs]
    return inputs


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
    return [v for v in found if v is not None and v.is_tensor_or_number and v.graph > Graph.NO]


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


def _in_torch_words(op: Op, given: Arguments) -> Arguments:
    """The arguments under torch's own names, where the call has those of NumPy."""
    foreign = (given.keywords.keys() & _NUMPY_WORDS.keys()) - set(op.args)
    if not foreign:
        return given
    words = {_NUMPY_WORDS[k] if k in foreign else k: v for k, v in given.keywords.items()}
    return replace(given, keywords=words)


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
        if value.graph == Graph.NO:
            cuts |= value.cuts  # `x.detach().item()`
    if op.ret in ("number", "bool"):
        return number(cuts=cuts) if name == "item" else NUMBER
    if op.ret == "list":
        return sequence(None, number(cuts=cuts))
    if op.ret == "numpy":
        if first is not None:
            frame.program.purposes.read_as_array(given.node, first)
        return Value(Kind.NUMPY, cuts=cuts | (first.cuts if first is not None else EMPTY))
    if op.ret == "sizes" and first is not None:
        axis = given.get(0, "dim")
        if axis is not None:
            return shapes.size(first, axis.const) if isinstance(axis.const, int) else NUMBER
        return shapes.sizes(first)
    return NONE if op.ret == "none" else OTHER


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
    dim = given.named("dim", op.args)
    keep = given.named("keepdim", op.args)
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
