"""Instances of torch.nn.Module: what calling them gives, and their own methods."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autofix.flow import torch_api
from autofix.flow.callbacks import register
from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.joins import join, sequence
from autofix.flow.labels import is_data
from autofix.flow.leaves import note_parameters
from autofix.flow.objects import Instance
from autofix.flow.packed import is_packed, packed
from autofix.flow.saved import KEPT_IN_PLACE, keep, save_module
from autofix.flow.stores import replace_contents, store_attribute
from autofix.flow.values import (
    EMPTY,
    INTEGRAL,
    NONE,
    NUMBER,
    OTHER,
    UNKNOWN,
    UNSEEN,
    Dim,
    Graph,
    Kind,
    Value,
    Why,
    tensor,
)
from autofix.flow.writes import overwrite

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_RETURN_SELF = frozenset(
    {
        "to",
        "cuda",
        "cpu",
        "float",
        "double",
        "half",
        "bfloat16",
        "train",
        "eval",
        "requires_grad_",
        "apply",
        "share_memory",
        "type",
    }
)


def call_module(module: Value, inputs: Sequence[Value], node: ast.Call, frame: Frame) -> Value:
    """What `module(x)` gives."""
    name = module.ref if isinstance(module.ref, str) else None
    frozen = bool(identity(module) & frame.program.frozen)
    if name is not None and name.endswith("nn.Sequential") and module.items and not frozen:
        return _through(module.items, inputs, node, frame)
    op = torch_api.module(name) if name is not None else None
    weights = Graph.NO if identity(module) & frame.program.frozen else has_parameters(module)
    if op is not None and op.reduction and len(inputs) > 1:
        frame.program.purposes.targets |= all_cuts(inputs[1])
        if inputs[0].cuts and is_data(inputs[0], inputs[1], node):
            inputs = [inputs[0], inputs[1].but(graph=Graph.NO)]
    flat = [v for value in inputs if (v := contents(value)) is not None]
    # What indices were computed from is nothing that their rows could have a gradient for.
    flat = [v.but(cuts=EMPTY) if v.is_tensor and v.dtype in INTEGRAL else v for v in flat]
    shape = _shape(name, op, module, flat)
    label = f"`{name}`" if name else "a module"
    result = frame.derive(label, node, flat, shape, _dtype(flat, op))
    for weight in _given_weights(module, frame):
        result.cuts |= weight.cuts
    if frozen and result.graph < Graph.YES and not _only_measures(module, frame):
        # Most of what goes into a frozen model is data, and where it is not, nobody sees it.
        cuts = result.cuts | UNSEEN if result.graph else result.cuts
        result = result.but(graph=Graph.NO, why=None, cuts=cuts)
    if Graph.NO < weights >= result.graph and frame.state.grad:
        why = Why(f"{label} has parameters", node.lineno)
        result = result.but(graph=weights, why=why)
    elif weights > Graph.NO and not frame.state.grad:
        result = result.but(cuts=result.cuts | frame.lost(weights))
    if name is not None and flat and _asks_in_place(module) and flat[0].kind & Kind.TENSOR:
        return _in_place(module, name, flat[0], node, frame)
    save_module(name, flat, result, node, frame)
    out = packed(result) if inputs and is_packed(inputs[0]) else result
    if name == "torch.nn.LSTM":  # the output, and a pair of states
        return sequence((out, sequence((result, result))), result)
    if op is not None and op.ret == "tensors":
        return sequence((out, *(result,) * (op.n - 1)) if op.n else None, result)
    return result if op is not None else result.but(kind=Kind.UNKNOWN)


def _only_measures(module: Value, frame: Frame) -> bool:
    """Does the object that has the frozen module train nothing else, as a loss between features?
    Then it is there for the gradient of what goes in."""
    mine = identity(module)
    for value in list(frame.state.bound.values()):
        if not isinstance(value.ref, Instance):
            continue
        parts = value.ref.info.table.values()
        if any(part.kind == Kind.MODULE and identity(part) & mine for part in parts):
            return not any(_is_trained(part, frame) for part in parts)
    return False


def _is_trained(part: Value, frame: Frame) -> bool:
    if part.kind & Kind.TENSOR:
        return part.parameter
    if part.kind == Kind.UNKNOWN:
        return part.graph > Graph.NO
    frozen = bool(identity(part) & frame.program.frozen)
    return not frozen and has_parameters(part) > Graph.NO


def _given_weights(module: Value, frame: Frame) -> list[Value]:
    """What was set as `module.weight` or `module.bias` of a layer of torch."""
    keys = [(identity, name) for identity in module.aliases for name in ("weight", "bias")]
    return [frame.state.bound[key] for key in keys if key in frame.state.bound]


def _asks_in_place(module: Value) -> bool:
    flag = (module.entries or {}).get("inplace")
    return flag is not None and flag.const is True


def _in_place(module: Value, name: str, first: Value, node: ast.Call, frame: Frame) -> Value:
    """`nn.ReLU(inplace=True)(x)`: x itself is changed."""
    makers = frame.program.writes.makers
    maker = next((makers[i] for i in module.aliases if i in makers), None)
    if maker is not None:
        overwrite(maker, first, frame, node)
    kept = name.rpartition(".")[2].lower() in {k.replace("_", "") for k in KEPT_IN_PLACE}
    if kept and first.graph > Graph.NO and frame.state.grad:
        keep(first, node, first.graph, first, frame, own=True)
    return first


def _through(
    modules: Sequence[Value], inputs: Sequence[Value], node: ast.Call, frame: Frame
) -> Value:
    from autofix.flow.calls import Arguments, call_value

    value = UNKNOWN
    given = list(inputs)
    for module in modules:
        value = call_value(module, Arguments(node, given), frame)
        given = [value]
    weights = max((has_parameters(m) for m in modules), default=Graph.NO)
    if frame.state.grad and value.is_tensor and value.graph < weights:
        why = Why("`nn.Sequential` has parameters", node.lineno)
        return value.but(graph=weights, why=why)
    return value


def identity(module: Value) -> frozenset[int]:
    """What tells this module from others of its class."""
    return frozenset({module.ref.identity}) if isinstance(module.ref, Instance) else module.aliases


def has_parameters(module: Value) -> Graph:
    """How sure is it that calling the module gives a graph, be there none in what it is given?"""
    if not module.kind & Kind.MODULE:
        return Graph.MAYBE if module.kind & Kind.UNKNOWN else Graph.NO
    op = torch_api.module(module.ref) if isinstance(module.ref, str) else None
    if op is None:
        return Graph.YES  # a class of somebody's own
    if not op.container:
        return _is_affine(module) if op.params else Graph.NO
    inner = module.items or ([module.elem] if module.elem is not None else [])
    found = (Graph.YES if v.is_tensor else has_parameters(v) for v in inner)
    return max(found, default=Graph.MAYBE)  # (it may be filled later)


def _is_affine(module: Value) -> Graph:
    """A norm may be made without the weights that its class can have."""
    for option in ("affine", "elementwise_affine"):
        flag = (module.entries or {}).get(option)
        if flag is not None:
            if not isinstance(flag.const, bool):
                return Graph.MAYBE
            return Graph.YES if flag.const else Graph.NO
    return Graph.NO if "InstanceNorm" in str(module.ref) else Graph.YES


def _shape(
    name: str | None, op: torch_api.ModuleOp | None, module: Value, inputs: Sequence[Value]
) -> tuple[Dim, ...] | None:
    first = inputs[0].shape if inputs and inputs[0].is_tensor else None
    if op is None:
        return None
    if op.shape == "scalar" or op.reduction:
        reduction = (module.entries or {}).get("reduction")
        known = reduction is None or reduction.const in ("mean", "sum", "batchmean")
        return () if known else None
    if first is None:
        return None
    if op.shape == "same":
        return first
    if op.shape == "last":
        return (*first[:-1], _width(module))
    return (None,) * len(first) if op.rank == "same" else None


def _width(module: Value) -> Dim:
    """The size of what a linear layer gives."""
    width = (module.entries or {}).get("out_features")
    if width is None or not width.is_number:
        return None
    return width.const if isinstance(width.const, int) else width.symbol


def _dtype(inputs: Sequence[Value], op: torch_api.ModuleOp | None) -> str | None:
    if op is None or not inputs:
        return None
    dtype = inputs[0].dtype
    return dtype if dtype in ("default", "float", "float32", "float64", "float16") else None


def module_method(module: Value, name: str, given: Arguments, frame: Frame) -> Value:
    """A method that torch.nn.Module itself (or one of its containers) has."""
    for value in given.all():
        register(value, frame)  # `apply(initialise)`, `register_forward_hook(keep)`
    if name in _RETURN_SELF:
        if name == "requires_grad_":
            flag = given.get(0, "requires_grad")
            if flag is not None and flag.const is False:
                frame.program.freeze(identity(module))
                frame.program.thawed -= identity(module)
            else:
                frame.program.thaw(identity(module))
                frame.program.thawed |= identity(module)
        return module
    if name in ("forward", "__call__"):
        return call_module(module, given.values, given.node, frame)
    if name == "buffers":
        return sequence(None, tensor(Graph.NO, cuts=UNSEEN))
    if name in ("parameters", "named_parameters"):
        leaf = tensor(
            Graph.YES,
            leaf=True,
            parameter=True,
            dtype="default",
            storage=identity(module),
            why=Why("a parameter of the module", given.node.lineno),
        )
        note_parameters(module, leaf.storage, frame)
        return sequence(None, leaf if name == "parameters" else sequence((OTHER, leaf)))
    if name in ("register_parameter", "register_buffer", "add_module", "register_module"):
        _register(module, given, frame)
        return NONE
    if name in ("append", "extend", "insert") and given.values:
        func = given.node.func
        added = given.values[-1]
        added = added.elem or UNKNOWN if name == "extend" else added
        known = module.items is not None and name == "append"
        items = (*(module.items or ()), added) if known else None
        new = module.but(items=items, elem=join(module.elem, added) if module.elem else added)
        if isinstance(func, ast.Attribute):
            replace_contents(module, new, func.value, frame)
        return module
    if name in ("values", "children"):
        return sequence(None, module.elem or UNKNOWN)
    if name == "modules":
        return sequence(None, UNKNOWN)  # the parts of its parts, too
    if name == "items":
        return sequence(None, sequence((OTHER, module.elem or UNKNOWN)))
    if name in ("state_dict", "zero_grad", "load_state_dict", "keys"):
        return OTHER
    graph = Graph.MAYBE if frame.state.grad else Graph.NO
    cuts = frozenset().union(*(all_cuts(v) for v in given.all()))
    if name in ("backward", "manual_backward") and given.values:
        line = given.node.lineno
        frame.program.cuts.need(given.values[0], "`backward()` runs through it", line, True)
        frame.state.saved = {}
        return NONE
    if name in ("log", "log_dict", "print", "save_hyperparameters"):
        return NONE
    return Value(Kind.UNKNOWN, graph, cuts=cuts) if name != "__len__" else NUMBER


def _register(module: Value, given: Arguments, frame: Frame) -> None:
    name, value = given.get(0, "name"), given.get(1, "param", "tensor", "module")
    if name is not None and isinstance(name.const, str) and value is not None:
        func = given.node.func
        buffer = isinstance(func, ast.Attribute) and func.attr == "register_buffer"
        if buffer and value.graph == Graph.MAYBE:
            value = value.but(graph=Graph.NO, why=None)  # what is not trained is data
        store_attribute(module, name.const, value, given.node, frame)
