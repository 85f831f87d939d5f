"""What indexing, comparing and arithmetic say of a value: `x[:, 2]`, `mode == "mean"`, `a @ b`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .uses import Reader


_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def shape_owner(node: ast.AST) -> ast.expr | None:
    """`x` of `x.shape` or `x.size()`."""
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        return node.func.value if node.func.attr == "size" else None
    return None


def dimension(reader: Reader, owner: ast.expr, index: ast.expr) -> None:
    number = _integer(index)
    if number is not None:
        reader.note(owner, "rank at least", number + 1 if number >= 0 else -number)


def _integer(node: ast.AST) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _integer(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def subscript(reader: Reader, node: ast.Subscript) -> None:
    owner = shape_owner(node.value)
    if owner is not None:
        return dimension(reader, owner, node.slice)
    index = node.slice
    if isinstance(node.value, ast.Dict):
        keys = [k.value for k in node.value.keys if isinstance(k, ast.Constant)]
        return reader.note(index, "strings", [key for key in keys if isinstance(key, str)])
    if isinstance(index, ast.Compare) and isinstance(index.ops[0], ast.Eq):
        reader.note(index.left, "labels")  # `x[y == k]`
    if isinstance(index, ast.Tuple):
        _indices(reader, node.value, index.elts)
    elif _integer(index) is not None:
        place = _integer(index) or 0
        reader.note(node.value, "items", place + 1 if place >= 0 else -place)
    elif not isinstance(index, (ast.Constant, ast.Slice)):
        reader.note(node.value, "indexed")
        _index(reader, index)
    elif isinstance(index, ast.Slice):
        backwards = index.step is not None and (_integer(index.step) or 0) < 0
        reader.note(node.value, "backwards" if backwards else "sliced")
        for bound in (index.lower, index.upper):
            number = _integer(bound) if bound is not None else None
            reader.note(bound, "size")
            if number and number > 0:
                reader.note(node.value, "items", number)
    return None


def _index(reader: Reader, index: ast.expr) -> None:
    """What is used as an index; of `table[:, ids[t]]` each element of `ids`."""
    reader.note(index, "index")
    key = index.slice if isinstance(index, ast.Subscript) else None
    if key is not None and not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
        reader.note(index.value, "labels")  # type: ignore[attr-defined]


def _indices(reader: Reader, owner: ast.expr, indices: list[ast.expr]) -> None:
    """`x[:, 2]`: two dimensions, the second of size 3 or more."""
    reader.note(owner, "tensor")
    real = [i for i in indices if not (isinstance(i, ast.Constant) and i.value is None)]
    dots = [p for p, i in enumerate(real) if isinstance(i, ast.Constant) and i.value is ...]
    reader.note(owner, "rank at least", len(real) - len(dots))
    for position, index in enumerate(real):
        _index(reader, index)
        bound = index.upper if isinstance(index, ast.Slice) else index
        number = _integer(bound) if bound is not None else None
        if number is None:
            number = _integer(index.lower) if isinstance(index, ast.Slice) and index.lower else None
            number = 2 * number if number and number > 0 else None  # the halves are alike
        if number is None:
            continue
        need = number + (not isinstance(index, ast.Slice)) if number >= 0 else -number
        axis = position - len(real) if dots and position > dots[0] else position
        reader.note(owner, "sizes at least", [[axis, need]])


def compare(reader: Reader, node: ast.Compare) -> None:
    if len(node.ops) != 1:
        return None
    left, right = node.left, node.comparators[0]
    number = _integer(right)
    owner = _ranked(left)
    if owner is not None and number is not None:
        return reader.note(owner, "ranks", [number])
    if isinstance(left, ast.Subscript) and number is not None:
        shaped, axis = shape_owner(left.value), _integer(left.slice)
        if shaped is not None and axis is not None:
            return reader.note(shaped, "sizes", [[axis, number]])
    for one, other in ((left, right), (right, left)):
        parts = other.elts if isinstance(other, (ast.Tuple, ast.List, ast.Set)) else [other]
        texts = [p.value for p in parts if isinstance(p, ast.Constant) and type(p.value) is str]
        if texts:
            reader.note(one, "strings", texts)
        elif isinstance(other, ast.Constant) and other.value is None:
            reader.note(one, "none")
        elif number is not None and other is right:
            reader.note(one, "compared", [number])
    return None


def _ranked(node: ast.expr) -> ast.expr | None:
    """`x` of `x.dim()`, `x.ndim` or `len(x.shape)`."""
    if isinstance(node, ast.Attribute) and node.attr == "ndim":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in ("dim", "ndimension") else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return shape_owner(node.args[0]) if node.func.id == "len" and node.args else None
    return None


def operation(reader: Reader, node: ast.BinOp) -> None:
    for side in (node.left, node.right):
        if isinstance(node.op, ast.MatMult):
            reader.note(side, "tensor")
            reader.note(side, "product")
        else:
            reader.note(side, "arithmetic")


def condition(reader: Reader, test: ast.expr) -> None:
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    for part in parts:
        inner = part.operand if isinstance(part, ast.UnaryOp) else part
        if isinstance(inner, (ast.Name, ast.Attribute)):
            reader.note(inner, "flag")
        elif isinstance(inner, ast.Compare) and isinstance(inner.ops[0], _ORDERS):
            for side in (inner.left, *inner.comparators):
                reader.note(side, "ordered")
