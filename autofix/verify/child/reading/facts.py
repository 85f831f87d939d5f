"""What a module's source says of its functions: one JSON-able record for each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import docs
from .parts import Node, statements
from .uses import Reader

if TYPE_CHECKING:
    from .uses import Function

Facts = dict[str, Any]

_USUAL = {
    "np": "numpy", "F": "torch.nn.functional", "nn": "torch.nn", "torch": "torch",
    "optim": "torch.optim",
}  # fmt: skip
_DEPTH = 3


def of_module(tree: ast.Module) -> dict[str, Facts]:
    """Facts of every top-level function and method, by qualified name."""
    aliases = imported(tree)
    readers = {}
    owners: dict[str, ast.ClassDef | None] = {}
    for name, function, owner in functions(tree):
        readers[name] = (function, Reader(function, aliases))
        owners[name] = owner
    for name in readers:
        _merge(name, readers, 0)
    for name, (_, reader) in readers.items():
        if name.endswith(".__init__"):
            _kept(name[: -len("__init__")], reader, readers)
    return {
        name: _facts(function, reader, owners[name]) for name, (function, reader) in readers.items()
    }


def of_function(function: Function, aliases: dict[str, str] | None = None) -> Facts:
    """Facts of one function by itself."""
    reader = Reader(function, dict(_USUAL, **(aliases or {})))
    _merge(function.name, {function.name: (function, reader)}, 0)
    return _facts(function, reader, None)


def functions(
    tree: ast.Module,
) -> Iterator[tuple[str, Function, ast.ClassDef | None]]:
    """Top-level functions and methods, also those under an `if` or `try` of the module."""
    for statement in _statements(tree.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement.name, statement, None
        elif isinstance(statement, ast.ClassDef):
            yield from _methods(statement, statement.name)


def _methods(cls: ast.ClassDef, prefix: str) -> Iterator[tuple[str, Function, ast.ClassDef | None]]:
    for statement in _statements(cls.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}.{statement.name}", statement, cls
        elif isinstance(statement, ast.ClassDef):
            yield from _methods(statement, f"{prefix}.{statement.name}")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, field, []))
        else:
            yield statement


def imported(tree: ast.Module) -> dict[str, str]:
    """What the imported names stand for: `F` is `torch.nn.functional`."""
    aliases = dict(_USUAL)
    for node in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.split(".")[0]
                aliases[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return aliases


def _merge(name: str, readers: dict[str, Any], depth: int) -> None:
    """What a helper of the same file does with what it is passed is done to it as well."""
    _, reader = readers[name]
    if depth >= _DEPTH:
        return
    passed, reader.passed = reader.passed, []
    for called, place, path in passed:
        constructor = f"{called}.__init__"
        own = called.startswith("self.")
        if own:
            called = f"{name.rpartition('.')[0]}.{called[len('self.') :]}"
        shift = int(own or called not in readers)
        called = constructor if shift and not own else called
        if path[0][1] == "self":
            continue
        if called not in readers:
            if own:  # not a method: a layer, or a function that is kept
                reader.root.at(path).note("tensor" if place == 0 else "passed")
            continue
        _merge(called, readers, depth + 1)
        _, other = readers[called]
        parameter = place if isinstance(place, str) else _at(other.parameters, place + shift)
        node: Node | None = other.root.parts.get(("name", parameter))
        if node is not None and other is not reader:
            reader.root.at(path).take(node)
    reader.passed = []


def _kept(prefix: str, reader: Reader, readers: dict[str, Any]) -> None:
    """What the methods do with `self.model` is done to the `model` of the constructor."""
    for name, (_, other) in readers.items():
        if name.startswith(prefix) and other is not reader:
            own = other.root.parts.get(("name", "self"), Node())
            for attribute, path in reader.kept.items():
                node = own.parts.get(("attr", attribute))
                if node is not None:
                    reader.root.at(path).take(node)


def _at(names: list[str], position: int) -> str:
    return names[position] if position < len(names) else ""


def _facts(function: Function, reader: Reader, owner: ast.ClassDef | None) -> Facts:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    text = ast.get_docstring(function) or ""
    if owner is not None and function.name in ("__init__", "forward", "__call__"):
        text = f"{text}\n\n{ast.get_docstring(owner) or ''}"
    shapes = docs.of_parameters(text, [a.arg for a in every])
    parameters = {}
    for argument in every:
        if argument.arg == "self":
            continue
        node = reader.root.parts.get(("name", argument.arg), Node())
        parameters[argument.arg] = {
            "annotation": ast.unparse(argument.annotation) if argument.annotation else None,
            "shapes": shapes.get(argument.arg, []),
            **node.json(),
        }
    return {
        "parameters": parameters,
        "links": reader.links,
        "flow": {str(line): names for line, names in reader.flow.items() if names},
        "attributes": reader.attributes,
        "mentioned": docs.shapes_in(text)[:6],
    }
