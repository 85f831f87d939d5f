"""Which tensors autograd keeps for the backward pass, so that a write into them breaks it.

What each operation keeps comes from torch's own derivative formulas, by way of `torch_api.json`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autofix.flow import torch_api
from autofix.flow.torch_api import Op
from autofix.flow.values import Graph, Kind, Value

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


def save(op: Op, name: str, inputs: Mapping[str, Value], result: Value, frame: Frame) -> None:
    """An operation on `inputs` (by parameter name, the first is `self`) gave `result`."""
    if not op.saves or result.graph == Graph.NO or not frame.state.grad:
        return
    held = dict(op.saves_for)
    needed = [name for name, value in inputs.items() if value.graph > Graph.NO]
    for kept in {s for name in needed for s in held.get(name, ())} if held else op.saves:
        value = result if kept == "result" else inputs.get(kept)
        if kept == "result" and name.strip("_").endswith("pow") and not _tensor_power(inputs):
            continue
        _keep(value, frame)


def _tensor_power(inputs: Mapping[str, Value]) -> bool:
    """`a ** b` keeps its result for the gradient of `b` only."""
    exponent = inputs.get("exponent", inputs.get("other"))
    return exponent is not None and exponent.may_be_tensor and exponent.graph > Graph.NO


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
    known = torch_api.method(f"__{prefix}{word}__")
    if known is not None:
        save(known, word, {"self": mine, "other": other}, result, frame)


def save_module(name: str | None, inputs: list[Value], result: Value, frame: Frame) -> None:
    """`nn.Sigmoid()(x)` keeps its result; a layer with weights keeps its input."""
    if name is None or not frame.state.grad:
        return
    last = name.rpartition(".")[2]
    if last in _KEEP_RESULT:
        _keep(result, frame)
        return
    op = torch_api.module(name)
    if op is not None and op.params and not op.container and inputs:
        _keep(inputs[0], frame)


def _keep(value: Value | None, frame: Frame) -> None:
    if value is not None and value.kind & Kind.TENSOR:
        frame.program.saved |= value.storage
