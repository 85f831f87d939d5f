"""Other recipes beside one that runs: other values, flags and options may reach other lines."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import slots
from .slots import Recipe
from .vocabulary import COUNTS, Spec, value, within

if TYPE_CHECKING:
    from .plans import Plans


_MANY = 12


def of_recipe(plans: Plans, recipe: Recipe, *, longer: bool = False) -> Iterator[Recipe]:
    """`longer`: not all that is wanted was run; some things happen only after a while."""
    if longer:
        yield _longer(recipe)
        yield from _built_otherwise(plans, recipe)
    yield _valued(recipe, "signed")
    given = set(recipe["given"])
    for parameter in plans.parameters:
        default = parameter.default
        if parameter.name not in given and default is not inspect.Parameter.empty:
            for spec in _instead(plans, parameter)[:2]:
                yield _with_argument(recipe, parameter, spec)
    if not longer:
        yield from _built_otherwise(plans, recipe)
    for number, (name, spec) in enumerate(recipe["arguments"]):
        if spec["is"] == "value":
            for option in plans.all_closed(plans.options_of.get(name, []))[:3]:
                if option["is"] == "value":
                    yield slots.with_spec(recipe, ("arguments", number, 1), option)
    yield _batched(recipe)


def _longer(recipe: Recipe) -> Recipe:
    """More batches, and more rounds."""
    for slot in slots.of_recipe(recipe):
        spec = slot.spec
        if slot.kind == "loader" and slot.root != "self":
            recipe = slots.with_spec(recipe, slot.place, {**spec, "items": spec["items"] * 4})
        elif slot.kind == "value" and spec["value"] == 3 and within(slot.name, COUNTS):
            recipe = slots.with_spec(recipe, slot.place, value(_MANY))
    return recipe


def _built_otherwise(plans: Plans, recipe: Recipe) -> Iterator[Recipe]:
    """The instance with another flag or name instead of a default of its constructor."""
    own = recipe.get("instance") or {}
    if own.get("is") != "make" or not plans.target.is_class:
        return
    for name, specs in plans.instances.defaults(own).items():
        for spec in specs[:2]:
            kwargs = {**own["kwargs"], name: spec}
            yield slots.with_spec(recipe, ("instance",), {**own, "kwargs": kwargs})


def _instead(plans: Plans, parameter: inspect.Parameter) -> list[Spec]:
    """What to give instead of a default."""
    default = parameter.default
    if isinstance(default, bool):
        return [value(not default)]
    options = plans.all_closed(plans.options_of[parameter.name])
    if default is None:
        return [o for o in options if o["is"] not in ("impossible",) and o != value(None)]
    texts = [o for o in options if o["is"] == "value" and o["value"] != default]
    return texts if isinstance(default, str) else []


def _with_argument(recipe: Recipe, parameter: inspect.Parameter, spec: Spec) -> Recipe:
    made: Recipe = json.loads(json.dumps(recipe))
    made["arguments"].append([parameter.name, spec])
    made["given"][parameter.name] = "keyword"
    return made


def _valued(recipe: Recipe, values: str) -> Recipe:
    for slot in slots.of_recipe(recipe):
        plain = slot.kind == "tensor" and slot.spec.get("values") == "unit"
        if plain and slot.spec["dtype"] == "float":
            recipe = slots.with_spec(recipe, slot.place, {**slot.spec, "values": values})
    return recipe


def _batched(recipe: Recipe) -> Recipe:
    """Another number of rows, the same for all that have the most common number of them."""
    tensors = [s for s in slots.of_recipe(recipe) if s.kind == "tensor" and s.spec["shape"]]
    sizes = [s.spec["shape"][0] for s in tensors]
    if not sizes:
        return recipe
    common = max(sizes, key=sizes.count)
    for slot in tensors:
        if slot.spec["shape"][0] == common:
            shape = [5 if common != 5 else 4, *slot.spec["shape"][1:]]
            recipe = slots.with_spec(recipe, slot.place, {**slot.spec, "shape": shape})
    return recipe
