"""What a type annotation says of a value, as far as it can be relied on."""

from __future__ import annotations

import ast

from autofix.flow.frame import Frame
from autofix.flow.joins import join_all, sequence
from autofix.flow.objects import ClassInfo, Instance, instance_value, is_module_class
from autofix.flow.values import (
    NONE,
    NUMPY,
    OTHER,
    STRING,
    Graph,
    Kind,
    Value,
    fresh,
    number,
    tensor,
)

_SEQUENCES = frozenset(
    {
        "list",
        "List",
        "tuple",
        "Tuple",
        "Sequence",
        "Iterable",
        "Iterator",
        "Collection",
        "set",
        "Set",
        "Deque",
        "MutableSequence",
        "Generator",
    }
)
_DICTS = frozenset({"dict", "Dict", "Mapping", "OrderedDict", "defaultdict", "MutableMapping"})
_NUMBERS = frozenset({"int", "float", "complex", "bool", "Number", "Real", "Integral"})
_TENSORS = frozenset({"Tensor", "FloatTensor", "DoubleTensor", "HalfTensor"})
_INTEGER_TENSORS = frozenset({"LongTensor", "IntTensor", "BoolTensor", "ByteTensor"})
_JAXTYPING = frozenset({"Float", "Float32", "Float64", "Num", "Shaped"})


def annotated(node: ast.expr | None, frame: Frame) -> Value | None:
    """The value that an annotation promises; None if it promises nothing we can use."""
    if node is None:
        return None
    if isinstance(node, ast.Constant):
        if node.value is None:
            return NONE
        if isinstance(node.value, str):
            try:
                return annotated(ast.parse(node.value.strip(), mode="eval").body, frame)
            except (SyntaxError, ValueError):
                return None
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], frame)
    if isinstance(node, ast.Subscript):
        return _generic(node, frame)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _plain(node, frame)
    return None


def _last(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _plain(node: ast.Name | ast.Attribute, frame: Frame) -> Value | None:
    name = _last(node)
    value = frame.name(node.id) if isinstance(node, ast.Name) else frame.eval(node)
    if isinstance(value.ref, ClassInfo):
        return instance_value(Instance(value.ref))
    dotted = value.ref if isinstance(value.ref, str) else ""
    if name in _TENSORS and (not dotted or "torch" in dotted or dotted.startswith(".")):
        return tensor(Graph.MAYBE)
    if name in _INTEGER_TENSORS:
        return tensor(Graph.NO, dtype="int")
    if name in _NUMBERS:
        return number()
    if name == "str":
        return STRING
    if name == "ndarray" or dotted.startswith("numpy."):
        return NUMPY
    if is_module_class(dotted):
        return Value(Kind.MODULE, ref=dotted if dotted != "torch.nn.Module" else None)
    if dotted in {"torch.device", "torch.dtype", "torch.Size"}:
        return OTHER
    if name in _SEQUENCES:
        return sequence(None, None, aliases=frozenset({fresh()}))
    return Value(Kind.DICT) if name in _DICTS else None


def _union(nodes: list[ast.expr], frame: Frame) -> Value | None:
    values = [annotated(node, frame) for node in nodes]
    if any(value is None for value in values):
        return None
    return join_all([value for value in values if value is not None])


def _generic(node: ast.Subscript, frame: Frame) -> Value | None:
    name = _last(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Optional":
        return _union([*inner, ast.Constant(None)], frame)
    if name == "Union":
        return _union(inner, frame)
    if name in {"Annotated", "Final", "ClassVar"}:
        return annotated(inner[0], frame)
    if name in _JAXTYPING and inner and _last(inner[0]) in _TENSORS:
        return tensor(Graph.MAYBE)
    if name in _DICTS and len(inner) == 2:
        return Value(Kind.DICT, elem=annotated(inner[1], frame))
    if name in {"tuple", "Tuple"} and not any(
        isinstance(part, ast.Constant) and part.value is Ellipsis for part in inner
    ):
        parts = [annotated(part, frame) for part in inner]
        if all(part is not None for part in parts):
            return sequence(tuple(part for part in parts if part is not None))
        return sequence(None, None)
    if name in _SEQUENCES:
        return sequence(None, annotated(inner[0], frame), aliases=frozenset({fresh()}))
    return None
