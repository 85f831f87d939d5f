"""The arguments that a file gives to its own functions, where they can be read off.

`Net(4, 8)`, `train(model, 3)` or `f(torch.randn(4, 3))` are the author's own examples of sensible
inputs. An argument that cannot be read off is None: it is then made as if there were no call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from autofix.verify.child.reading.parts import statements

Spec = dict[str, Any]

_SHAPED = {
    "rand": "unit", "randn": "signed", "ones": "unit", "zeros": "unit", "empty": "unit",
}  # fmt: skip
_MOST_ELEMENTS = 20_000
_MOST_CALLS = 4
_UNSEEN = "unseen"


def of_module(tree: ast.Module, aliases: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """By name of the function or class called: `{"args": [...], "kwargs": {...}}` of each call."""
    defined = {
        node.name
        for node in statements(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    found: dict[str, list[dict[str, Any]]] = {}
    instances: dict[str, str] = {}
    shared = _assigned(tree)
    for scope in _scopes(tree):
        reader = _Scope(scope, shared, aliases, defined)
        instances.update(reader.instances)
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call):
                reader.call(node, found, instances)
    return {name: _distinct(calls) for name, calls in found.items()}


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in statements(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in source order, without those of the functions inside it."""
    todo = [*ast.iter_child_nodes(scope)][::-1]
    while todo:
        child = todo.pop()
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            todo.extend([*ast.iter_child_nodes(child)][::-1])


def _distinct(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for call in calls:
        known = [s for s in [*call["args"], *call["kwargs"].values()] if s is not None]
        if (known or not (call["args"] or call["kwargs"])) and call not in kept:
            kept.append(call)
    return kept[:_MOST_CALLS]


class _Scope:
    """One function body, or the module, and what its names are bound to."""

    def __init__(
        self,
        scope: ast.AST,
        shared: dict[str, list[ast.expr]],
        aliases: dict[str, str],
        defined: set[str],
    ) -> None:
        """`shared`: what is assigned at module level."""
        self.aliases = aliases
        self.defined = defined
        self.bound = dict(shared)
        if not isinstance(scope, ast.Module):
            self.bound.update(_assigned(scope))
        for name in _parameter_names(scope):
            self.bound.pop(name, None)
        self.instances = {
            name: values[-1].func.id
            for name, values in self.bound.items()
            if isinstance(values[-1], ast.Call)
            and isinstance(values[-1].func, ast.Name)
            and values[-1].func.id in defined
        }

    def call(
        self, node: ast.Call, found: dict[str, list[dict[str, Any]]], instances: dict[str, str]
    ) -> None:
        name = ""
        if isinstance(node.func, ast.Name):
            name = node.func.id if node.func.id in self.defined else instances.get(node.func.id, "")
            if node.func.id in instances and node.func.id not in self.defined:
                name += ".forward"
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            owner = instances.get(node.func.value.id, "")
            name = f"{owner}.{node.func.attr}" if owner else ""
        starred = any(isinstance(a, ast.Starred) for a in node.args)
        if not name or starred or any(k.arg is None for k in node.keywords):
            return
        record = {
            "args": [self.spec(a) for a in node.args],
            "kwargs": {str(k.arg): self.spec(k.value) for k in node.keywords},
        }
        found.setdefault(name, []).append(record)

    def spec(self, node: ast.expr, depth: int = 0) -> Spec | None:
        """What the expression makes, as `child.recipes` would make it, or None."""
        if depth > 4:
            return None
        literal = _literal(node)
        if literal is not _UNSEEN:
            return {"is": "value", "value": literal}
        if isinstance(node, ast.Name):
            values = self.bound.get(node.id, [])
            if not values and node.id in self.defined:
                return {"is": "name", "of": node.id}
            return self.spec(values[0], depth + 1) if len(values) == 1 else None
        if isinstance(node, (ast.List, ast.Tuple)) and node.elts:
            items = [self.spec(e, depth + 1) for e in node.elts]
            kind = "list" if isinstance(node, ast.List) else "tuple"
            return None if None in items else {"is": kind, "items": items}
        if isinstance(node, ast.Call):
            return self._made(node, depth)
        dotted = self._dotted(node)
        return {"is": "name", "of": dotted} if dotted.startswith("torch.") else None

    def _dotted(self, node: ast.AST) -> str:
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def _made(self, node: ast.Call, depth: int) -> Spec | None:
        dotted = self._dotted(node.func)
        last = dotted.rsplit(".", 1)[-1]
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("to", "cuda", "float"):
            return self.spec(node.func.value, depth + 1)
        if dotted.startswith("torch.optim."):
            return {"is": "optimizer"}
        arguments = [self.spec(a, depth + 1) for a in node.args]
        keywords = {str(k.arg): self.spec(k.value, depth + 1) for k in node.keywords}
        if dotted == f"torch.{last}" and last in (*_SHAPED, "randint", "tensor"):
            return _tensor(last, arguments)
        known = None not in arguments and None not in keywords.values()
        if known and (dotted.startswith("torch.nn.") or dotted in self.defined):
            return {"is": "make", "of": dotted, "args": arguments, "kwargs": keywords}
        return None


def _tensor(last: str, arguments: list[Spec | None]) -> Spec | None:
    """`torch.randn(4, 3)`, `torch.randint(0, 10, (4,))`, `torch.tensor([1.0, 2.0])`."""
    values = [_plain(a) for a in arguments]
    if last == "tensor":
        return _like(values[0]) if values and values[0] is not _UNSEEN else None
    high = 0
    if last == "randint":
        high = next((v for v in reversed(values[:-1]) if isinstance(v, int)), 0)
        values = values[-1:]
    sizes = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    if not all(type(s) is int and s > 0 for s in sizes):
        return None
    elements = 1
    for size in sizes:
        elements *= size
    if elements > _MOST_ELEMENTS:
        return None
    if last == "randint":
        return _described(sizes, "long", "unit", high)
    return _described(sizes, "float", _SHAPED[last])


def _described(sizes: list[int], dtype: str, values: str, below: int = 0) -> Spec:
    spec: Spec = {"is": "tensor", "shape": sizes, "dtype": dtype, "values": values}
    return {**spec, "below": below} if dtype == "long" else spec


def _like(content: Any) -> Spec | None:
    shape: list[int] = []
    probe = content
    while isinstance(probe, list):
        shape.append(len(probe))
        probe = probe[0] if probe else None
    if isinstance(probe, bool) or not isinstance(probe, (int, float)):
        return None
    dtype = "long" if isinstance(probe, int) else "float"
    return {**_described(shape, dtype, "given", 2), "given": content}


def _plain(spec: Spec | None) -> Any:
    """The numbers and lists of numbers that a spec stands for."""
    if spec is None:
        return _UNSEEN
    if spec["is"] == "value":
        return spec["value"]
    if spec["is"] in ("list", "tuple"):
        items = [_plain(i) for i in spec["items"]]
        return _UNSEEN if _UNSEEN in items else items
    return _UNSEEN


def _literal(node: ast.expr) -> Any:
    try:
        content = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNSEEN
    simple = content is None or isinstance(content, (bool, int, float, str))
    return content if simple else _UNSEEN


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def _parameter_names(scope: ast.AST) -> list[str]:
    if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return []
    arguments = scope.args
    return [a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
