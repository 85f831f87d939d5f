"""Shapes that the layers of an object, or of a model among the arguments, ask for."""

from __future__ import annotations

import json
from typing import Any

from . import layers, recipes, slots
from .plans import Plans
from .slots import Recipe
from .vocabulary import Spec


def refined(plans: Plans, recipe: Recipe) -> Recipe:
    """With the shapes that the layers of the instance, or of a model, ask for."""
    models = [s for _, s in recipe["arguments"] if s["is"] in ("make", "model")]
    state = slots.key({"instance": recipe["instance"], "models": models})
    if recipe.get("refined") == state or plans.record is None:
        return recipe
    changed: Recipe = {**json.loads(json.dumps(recipe)), "refined": state}
    maker = recipes.Maker(plans.namespace, 0)
    built: dict[str, Any] = {}
    if recipe["instance"]:
        built["self"] = maker.make(recipe["instance"], "self")
    for name, spec in recipe["arguments"]:
        if spec["is"] in ("make", "model"):
            built[name] = maker.make(spec, name)
    for name, owner in built.items():
        links = plans.record if name == "self" else _links_of(name, plans.record)
        for places, spec, direct in layers.linked(owner, links, plans.sources.of):
            _put(changed, places, spec, direct)
    return changed


def _links_of(argument: str, record: dict[str, Any]) -> dict[str, Any]:
    """What is linked to an argument, as if that was the object itself."""
    links = [
        {**link, "callee": [["name", "self"], *link["callee"][1:]]}
        for link in record["links"]
        if link["callee"][0][1] == argument
    ]
    return {"links": links}


def _put(recipe: Recipe, places: list[list[Any]], spec: Spec, direct: bool) -> None:
    """Set the spec of a part of an argument, where the recipe has such a part."""
    for number, (name, own) in enumerate(recipe["arguments"]):
        if name == places[0][1]:
            recipe["arguments"][number][1] = _part(own, places[1:], spec, direct)


def _part(own: Spec, places: list[list[Any]], spec: Spec, direct: bool) -> Spec:
    if own["is"] == "array" and not places and spec["is"] == "tensor":
        return {**own, "tensor": spec}
    if not places:
        fits = own["is"] in ("tensor", "tuple", spec["is"])
        if fits and not direct and own["is"] == spec["is"] == "tensor":
            rows = len(spec["shape"]) == 2 and spec["dtype"] == "float"
            if rows and len(own["shape"]) > 2:
                return {**own, "shape": [*own["shape"][:-1], spec["shape"][-1]]}
        return spec if fits else own
    (kind, key), rest = places[0], places[1:]
    items = own.get("items")
    if kind == "each" and isinstance(items, list):
        return {**own, "items": [_part(item, rest, spec, direct) for item in items]}
    if kind == "item" and isinstance(items, list) and -len(items) <= key < len(items):
        changed = list(items)
        changed[key] = _part(items[key], rest, spec, direct)
        return {**own, "items": changed}
    if kind in ("attr", "key") and isinstance(items, dict) and key in items:
        return {**own, "items": {**items, key: _part(items[key], rest, spec, direct)}}
    return own
