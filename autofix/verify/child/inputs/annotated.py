"""What an annotation says that a parameter takes. Annotations are read as text, never evaluated."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from . import vocabulary
from .vocabulary import Spec, tensor, value

if TYPE_CHECKING:
    from .known import Known
    from .propose import Classes

_SEQUENCES = {"list": "list", "sequence": "list", "iterable": "list", "collection": "list"}
_TYPED = {
    "LongTensor": "long", "IntTensor": "int", "BoolTensor": "bool", "Int": "long", "Int64": "long",
    "Integer": "long", "Bool": "bool", "Complex": "complex", "UInt8": "long",
}  # fmt: skip
_FLOATS = frozenset("Float Float32 Float64 Num Shaped Real Inexact".split())
_SIMPLE: dict[str, Spec] = {
    "Optimizer": {"is": "optimizer"},
    "LRScheduler": {"is": "scheduler"},
    "device": {"is": "device"},
    "dtype": {"is": "dtype"},
    "Generator": {"is": "generator"},
    "Namespace": {"is": "namespace", "items": {}},
    "SimpleNamespace": {"is": "namespace", "items": {}},
    "Logger": {"is": "sink"},
    "SummaryWriter": {"is": "sink"},
    "Path": {"is": "impossible", "why": "a file"},
    "Env": {"is": "impossible", "why": "an environment"},
}


def specs(text: str, name: str, known: Known, classes: Classes) -> list[Spec]:
    """Specs for an annotation, most plausible first; [] if it says nothing."""
    try:
        return _Annotation(name, known, classes).read(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return []


class _Annotation:
    def __init__(self, name: str, known: Known, classes: Classes) -> None:
        self.name = name
        self.known = known
        self.classes = classes

    def read(self, node: ast.expr) -> list[Spec]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return specs(node.value, self.name, self.known, self.classes)
            return []
        if isinstance(node, ast.BinOp):
            return [*self.read(node.left), *self.read(node.right)]
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._plain(node)
        return []

    def _plain(self, node: ast.expr) -> list[Spec]:
        full = ast.unparse(node)
        last = full.rsplit(".", 1)[-1]
        if last in ("Tensor", "FloatTensor", "Parameter", "Variable"):
            return self._tensor("float")
        if last in _TYPED:
            return self._tensor(_TYPED[last])
        if last in ("int", "float", "bool", "str", "complex"):
            return self._scalar(last)
        if last in ("ndarray", "NDArray", "ArrayLike"):
            from .propose import arrays

            return [*arrays(self.known), tensor(None)]
        if last == "Module":
            return [*self.classes("", self.known, self.name), vocabulary.model()]
        if last in ("list", "List", "Sequence", "Iterable", "DataLoader", "tuple", "Tuple"):
            return []
        if last in ("Callable",):
            return self._called()
        if last in _SIMPLE:
            return [dict(_SIMPLE[last])]
        return self.classes(full, self.known)

    def _tensor(self, dtype: str) -> list[Spec]:
        from .propose import of_tensor

        spec = of_tensor(self.known)
        if dtype == "float":
            guess = vocabulary.by_name(self.name)
            if guess is not None and guess["is"] == "tensor" and spec["shape"] is None:
                return [guess, spec] if guess["dtype"] == "float" else [spec, guess]
            return [spec]
        return [tensor(spec["shape"], dtype)]

    def _scalar(self, kind: str) -> list[Spec]:
        name, facts = self.name, self.known.facts
        if kind == "int":
            axis = self.known.says("axis") or name in ("dim", "axis")
            if axis and not self.known.says("size"):
                return [value(-1), value(1), value(0)]
            return [value(vocabulary.whole(name)), value(1), value(2), value(4)]
        if kind == "bool":
            return [value(True), value(False)]
        if kind == "str":
            texts = facts.get("strings") or [vocabulary.string(name)]
            return [value(text) for text in texts]
        return [value(vocabulary.real(name))]

    def _called(self) -> list[Spec]:
        guess = vocabulary.by_name(self.name)
        if guess is not None and guess["is"] in ("make", "name"):
            return [guess]
        return [{"is": "function", "form": form} for form in ("square", "total", "first")]

    def _subscript(self, node: ast.Subscript) -> list[Spec]:
        last = ast.unparse(node.value).rsplit(".", 1)[-1]
        index = node.slice
        parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
        if last in _FLOATS or last in _TYPED:
            return self._shaped(parts, _TYPED.get(last, "float"))
        if last in ("Optional", "Union", "Final", "ClassVar", "Type", "type"):
            return [spec for part in parts for spec in self.read(part)]
        if last == "Annotated":
            return self.read(parts[0])
        if last == "Literal":
            return [value(p.value) for p in parts if isinstance(p, ast.Constant)]
        if last.lower() in _SEQUENCES:
            return self._list(parts[0])
        if last in ("tuple", "Tuple"):
            return self._tuple(parts)
        if last in ("Callable",):
            return self._called()
        if last in ("dict", "Dict", "Mapping") and len(parts) == 2:
            return self._mapping(parts[1])
        return self._plain(node.value) if last != "DataLoader" else []

    def _shaped(self, parts: list[ast.expr], dtype: str) -> list[Spec]:
        """jaxtyping: `Float[Tensor, "batch 3 h w"]`."""
        text = parts[-1].value if isinstance(parts[-1], ast.Constant) else None
        if not isinstance(text, str):
            return self._tensor(dtype)
        shape: list[Any] = []
        for token in text.split():
            plain = token.lstrip("*#?_")
            if token == "..." or token.startswith("*"):
                shape.append("*")
            elif plain.isdigit():
                shape.append(int(plain))
            else:
                shape.append((plain.rsplit("=", 1)[-1] or "n")[:1].upper())
        return [tensor(shape, dtype)]

    def _list(self, part: ast.expr) -> list[Spec]:
        inner = self.read(part)
        count = max(
            3 if inner and inner[0]["is"] == "value" else 2, self.known.facts.get("items", 0)
        )
        return [{"is": "list", "items": [spec] * count} for spec in inner[:2]]

    def _tuple(self, parts: list[ast.expr]) -> list[Spec]:
        if len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is ...:
            parts = [parts[0]] * max(2, self.known.facts.get("items", 0))
        items = []
        for part in parts:
            inner = self.read(part)
            if not inner:
                return []
            items.append(inner[0])
        return [{"is": "tuple", "items": items}]

    def _mapping(self, part: ast.expr) -> list[Spec]:
        if self.known.keys:
            return []
        inner = self.read(part)
        return [{"is": "dict", "items": {"a": inner[0], "b": inner[0]}}] if inner else []
