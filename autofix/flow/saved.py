"""Which tensors autograd keeps for the backward pass, so that a write into them breaks it.

What each operation keeps comes from torch's own derivative formulas, by way of `torch_api.json`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autofix.flow import torch_api
from autofix.flow.joins import MANY
from autofix.flow.syntax import keyword
from autofix.flow.torch_api import Op
from autofix.flow.values import INTEGRAL, Graph, Kind, Value
from autofix.flow.writes import memory_in

if TYPE_CHECKING:
    from autofix.flow.frame import Frame

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.Mod: "mod",
}
_KEEP_RESULT = {
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Softmin": "softmin",
    "Softmax2d": "softmax",
}
"""Modules that are a function which keeps its own result."""

KEPT_IN_PLACE = frozenset({"relu", "leaky_relu", "elu", "selu", "celu", "rrelu", "threshold"})
"""With `inplace=True` these keep what they leave behind, whatever they keep without."""

_SEVERAL = ("Cell", "RNN", "GRU", "LSTM", "Attention", "Bilinear", "Transformer", "Layer")
"""Parts of the names of layers whose second input goes through weights as well."""


@dataclass(frozen=True, slots=True)
class Save:
    """An operation kept a tensor for its backward pass."""

    node: ast.AST
    operands: tuple[ast.expr, ...]
    """The expressions that give what is kept, where the code of the operation has some."""
    own: bool
    """What is kept is the operation's own result."""
    graph: Graph
    result: frozenset[int]
    """The memory of the operation's result."""
    calls: tuple[ast.AST, ...] = ()
    """The calls of functions in this file that led to the operation, outermost first."""


def save(
    op: Op, name: str, inputs: Mapping[str, Value], result: Value, node: ast.AST, frame: Frame
) -> None:
    """An operation on `inputs` (by parameter name, the first is `self`) gave `result`."""
    if not op.saves or result.graph == Graph.NO or not frame.state.grad:
        return
    held = dict(op.saves_for)
    needed = [n for n, value in inputs.items() if value.graph > Graph.NO and _is_tensor(value)]
    pair = op.binary and sum(map(_is_tensor, inputs.values())) > 1
    if pair:  # `min(a, b)` is no reduction
        for one in inputs.values():
            keep(one, node, result.graph, result, frame)
        return
    for kept in {s for name in needed for s in held.get(name, ())} if held else op.saves:
        for_whom = [n for n in needed if not held or kept in held.get(n, ())]
        if kept not in for_whom and for_whom and all(_is_guessed(inputs[n]) for n in for_whom):
            continue
        graph = max((inputs[n].graph for n in for_whom), default=result.graph)
        own = kept == "result" or (kept == "self" and op.alias == "self" and name != "pow_")
        value = result if own else inputs.get(kept)
        if kept == "result" and _is_plain_power(name, inputs):
            continue
        if own and op.shape == "loss" and not _is_each(node):
            continue  # what comes out is a sum of what it keeps
        if op.alias == "self" and kept == "self" and not own:
            continue  # it keeps a copy of what was there
        keep(value, node, graph, result, frame, own)


def _is_tensor(value: Value | None) -> bool:
    return value is not None and bool(value.kind & Kind.TENSOR)


def _is_guessed(value: Value) -> bool:
    """A tensor that is made here, of something unknown: nobody can tell where a graph might come
    from. (An argument may well have one.)"""
    unsure = value.graph == Graph.MAYBE and value.why is None
    return unsure and bool(value.storage) and not value.assumed


def _is_each(node: ast.AST) -> bool:
    """`reduction="none"`"""
    flag = keyword(node, "reduction") if isinstance(node, ast.Call) else None
    return isinstance(flag, ast.Constant) and flag.value == "none"


def _is_plain_power(name: str, inputs: Mapping[str, Value]) -> bool:
    """`a ** b` keeps its result for the gradient of `b` only."""
    exponent = inputs.get("exponent", inputs.get("other"))
    trained = exponent is not None and _is_tensor(exponent) and exponent.graph > Graph.NO
    return name.strip("_").endswith("pow") and not trained


