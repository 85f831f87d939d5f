"""The function that inputs are looked for: what it is, and what it takes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import torch

from ..reading import facts as source_facts
from . import recipes
from .recipes import Failed

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Target:
    """`f`, `Net.forward`, `Net.__init__` or `Plain.method`, looked up in the program."""

    def __init__(self, namespace: dict[str, Any], name: str) -> None:
        self.name = name
        owner, _, last = name.rpartition(".")
        self.owner: Any = recipes.resolve(namespace, owner) if owner else None
        self.owner_name = owner
        self.last = last
        if self.owner is None:
            self.raw = recipes.resolve(namespace, name)
        elif isinstance(self.owner, type):
            self.raw = inspect.getattr_static(self.owner, last, None)
        else:
            self.raw = getattr(self.owner, last, None)
        if self.raw is None:
            raise Failed(f"`{name}` is not there")
        if inspect.isclass(self.raw):
            raise Failed(f"`{name}` is a class")

    @property
    def function(self) -> Any:
        """The plain function, without decorators and descriptors."""
        found = self.raw
        if isinstance(found, property):
            found = found.fget
        found = getattr(found, "__func__", found)
        try:
            return inspect.unwrap(found)
        except ValueError:
            return found

    @property
    def is_class(self) -> bool:
        return isinstance(self.owner, type)

    @property
    def bound(self) -> bool:
        """Whether an instance is needed."""
        return self.is_class and not isinstance(self.raw, (staticmethod, classmethod))

    @property
    def is_module(self) -> bool:
        return self.is_class and issubclass(self.owner, torch.nn.Module)

    @property
    def is_autograd(self) -> bool:
        return self.is_class and issubclass(self.owner, torch.autograd.Function)


def parameters(function: Any, skip: int = 0) -> list[inspect.Parameter]:
    """The parameters that can be given by name or place, without the first `skip`."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise Failed("its signature cannot be read") from error
    return [p for p in found[skip:] if p.kind not in _VARIADIC]


def variadic(function: Any) -> str | None:
    """The name after `*`, if there is one."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return next((p.name for p in found if p.kind is inspect.Parameter.VAR_POSITIONAL), None)


class Sources:
    """Facts of functions: those of the hints, else read from the source of the function."""

    def __init__(self, hints: dict[str, Any]) -> None:
        self.hints = hints
        self._read: dict[Any, dict[str, Any] | None] = {}

    def of(self, function: Any) -> dict[str, Any] | None:
        function = getattr(function, "__func__", function)
        try:
            function = inspect.unwrap(function)
        except ValueError:
            return None
        known: dict[str, Any] = self.hints.get("functions", {})
        name = getattr(function, "__qualname__", "")
        record = known.get(name)
        if record is not None:
            names = getattr(getattr(function, "__code__", None), "co_varnames", ())
            if all(parameter in names for parameter in record["parameters"]):
                return dict(record)
        return self._from_source(function)

    def _from_source(self, function: Any) -> dict[str, Any] | None:
        code = getattr(function, "__code__", None)
        if code is None:
            return None
        if code not in self._read:
            self._read[code] = _read(function)
        return self._read[code]


def _read(function: Any) -> dict[str, Any] | None:
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except Exception:
        return None
    ast.increment_lineno(tree, first - 1)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return source_facts.of_function(node)
    return None


def callable_of(
    target: Target, instance: Any, methods: list[tuple[str, list[Any]]]
) -> Callable[..., Any]:
    """What one execution of the target calls."""
    if target.is_autograd:
        applied: Callable[..., Any] = target.owner.apply
        return applied
    if not target.bound:
        return _drained(target.raw if not target.is_class else getattr(target.owner, target.last))
    if target.last in ("__init__", "forward") and has_forward(instance):
        whole: Callable[..., Any] = instance
        return whole
    if target.last == "__init__":
        made = [instance] if isinstance(instance, torch.nn.Module) else []
        return lambda: [*made, *(_drained(getattr(instance, n))(*given) for n, given in methods)]
    if isinstance(target.raw, property):
        return lambda: getattr(instance, target.last)
    return _drained(getattr(instance, target.last))


def has_forward(module: Any) -> bool:
    """Whether something is a module that can be called, and not merely a base of such ones."""
    forward = getattr(type(module), "forward", None)
    return (
        isinstance(module, torch.nn.Module)
        and getattr(forward, "__name__", "") != "_forward_unimplemented"
    )


def _drained(function: Any) -> Callable[..., Any]:
    """A generator function does nothing until it is asked for its items."""
    plain = getattr(function, "__func__", function)
    if not inspect.isgeneratorfunction(plain):
        kept: Callable[..., Any] = function
        return kept

    def first_items(*arguments: Any, **keywords: Any) -> list[Any]:
        items = []
        for item in function(*arguments, **keywords):
            items.append(item)
            if len(items) >= 8:
                break
        return items

    return first_items


def is_keyword(parameter: inspect.Parameter) -> bool:
    return parameter.kind is _KEYWORD or parameter.default is not inspect.Parameter.empty
