"""The recipes to begin with, and what else the arguments may be."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from ..reading import docs
from . import moves, propose, slots, vocabulary
from .instances import Instances, subclass_specs
from .known import Known
from .recipes import Failed
from .slots import Recipe
from .target import Sources, Target, is_keyword, parameters, variadic
from .vocabulary import Spec, value

_OPEN: list[list[int]] = [
    [4, 3], [2, 3, 8, 8], [3], [], [2, 4, 3], [3, 3], [2, 3, 3], [4, 1], [4], [2, 4, 4], [2, 4, 2],
    [2, 5, 8],
]  # fmt: skip
_LEARNS = ("model", "make", "optimizer")
_MOST_ROUNDS = 4
_SIMPLE = ("tensor", "value", "loader", "list", "tuple", "array", "device", "sink")


class Plans:
    def __init__(
        self, namespace: dict[str, Any], target: Target, hints: dict[str, Any], sources: Sources
    ) -> None:
        self.namespace = namespace
        self.target = target
        self.hints = hints
        self.sources = sources
        self.instances = Instances(namespace, hints, sources)
        self.problem: str | None = None
        self.called = self._called()
        skip = int(target.bound or isinstance(target.raw, classmethod) or target.is_autograd)
        self.parameters = parameters(self.called, skip) if self.called is not None else []
        self.record = sources.of(self.called) if self.called is not None else None
        self.options_of = {p.name: self._candidates(p) for p in self.parameters}

    def _called(self) -> Any:
        """The function whose parameters are to be found."""
        if self.target.is_autograd:
            return self.target.owner.forward
        if self.target.last != "__init__":
            return self.target.function
        forward = getattr(self.target.owner, "forward", None)
        known = getattr(forward, "__name__", "") != "_forward_unimplemented"
        return forward if self.target.is_module and known else None

    def _known(self, parameter: inspect.Parameter) -> Known:
        record = (self.record or {}).get("parameters", {}).get(parameter.name)
        known = Known(record)
        if known.annotation is None and parameter.annotation is not inspect.Parameter.empty:
            text = parameter.annotation
            known.annotation = text if isinstance(text, str) else getattr(text, "__name__", None)
        return known

    def _candidates(self, parameter: inspect.Parameter) -> list[Spec]:
        default = parameter.default
        default = None if default is inspect.Parameter.empty else default
        return propose.candidates(
            parameter.name, self._known(parameter), self.instances.wanted, default
        )

    # Where to begin.

    def starts(self) -> Iterator[Recipe]:
        for parameter in self.parameters:
            first = self.options_of[parameter.name][0]
            if first["is"] == "impossible" and self._required(parameter.name):
                raise Failed(f"`{parameter.name}` takes {first['why']}, which cannot be made up")
        for instance in self._instances():
            yield from self._from_calls(instance)
            for number, shape in enumerate(self._shapes()):
                base = self._base(instance)
                yield self._finished(base, shape)
                if number == 0:
                    yield self._finished(self._with_coefficients(base), shape)
            for name in self.options_of:
                for option in self.options_of[name][1:4]:
                    if self._required(name):
                        base = self._base(instance, {name: option})
                        yield self._finished(base, self._shapes()[0])

    def _instances(self) -> list[Spec | None]:
        if not self.target.bound or self.target.is_autograd:
            return [None]
        found = subclass_specs(self.instances, self.target.owner_name, self.target.owner)
        return [*found[:_MOST_ROUNDS]] or [None]

    def _shapes(self) -> list[list[int]]:
        mentioned = [docs.concrete(list(s)) for s in (self.record or {}).get("mentioned", [])[:3]]
        return [s for n, s in enumerate([*mentioned, *_OPEN]) if s not in mentioned[:n]]

    def _with_coefficients(self, recipe: Recipe) -> Recipe:
        """Where some parameters are plainly tensors, those only reckoned with may be scalars."""
        only = {
            p.name
            for p in self.parameters
            if self._known(p).facts and all(f == "arithmetic" for f in self._known(p).facts)
        }
        changed: Recipe = json.loads(json.dumps(recipe))
        for name, spec in changed["arguments"]:
            if name in only and spec["is"] == "tensor" and spec["shape"] is None:
                spec["shape"] = []
        return changed

    def _required(self, name: str) -> bool:
        return any(p.name == name and p.default is inspect.Parameter.empty for p in self.parameters)

    def _base(self, instance: Spec | None, chosen: dict[str, Spec] | None = None) -> Recipe:
        arguments: list[list[Any]] = []
        given: dict[str, str] = {}
        for parameter in self.parameters:
            spec = (chosen or {}).get(parameter.name) or self._argument(parameter)
            if spec is not None:
                arguments.append([parameter.name, spec])
                given[parameter.name] = "keyword" if is_keyword(parameter) else "place"
                if parameter.kind is inspect.Parameter.POSITIONAL_ONLY or self.target.is_autograd:
                    given[parameter.name] = "place"
        rest = variadic(self.called) if self.called is not None else None
        if rest and not any(place == "place" for place in given.values()):
            for number in range(2):
                arguments.append([f"{rest}{number}", vocabulary.tensor(None)])
                given[f"{rest}{number}"] = "rest"
        recipe: Recipe = {
            "target": self.target.name, "arguments": arguments, "given": given,
            "instance": instance, "methods": self.methods(),
        }  # fmt: skip
        return recipe

    def _argument(self, parameter: inspect.Parameter) -> Spec | None:
        default = parameter.default
        if default is inspect.Parameter.empty:
            return self.options_of[parameter.name][0]
        known = self._known(parameter)
        counted = known.says("count") or vocabulary.within(parameter.name, vocabulary.COUNTS)
        if type(default) is int and (default > 4 or default in (1, 2)) and counted:
            return value(3)
        return None

    def methods(self) -> list[list[Any]]:
        """For a class that is no function by itself: its methods, as far as they are simple."""
        if self.target.last != "__init__" or self.called is not None:
            return []
        return self.simple_methods()[:3]

    def simple_methods(self) -> list[list[Any]]:
        """Public methods that take nothing but tensors, numbers and lists of such."""
        found: list[list[Any]] = []
        for name, raw in vars(self.target.owner).items():
            if name.startswith("_") or not inspect.isfunction(raw) or name == "forward":
                continue
            record = self.sources.of(raw) or {"parameters": {}}
            given: list[tuple[str, Spec]] = []
            for parameter in parameters(raw, 1):
                if parameter.default is inspect.Parameter.empty:
                    known = Known(record["parameters"].get(parameter.name))
                    spec = propose.candidates(parameter.name, known, self.instances.wanted)[0]
                    given.append((parameter.name, spec))
            if all(spec["is"] in _SIMPLE for _, spec in given):
                closed = self.all_closed([spec for _, spec in given])
                found.append([name, [[given[n][0], spec] for n, spec in enumerate(closed)]])
        return found

    def _from_calls(self, instance: Spec | None) -> Iterator[Recipe]:
        """The arguments that the file itself gives to the target."""
        names = [p.name for p in self.parameters]
        key = self.target.name
        if self.target.last == "__init__" and self.called is not None:
            key = f"{self.target.owner_name}.forward"
        for call in self.hints.get("calls", {}).get(key, []):
            given = dict(zip(names, call["args"]))
            given.update({n: s for n, s in call["kwargs"].items() if n in names})
            chosen = {n: self._small(n, s) for n, s in given.items() if s is not None}
            if chosen:
                recipe = self._base(instance, chosen)
                yield self._finished(recipe, self._shapes()[0])

    def _small(self, name: str, spec: Spec) -> Spec:
        """Short runs: a file that trains for 1,000 epochs is tried with 3."""
        for parameter in self.parameters:
            if parameter.name == name and spec["is"] == "value" and type(spec["value"]) is int:
                counted = self._known(parameter).says("count")
                if not 3 <= spec["value"] <= 4 and (
                    counted or vocabulary.within(name, vocabulary.COUNTS)
                ):
                    return value(3)
        return spec

    def _finished(self, recipe: Recipe, shape: list[int]) -> Recipe:
        """Every open shape closed, every float tensor in a style."""
        closed: Recipe = json.loads(json.dumps(recipe))
        for slot in slots.of_recipe(closed):
            if slot.kind == "tensor":
                slot.spec["shape"] = _closed(slot.spec["shape"], shape)
        learns = any(slot.kind in _LEARNS for slot in slots.of_recipe(closed))
        return moves.styled(closed, "data" if learns or self.target.is_module else "graph")

    # What else.

    def options(self, recipe: Recipe) -> dict[str, list[Spec]]:
        """By place (see `moves`): other specs for an argument or a constructor's argument."""
        found: dict[str, list[Spec]] = {}
        for number, (name, _) in enumerate(recipe["arguments"]):
            found[_at("arguments", number, 1)] = self.all_closed(self.options_of.get(name, []))
        for slot in slots.of_recipe(recipe):
            if slot.kind == "make" and slot.spec["kwargs"]:
                for name, options in self.instances.options(slot.spec).items():
                    found[_at(*slot.place, "kwargs", name)] = self.all_closed(options)
        return found

    def all_closed(self, options: list[Spec]) -> list[Spec]:
        holder: Recipe = {"arguments": [["", json.loads(json.dumps(o))] for o in options]}
        for slot in slots.of_recipe(holder):
            if slot.kind == "tensor":
                slot.spec["shape"] = _closed(slot.spec["shape"], self._shapes()[0])
        return [spec for _, spec in holder["arguments"]]

    def primed(self, recipe: Recipe, blamed: frozenset[str]) -> Iterator[Recipe]:
        """With other methods called first: a buffer is filled before it is sampled."""
        if not recipe["instance"] or recipe.get("before") or self.target.last == "__init__":
            return
        for name, given in self.simple_methods()[:4]:
            if name != self.target.last:
                yield {**recipe, "before": [[name, given, 5]]}


def _at(*place: Any) -> str:
    return slots.key({"at": place})


def _closed(shape: list[Any] | None, otherwise: list[int]) -> list[int]:
    return docs.concrete(shape) if shape is not None else list(otherwise)