def save_operator(
    node: ast.AST, op: ast.operator, a: Value, b: Value, result: Value, frame: Frame
) -> None:
    """`a op b`, or `a op= b`: that one copies what it overwrites."""
    word = _OPERATORS.get(type(op))
    if word is None:
        return
    prefix = "i" if isinstance(node, ast.AugAssign) else ""
    mine, other = (a, b) if a.kind & Kind.TENSOR else (b, a)
    if mine is b:
        prefix = "r"
    if isinstance(node, ast.BinOp) and frame.index.only_torch:
        side = node.right if other is b else node.left
        if other.kind == Kind.UNKNOWN and isinstance(side, ast.Subscript):
            other = other.but(kind=Kind.TENSOR)  # an element, as the tensor beside it
    known = torch_api.method(f"__{prefix}{word}__")
    if known is not None:
        save(known, word, {"self": mine, "other": other}, result, node, frame)


def save_module(
    name: str | None, inputs: Sequence[Value], result: Value, node: ast.Call, frame: Frame
) -> None:
    """`nn.Sigmoid()(x)` keeps its result; a layer with weights keeps its input."""
    if name is None or not frame.state.grad or result.graph == Graph.NO:
        return
    last = name.rpartition(".")[2]
    if last in _KEEP_RESULT:
        keep(result, node, result.graph, result, frame, own=True)
        return
    op = torch_api.module(name)
    if op is None or op.container or not inputs:
        return
    if op.params:
        several = any(part in last for part in _SEVERAL) and last != "LayerNorm"
        for value in inputs if several else inputs[:1]:
            keep(value, node, result.graph, result, frame)
        return
    function = torch_api.function_of_module(last)
    if function is not None:
        names = ("self", *function.args[1:])
        save(function, last, dict(zip(names, inputs, strict=False)), result, node, frame)


def keep(
    value: Value | None,
    node: ast.AST,
    graph: Graph,
    result: Value,
    frame: Frame,
    own: bool = False,
) -> None:
    """From now on a write into the memory of `value` breaks the operation at `node`."""
    if value is None or not value.kind & Kind.TENSOR or frame.program.skims:
        return
    if graph < Graph.YES and value.dtype in INTEGRAL:
        return  # an index, or a count
    if value.storage & frame.program.writes.uncounted:
        return  # a write elsewhere is not counted in what was kept, and nothing raises
    memory = frame.program.writes.memory(value.storage)
    operands = () if own else _operands(node, value, frame)
    if value.storage & frame.program.writes.doubtful:
        graph = min(graph, Graph.MAYBE)
    kept = Save(node, operands, own, graph, result.storage, tuple(frame.program.calls))
    saved = frame.state.saved
    new = {s: saved.get(s, frozenset()) | {kept} for s in memory}
    frame.state.saved = {**saved, **new}


def next_element(value: Value, loop: ast.For | ast.AsyncFor, frame: Frame) -> None:
    """A new turn of `for x in xs`: what the turns before kept was another tensor of the list.
    (Views that were made all at once, and what has a name of its own, count as one.)"""
    state, writes = frame.state, frame.program.writes
    memory = memory_in(value)
    kept = [m for m in memory if m in state.saved]
    if not kept or memory & writes.parted.keys():
        return
    own = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    for key, other in state.bound.items():
        if other.kind & Kind.TENSOR and key not in own and other.storage & memory:
            return
    for number in kept:
        saves = state.saved[number]
        older = frozenset(s for s in saves if not _is_within(s, loop, frame))
        state.saved = {**state.saved, number: older}


def _is_within(save: Save, loop: ast.AST, frame: Frame) -> bool:
    return any(loop in frame.index.ancestors(n) for n in (save.node, *save.calls))


def _operands(node: ast.AST, value: Value, frame: Frame) -> tuple[ast.expr, ...]:
    """The parts of an operation's code that are what it keeps."""
    candidates: list[ast.expr] = []
    match node:
        case ast.BinOp(left=left, right=right):
            candidates = [left, right]
        case ast.AugAssign(value=right):
            candidates = [right]
        case ast.Call(func=func, args=args, keywords=keywords):
            candidates = [*args, *(k.value for k in keywords)]
            if isinstance(func, ast.Attribute) and not func.attr.endswith("_"):
                candidates.append(func.value)
    found = []
    for candidate in candidates:
        known = frame.program.values.get(candidate)
        if known is None or not known.is_tensor:
            continue
        if known.storage & value.storage or len(known.storage) >= MANY:
            found.append(candidate)
    return tuple(found)
