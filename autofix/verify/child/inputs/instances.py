"""Specs of instances of classes: of the program's own, and of what it imports."""

from __future__ import annotations

import enum
import inspect
from typing import Any

import torch

from . import propose, recipes, vocabulary
from .known import Known
from .recipes import Failed
from .target import Sources, parameters
from .vocabulary import Spec

_DEPTH = 3
_MOST_CLASSES = 4
_PLAIN = ("arithmetic", "compared", "flag", "size", "count", "names", "index", "none")


class Instances:
    def __init__(self, namespace: dict[str, Any], hints: dict[str, Any], sources: Sources) -> None:
        self.namespace = namespace
        self.hints = hints
        self.sources = sources
        self.depth = 0
        self.making: list[str] = []

    def wanted(self, name: str, known: Known, parameter: str = "") -> list[Spec]:
        """Instances of the class that an annotation names; for "", of any class that fits."""
        if self.depth >= _DEPTH:
            return []
        self.depth += 1
        try:
            return self._annotated(name) if name else self._fitting(parameter, known)
        finally:
            self.depth -= 1

    def _annotated(self, name: str) -> list[Spec]:
        try:
            found = recipes.resolve(self.namespace, name)
        except Failed:
            return []
        return self.of_class(name, found) if isinstance(found, type) else []

    def of_class(self, path: str, cls: Any) -> list[Spec]:
        """Specs of an instance: with the arguments that the file itself gives, then made up."""
        if issubclass(cls, enum.Enum):
            return [vocabulary.named(f"{path}.{member}") for member in list(cls.__members__)[:4]]
        if inspect.isabstract(cls):
            return [spec for other in self._below(cls) for spec in self.of_class(*other)]
        if cls.__module__ == "builtins":
            return []
        known = self.hints.get("calls", {}).get(path, [])
        self.making.append(path)
        try:
            found = [*self._called(path, cls, known), self._made_up(path, cls)]
            return [_as_data(spec) for spec in found] if issubclass(cls, torch.nn.Module) else found
        finally:
            self.making.pop()

    def _called(self, path: str, cls: Any, calls: list[dict[str, Any]]) -> list[Spec]:
        """Where the file makes one itself, its arguments; those not known are made up."""
        made_up = self._made_up(path, cls)["kwargs"]
        names = [p.name for p in _constructor(cls)]
        found = []
        for call in calls:
            given = dict(zip(names, call["args"]))
            given.update(call["kwargs"])
            kept = {n: s if s is not None else made_up.get(n) for n, s in given.items()}
            whole = {**made_up, **{n: s for n, s in kept.items() if s is not None}}
            if all(spec is not None for spec in kept.values()):
                found.append({"is": "make", "of": path, "args": [], "kwargs": whole})
        return found

    def _made_up(self, path: str, cls: Any) -> Spec:
        record = self.sources.of(cls.__init__) or {"parameters": {}}
        kwargs: dict[str, Spec] = {}
        for parameter in _constructor(cls):
            if parameter.default is not inspect.Parameter.empty:
                continue
            known = Known(record["parameters"].get(parameter.name))
            if known.annotation is None and isinstance(parameter.annotation, str):
                known.annotation = parameter.annotation
            elif known.annotation is None and parameter.annotation is not parameter.empty:
                known.annotation = getattr(parameter.annotation, "__name__", None)
            spec = self._given(parameter.name, known, issubclass(cls, torch.nn.Module))
            kwargs[parameter.name] = _as_data(spec) if known.says("initial") else spec
        return {"is": "make", "of": path, "args": [], "kwargs": kwargs}

    def _given(self, name: str, known: Known, module: bool) -> Spec:
        """What a constructor is given is a number, unless something says that it is a tensor."""
        first = propose.candidates(name, known, self.wanted)[0]
        if first["is"] != "tensor" or known.annotation or known.shapes:
            return first
        facts = [fact for fact in known.facts if not (module and fact == "element")]
        plain = all(fact in _PLAIN for fact in facts) and not known.items
        if plain and "element" in known.facts:
            return vocabulary.value(vocabulary.real(name))
        return vocabulary.value(vocabulary.whole(name, 2)) if plain else first

    def options(self, spec: Spec) -> dict[str, list[Spec]]:
        """Other candidates for the arguments of a constructor."""
        try:
            cls = recipes.resolve(self.namespace, spec["of"])
        except Failed:
            return {}
        record = self.sources.of(getattr(cls, "__init__", None)) or {"parameters": {}}
        return {
            name: propose.candidates(name, Known(record["parameters"].get(name)), self.wanted)
            for name in spec["kwargs"]
        }

    def defaults(self, spec: Spec) -> dict[str, list[Spec]]:
        """For flags and names with a default: what else they may be."""
        try:
            cls = recipes.resolve(self.namespace, spec["of"])
        except Failed:
            return {}
        record = self.sources.of(getattr(cls, "__init__", None)) or {"parameters": {}}
        found: dict[str, list[Spec]] = {}
        for parameter in _constructor(cls):
            default = parameter.default
            if isinstance(default, bool):
                found[parameter.name] = [vocabulary.value(not default)]
            elif isinstance(default, str):
                texts = Known(record["parameters"].get(parameter.name)).facts.get("strings", [])
                found[parameter.name] = [vocabulary.value(t) for t in texts if t != default]
        return {name: specs for name, specs in found.items() if name not in spec["kwargs"]}

    def _below(self, cls: Any) -> list[tuple[str, Any]]:
        return [
            (name, other)
            for name, other in self._own()
            if other is not cls and issubclass(other, cls) and not inspect.isabstract(other)
        ]

    def _own(self) -> list[tuple[str, Any]]:
        """The classes that the file itself defines."""
        found = []
        for name in self.hints.get("classes", {}):
            cls = self.namespace.get(name)
            if isinstance(cls, type):
                found.append((name, cls))
        return found

    def _fitting(self, parameter: str, known: Known) -> list[Spec]:
        """Own classes that have what is taken of the parameter; Modules, if it is called."""
        called = known.says("called", "module")
        found: list[tuple[float, Spec]] = []
        for name, cls in self._own():
            owned = self.hints["classes"][name].get("attributes", [])
            fits = all(a in owned or hasattr(cls, a) for a in known.own)
            forward = getattr(getattr(cls, "forward", None), "__name__", "")
            module = issubclass(cls, torch.nn.Module) and forward != "_forward_unimplemented"
            if name not in self.making and fits and (module if called else bool(known.own)):
                found += [(-_alike(parameter, name), s) for s in self.of_class(name, cls)[:2]]
        return [spec for _, spec in sorted(found, key=lambda pair: pair[0])][:_MOST_CLASSES]


def _as_data(spec: Spec) -> Spec:
    """With tensors that carry no graph: a module makes its own parameters of what it is given."""
    made = {**spec, "style": "data"} if spec["is"] == "tensor" else dict(spec)
    for field in ("items", "args", "kwargs", "tensor"):
        inner = made.get(field)
        if isinstance(inner, list):
            made[field] = [_as_data(one) for one in inner]
        elif isinstance(inner, dict):
            whole = "is" in inner
            made[field] = _as_data(inner) if whole else {k: _as_data(v) for k, v in inner.items()}
    return made


def _alike(parameter: str, name: str) -> int:
    """How many words a parameter and a class have in common."""
    return len(set(vocabulary.words(parameter)) & set(vocabulary.words(name)))


def _constructor(cls: Any) -> list[inspect.Parameter]:
    try:
        return parameters(cls)
    except Failed:
        return []


def subclass_specs(instances: Instances, path: str, cls: Any) -> list[Spec]:
    """Instances of a class or, where it cannot be made, of the classes under it."""
    found = instances.of_class(path, cls)
    for name, other in instances._below(cls):
        found += instances.of_class(name, other)
    return found
