"""`torch.einsum`: the result's rank and sizes are written in the equation."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from autofix.flow.frame import Frame, contents
from autofix.flow.joins import promote
from autofix.flow.shapes import Shape
from autofix.flow.values import Dim, Value

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments


def einsum(given: Arguments, frame: Frame) -> Value:
    operands = given.values[1:]
    if len(operands) == 1 and operands[0].items is not None:
        operands = list(operands[0].items)
    tensors = [value for v in operands if (value := contents(v)) is not None]
    dtypes = [value.dtype for value in tensors]
    dtype = reduce(promote, dtypes) if dtypes else None
    shape = _shape(given.values[0].const if given.values else None, tensors)
    return frame.derive("`einsum`", given.node, tensors, shape, dtype)


def _shape(equation: object, operands: list[Value]) -> Shape | None:
    if not isinstance(equation, str) or "." in equation or "->" not in equation:
        return None
    left, right = equation.replace(" ", "").split("->")
    sizes: dict[str, Dim] = {}
    for letters, operand in zip(left.split(","), operands, strict=False):
        if operand.shape is not None and len(letters) == len(operand.shape):
            sizes.update({k: d for k, d in zip(letters, operand.shape, strict=True) if d})
    return tuple(sizes.get(letter) for letter in right)
