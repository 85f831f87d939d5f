"""Arithmetic and comparison: operators between tensors, numbers and sequences."""

from __future__ import annotations

import ast
from typing import Any

from autofix.flow import shapes
from autofix.flow.frame import Frame, expression
from autofix.flow.joins import join, promote, sequence
from autofix.flow.objects import Instance
from autofix.flow.saved import save_operator
from autofix.flow.values import (
    EMPTY,
    FLOATING,
    NUMBER,
    STRING,
    UNKNOWN,
    Graph,
    Kind,
    Value,
    number,
    tensor,
)


@expression(ast.UnaryOp)
def _unary(node: ast.UnaryOp, frame: Frame) -> Value:
    value = frame.eval(node.operand)
    if isinstance(node.op, ast.Not):
        return NUMBER
    if value.is_tensor:
        more: dict[str, Any] = {"shape_id": value.shape_id} if value.shape is None else {}
        negated = frame.derive("`-`", node, [value], value.shape, value.dtype, **more)
        frame.program.cuts.terms.keep(negated, [value])
        return negated
    if value.is_number and isinstance(node.op, ast.USub) and isinstance(value.const, (int, float)):
        return value.but(const=-value.const, symbol=None)
    return value.but(const=None)


@expression(ast.Compare)
def _compare(node: ast.Compare, frame: Frame) -> Value:
    values = [frame.eval(node.left), *(frame.eval(c) for c in node.comparators)]
    if any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
        return NUMBER
    if any(v.is_tensor for v in values):
        cuts = frame.program.cuts.of_steps(EMPTY.union(*(v.cuts for v in values)))
        if frame.state.grad:
            live = max(v.graph for v in values)
            cuts |= frame.program.cuts.step(node, live)
        return tensor(Graph.NO, shapes.broadcast(values), "bool", cuts=cuts)
    if any(v.kind & (Kind.UNKNOWN | Kind.NUMPY | Kind.TENSOR) for v in values):
        return _MASK
    return NUMBER


_MASK = Value(Kind.OTHER, dtype="bool")
"""What a comparison gives of something that is not known."""

_SIGNS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.MatMult: "@",
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
}


@expression(ast.BinOp)
def _bin_op(node: ast.BinOp, frame: Frame) -> Value:
    return operate(node, frame.eval(node.left), frame.eval(node.right), node.op, frame)


def operate(node: ast.AST, a: Value, b: Value, op: ast.operator, frame: Frame) -> Value:
    """The result of `a op b`."""
    modes = frame.program.modes
    modes[node] = modes.get(node, False) or frame.state.grad
    if (made := _special(node, a, b, op, frame)) is not None:
        return made
    kinds = a.kind | b.kind
    if a.kind & Kind.SEQUENCE and b.kind & (Kind.SEQUENCE | Kind.NUMBER):
        return _sequence_op(a, b, op)
    if kinds & Kind.TENSOR and not kinds & (Kind.SEQUENCE | Kind.DICT | Kind.STRING):
        return _tensor_op(node, a, b, op, frame)
    if kinds == Kind.NUMBER:
        return _number_op(a, b, op)
    if kinds & Kind.NUMPY and not kinds & Kind.UNKNOWN:
        return Value(Kind.NUMPY, cuts=a.cuts | b.cuts)
    if kinds & Kind.STRING and not kinds & Kind.TENSOR:
        return STRING
    if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor)) and "bool" in (a.dtype, b.dtype):
        return _MASK
    return Value(
        Kind.UNKNOWN,
        max(a.graph, b.graph) if frame.state.grad else Graph.NO,
        cuts=a.cuts | b.cuts,
        why=a.why or b.why,
    )


def _special(node: ast.AST, a: Value, b: Value, op: ast.operator, frame: Frame) -> Value | None:
    """By the method of an object of a class of the project: `Quaternion.__mul__`."""
    from autofix.flow.instances import call_special

    name = _METHODS.get(type(op))
    if name is None or not (isinstance(a.ref, Instance) or isinstance(b.ref, Instance)):
        return None
    made = call_special(a, f"__{name}__", [b], node, frame)
    return made if made is not None else call_special(b, f"__r{name}__", [a], node, frame)


_METHODS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.MatMult: "matmul",
    ast.Pow: "pow",
}


