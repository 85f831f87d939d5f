"""Calls that leave the file: torch, numpy, math, and what is known of other libraries."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autofix.flow import arrays, constructors, distributions, torch_api
from autofix.flow.builtins_ import BUILTINS
from autofix.flow.callbacks import escape, register
from autofix.flow.einsum import einsum
from autofix.flow.frame import Frame, all_cuts, contents
from autofix.flow.functional import FUNCTIONAL
from autofix.flow.joins import sequence
from autofix.flow.labels import names_loss
from autofix.flow.leaves import use_as_leaf
from autofix.flow.modes import mode_of
from autofix.flow.objects import is_module_class
from autofix.flow.operations import apply
from autofix.flow.packed import PACKING, pack
from autofix.flow.standard import STANDARD
from autofix.flow.values import (
    EMPTY,
    NONE,
    NUMPY,
    OTHER,
    UNKNOWN,
    UNSEEN,
    Graph,
    Kind,
    Value,
    fresh,
    library,
    number,
    tensor,
)
from autofix.flow.writes import memory_in, memory_of_results

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

_SAME_OBJECT = frozenset(
    {
        "torch.compile",
        "torch.jit.script",
        "torch.nn.DataParallel",
        "torch.jit.ignore",
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.DataParallel",
        "torch.nn.utils.weight_norm",
        "torch.nn.utils.spectral_norm",
        "copy.copy",
        "torch.nn.utils.parametrizations.weight_norm",
        "torch.atleast_1d",
        "torch.nn.utils.parametrizations.spectral_norm",
        "typing.cast",
    }
)
_BACKWARD = frozenset({"torch.autograd.backward", "torch.autograd.grad"})
_WATCHED = (
    *("logging.", "matplotlib.", "wandb.", "warnings.", "tqdm.", "sys.", "os.", "time.", "json."),
    *("csv.", "pathlib.", "random.", "re.", "collections.Counter"),
)


def call_library(name: str, given: Arguments, frame: Frame) -> Value:
    """`name(...)`, where `name` is a full dotted name such as ``torch.nn.functional.relu``."""
    root, _, rest = name.partition(".")
    if root == "builtins":
        for value in given.keywords.values():
            register(value, frame)  # `sorted(items, key=note)`
        return BUILTINS.get(rest, _unknown)(given, frame)
    if root == "torch":
        return _torch(name, given, frame)
    if root == "math":
        return _math(given, frame)
    if root in ("numpy", "scipy"):
        return _numpy(name, given, frame)
    if name in _SAME_OBJECT:
        return given.values[-1] if given.values else UNKNOWN
    if name == "collections.OrderedDict":
        return BUILTINS["dict"](given, frame)
    if name == "collections.deque":
        made = BUILTINS["list"](given, frame).but(ref=name)
        frame.state.bound.update(dict.fromkeys(made.aliases, made))
        return made
    if name in FUNCTIONAL:
        return FUNCTIONAL[name](given, frame)
    if name in STANDARD:
        return STANDARD[name](given, frame)
    if is_module_class(name):
        return Value(Kind.MODULE, ref=name, aliases=frozenset({fresh()}))
    if name.startswith(_WATCHED):
        return Value(Kind.UNKNOWN, Graph.NO)
    if name.startswith("torchvision.transforms.") and name.rpartition(".")[2][:1].isupper():
        return Value(Kind.UNKNOWN, Graph.NO)  # there is nothing to train in it
    if name.startswith("torchvision.models"):
        return Value(Kind.MODULE, ref="torch.nn.Module", aliases=frozenset({fresh()}))
    if name.rpartition(".")[2] in ("backward", "manual_backward"):
        return _backward(given, frame)
    is_function = "." in rest and name.rpartition(".")[2].islower()
    if is_function and any(v.is_tensor for v in given.all()) and all(map(_is_plain, given.all())):
        # A function of a library makes data out of data, unless it has something to learn.
        cuts = EMPTY.union(*map(all_cuts, given.all()))
        return Value(Kind.UNKNOWN, Graph.NO, cuts=cuts if names_loss(rest) else cuts | UNSEEN)
    return _unknown(given, frame)


def _is_plain(value: Value) -> bool:
    """A tensor without a graph, a number or the like, or several of them."""
    inner = contents(value)
    if inner is None or inner.graph > Graph.NO:
        return False
    return not inner.kind & ~(Kind.TENSOR | Kind.NUMBER | Kind.STRING | Kind.NONE | Kind.OTHER)


def _unknown(given: Arguments, frame: Frame) -> Value:
    from autofix.flow.calls import unknown_call

    return unknown_call(given, frame)


def _backward(given: Arguments, frame: Frame) -> Value:
    for value in given.values[:1]:
        frame.program.cuts.need(value, "a backward pass runs through it", given.node.lineno, True)
    frame.state.saved = {}
    return NONE


def _torch(name: str, given: Arguments, frame: Frame) -> Value:
    last = name.rpartition(".")[2]
    special = _SPECIAL.get(name)
    if special is not None:
        return special(given, frame)
    if name in _BACKWARD:
        return _autograd(name, given, frame)
    if last in constructors.CONSTRUCTORS and name.count(".") <= 2:
        return constructors.make(last, given, frame)
    if name in _SAME_OBJECT:
        if last.endswith("DataParallel") and given.values:
            frame.program.thaw(given.values[0].aliases)  # wrapped to be trained, copy or not
        return given.values[0] if given.values else library(name)
    if torch_api.is_optimizer(name):
        return _optimizer(given, frame)
    if name.startswith("torch.nn.init.") and given.values:
        return given.values[0]  # written without gradient mode
    op = torch_api.function(name)
    if op is not None:
        for value in given.all():
            escape(value, frame)
        return apply(op, last, None, given, frame)
    if is_module_class(name) and last[:1].isupper():
        made = _module(name, given)
        frame.program.writes.makers.update(dict.fromkeys(made.aliases, given.node))
        position = torch_api.inplace_position(last)
        if position is not None and position < len(given.values) and made.entries is not None:
            made.entries["inplace"] = given.values[position]
        return made
    mode = mode_of(given.node, library(name), frame)
    if mode is not None and name.endswith("set_grad_enabled"):
        if frame.state.grad:
            frame.state.off = given.node
        frame.state.grad = mode  # also right for a `with`, which restores what was before
        return OTHER
    if name.startswith(distributions.PREFIX):
        if name.endswith("kl_divergence"):
            return frame.derive("`kl_divergence`", given.node, given.values)
        return distributions.make(name, given.all())
    if last[:1].isupper():
        return Value(Kind.UNKNOWN, Graph.NO)
    return _unknown(given, frame)


def _autograd(name: str, given: Arguments, frame: Frame) -> Value:
    cuts = frame.program.cuts
    outputs = given.get(0, "tensors", "outputs")
    inputs = given.get(1, "inputs") if name.endswith("grad") else None
    if outputs is not None:
        memory = memory_in(inputs) if inputs is not None else EMPTY
        aside = cuts.before(outputs.cuts, min(memory)) if memory else EMPTY
        cuts.need(outputs, f"`{name}` runs through it", given.node.lineno, True, aside=aside)
    higher = given.keywords.get("create_graph")
    graph = Graph.YES if higher is not None and higher.const is not False else Graph.NO
    if graph == Graph.NO:
        frame.state.saved = {}
    if name.endswith("backward"):
        return NONE
    for one in (inputs.items or (inputs,)) if inputs is not None else ():
        if one.leaf or one.elem is not None:
            use_as_leaf(one, frame)
    if inputs is not None and inputs.items is not None:
        return sequence(tuple(tensor(graph, v.shape, v.dtype) for v in inputs.items))
    shape = inputs.shape if inputs is not None and inputs.is_tensor else None
    one = tensor(graph, shape, inputs.dtype if inputs is not None else None)
    return sequence((one,) if inputs is not None and inputs.is_tensor else None, one)


def _optimizer(given: Arguments, frame: Frame) -> Value:
    """What an optimizer is given is used as a leaf of its own."""
    parameters = given.get(0, "params")
    if parameters is not None:
        use_as_leaf(parameters, frame)
        frame.program.renewed.update(frame.program.cuts.loops)
        trained = contents(parameters)
        if trained is not None and trained.parameter:
            frame.program.thaw(trained.storage)
        for number in memory_of_results(parameters):
            frame.program.cuts.computed_for.setdefault(number, given.node)
    return Value(Kind.OPTIMIZER)


def _module(name: str, given: Arguments) -> Value:
    """An instance of a class of torch.nn; a container knows what it contains."""
    op = torch_api.module(name)
    if op is None or not op.container:
        entries = dict(given.keywords)
        if name == "torch.nn.Linear" and given.exact and len(given.values) > 1:
            entries["out_features"] = given.values[1]
        return Value(Kind.MODULE, ref=name, entries=entries, aliases=frozenset({fresh()}))
    first = given.values[0] if given.values else None
    if name.endswith("Sequential") and first is not None and first.kind == Kind.DICT:
        # A dict with a name may have been filled by others as well.
        known = first.entries if isinstance(given.node.args[0], ast.Call) else None
        inner = sequence(tuple(known.values()), None) if known else sequence(None, UNKNOWN)
    elif name.endswith("Sequential"):
        inner = sequence(
            tuple(given.values) if given.exact else None,
            None if given.exact else (first or UNKNOWN),
        )
    elif first is None:
        inner = sequence(None, None)
    elif first.kind == Kind.DICT:
        inner = Value(Kind.SEQUENCE, elem=first.elem)
    else:
        inner = sequence(first.items, first.elem)
    elem = inner.elem
    if elem is not None and name.endswith(("ParameterList", "ParameterDict")) and elem.is_tensor:
        elem = elem.but(graph=Graph.YES, leaf=True)
    return Value(Kind.MODULE, ref=name, items=inner.items, elem=elem, aliases=frozenset({fresh()}))


def _data_loader(given: Arguments, frame: Frame) -> Value:
    return sequence(None, Value(Kind.UNKNOWN, Graph.NO))


def _from_numpy(given: Arguments, frame: Frame) -> Value:
    array = given.values[0] if given.values else NUMPY
    dtype = array.dtype if array.kind == Kind.NUMPY else None
    return tensor(Graph.NO, None, dtype, cuts=all_cuts(array))


def _variable(given: Arguments, frame: Frame) -> Value:
    """`Variable(x)` detaches; with `requires_grad=True` it is a fresh leaf."""
    data = given.get(0, "data") or tensor(Graph.NO)
    cuts = frame.cut(given.node, data, through=True)
    flag = given.get(1, "requires_grad")
    trains = flag is not None and flag.const is True
    if trains:
        cuts |= frame.program.purposes.all_before(data)
        frame.program.purposes.rewrapped(given.node, cuts)
        trains = not data.has_no_elements
    made = tensor(Graph.NO, data.shape, data.dtype, cuts=cuts, leaf=trains, storage=data.storage)
    if trains and not frame.program.purposes.is_silencer(made, frame.index.asks_for_gradients):
        return made.but(graph=Graph.YES)
    return made


def _load(given: Arguments, frame: Frame) -> Value:
    return Value(Kind.UNKNOWN, Graph.NO)


_SPECIAL: dict[str, Callable[[Arguments, Frame], Value]] = {
    "torch.nn.Parameter": constructors.parameter,
    "torch.nn.parameter.Parameter": constructors.parameter,
    "torch.nn.UninitializedParameter": constructors.parameter,
    "torch.autograd.Variable": _variable,
    "torch.autograd.variable.Variable": _variable,
    "torch.from_numpy": _from_numpy,
    "torch.load": _load,
    "torch.utils.data.DataLoader": _data_loader,
    "torch.einsum": einsum,
    "torch.is_tensor": lambda given, frame: number(),
    **dict.fromkeys(PACKING, pack),
}


def _math(given: Arguments, frame: Frame) -> Value:
    cuts = EMPTY
    for value in given.values:
        cuts = cuts | frame.cut(given.node, value, through=True)
    return number(cuts=cuts)


_BY_METHOD = frozenset({"numpy.squeeze", "numpy.swapaxes"})  # they call that method of a tensor


def _numpy(name: str, given: Arguments, frame: Frame) -> Value:
    last = name.rpartition(".")[2]
    kind = given.keywords.get("dtype")
    if kind is not None and kind.ref == "builtins.object":
        return UNKNOWN
    op = torch_api.method(last) if name in _BY_METHOD else None
    if op is not None and given.values and given.values[0].kind == Kind.TENSOR:
        return apply(op, last, given.values[0], replace(given, values=given.values[1:]), frame)
    cuts = EMPTY
    for value in given.all():
        inner = contents(value)
        cuts = cuts | all_cuts(value)
        if inner is not None and inner.kind & Kind.TENSOR:
            cuts = cuts | frame.cut(given.node, inner)
            frame.program.purposes.read_as_array(given.node, inner)
        escape(value, frame)
    return Value(Kind.NUMPY, dtype=arrays.made_dtype(name, given), cuts=cuts)