def _sequence_op(a: Value, b: Value, op: ast.operator) -> Value:
    if isinstance(op, ast.Mult):
        count = b.const
        if a.items is not None and isinstance(count, int) and 0 <= count * len(a.items) <= 16:
            return sequence(a.items * count)
        return sequence(None, a.elem)
    if a.items is not None and b.items is not None:
        return sequence(a.items + b.items)
    if a.kind != Kind.SEQUENCE:
        return UNKNOWN
    return sequence(None, join(a.elem, b.elem) if a.elem and b.elem else a.elem or b.elem)


def _number_op(a: Value, b: Value, op: ast.operator) -> Value:
    const = None
    if isinstance(a.const, (int, float)) and isinstance(b.const, (int, float)):
        try:
            const = _FOLD[type(op)](a.const, b.const)
        except (KeyError, ArithmeticError, ValueError, TypeError):
            const = None
    return number(const, cuts=a.cuts | b.cuts)


_FOLD: dict[type[ast.operator], Any] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y if abs(x) < 1e9 and abs(y) < 1e9 else None,
    ast.Div: lambda x, y: x / y,
    ast.FloorDiv: lambda x, y: x // y,
    ast.Mod: lambda x, y: x % y,
}


def _tensor_op(node: ast.AST, a: Value, b: Value, op: ast.operator, frame: Frame) -> Value:
    sign = _SIGNS.get(type(op), "")
    if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)):
        return tensor(Graph.NO, shapes.broadcast([a, b]), promote(a.dtype, b.dtype))
    if isinstance(op, ast.MatMult):
        shape = shapes.matmul(a.shape, b.shape)
        if a.cuts or b.cuts:
            frame.program.purposes.multiplied(a, b)
        product = frame.derive("`@`", node, [a, b], shape, promote(a.dtype, b.dtype))
        save_operator(node, op, a, b, product, frame)
        return product
    shape = shapes.broadcast([a, b])
    more: dict[str, Any] = {}
    if shape is None:
        more["shape_id"] = shapes.kept_shape_id([a, b])
        if more["shape_id"] is None:
            del more["shape_id"]
    dtype = binary_dtype(a, b, op)
    kind = Kind.TENSOR
    if isinstance(op, ast.Pow):
        frame.program.purposes.distance(a)
    if isinstance(op, (ast.Mult, ast.Div)) and (a.cuts or b.cuts):
        frame.program.purposes.multiplied(a, b)
    result = frame.derive(f"`{sign}`", node, [a, b], shape, dtype, **more)
    if isinstance(op, ast.Mult) and 0 in (a.const, b.const):
        result = result.but(cuts=EMPTY)  # whoever takes nothing of a value needs no gradient of it
    save_operator(node, op, a, b, result, frame)
    if isinstance(op, ast.Sub):
        frame.program.purposes.subtracted(a, b, result)
    if isinstance(op, (ast.Add, ast.Sub)):
        frame.program.cuts.terms.add(result, a, b)
    elif isinstance(op, (ast.Mult, ast.Div)) and Graph.NO in (a.graph, b.graph):
        frame.program.cuts.terms.keep(result, [v for v in (a, b) if v.graph > Graph.NO])
    if (a.kind | b.kind) & Kind.NUMBER and a.kind != Kind.TENSOR and b.kind != Kind.TENSOR:
        kind |= Kind.NUMBER  # both may be numbers on some path
    return result if kind == Kind.TENSOR else result.but(kind=kind)


def binary_dtype(a: Value, b: Value, op: ast.operator) -> str | None:
    """The dtype of elementwise arithmetic, as torch promotes it."""
    if a.is_number or b.is_number:
        tensor_dtype = b.dtype if a.is_number else a.dtype
        other = a.const if a.is_number else b.const
        if tensor_dtype in FLOATING:
            return tensor_dtype
        if isinstance(op, ast.Div) or isinstance(other, float):
            return "float" if tensor_dtype is None else "default"
        return tensor_dtype if isinstance(other, int) else None
    if not (a.is_tensor and b.is_tensor):
        floating = isinstance(op, ast.Div) or a.dtype in FLOATING or b.dtype in FLOATING
        return "float" if floating else None
    dtype = promote(a.dtype, b.dtype)
    if dtype is None and (a.dtype in FLOATING or b.dtype in FLOATING or isinstance(op, ast.Div)):
        return "float"
    if dtype is not None and dtype not in FLOATING and isinstance(op, ast.Div):
        return "default"
    return dtype
