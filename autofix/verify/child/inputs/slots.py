"""The places of a recipe that hold a spec, and copies of a recipe with one of them changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Recipe = dict[str, Any]
Spec = dict[str, Any]
Place = tuple[Any, ...]


class Slot:
    """A spec, where it stands, and the name of the parameter that it is under."""

    def __init__(self, place: Place, root: str, name: str, spec: Spec) -> None:
        self.place = place
        self.root = root
        self.name = name
        self.spec = spec

    @property
    def kind(self) -> str:
        return str(self.spec["is"])


def of_recipe(recipe: Recipe) -> list[Slot]:
    """Every slot, outer before inner; those of the instance have the root `self`."""
    found: list[Slot] = []
    if recipe.get("instance"):
        found += _under(("instance",), "self", "self", recipe["instance"])
    for number, (name, spec) in enumerate(recipe["arguments"]):
        found += _under(("arguments", number, 1), name, name, spec)
    for field, root in (("before", "self"), ("methods", "")):
        for number, (_, arguments, *_) in enumerate(recipe.get(field, [])):
            for inner, (name, spec) in enumerate(arguments):
                found += _under((field, number, 1, inner, 1), root or name, name, spec)
    return found


def _under(place: Place, root: str, name: str, spec: Spec) -> Iterator[Slot]:
    yield Slot(place, root, name, spec)
    if spec["is"] == "array":
        yield from _under((*place, "tensor"), root, name, spec["tensor"])
    for field in ("items", "args", "kwargs"):
        inner = spec.get(field)
        if isinstance(inner, list):
            for number, item in enumerate(inner):
                yield from _under((*place, field, number), root, "", item)
        elif isinstance(inner, dict):
            for key, item in inner.items():
                yield from _under((*place, field, key), root, key, item)


def with_spec(recipe: Recipe, place: Place, spec: Spec) -> Recipe:
    """A copy of the recipe that has `spec` at that place."""
    made: Recipe = json.loads(json.dumps(recipe))
    holder: Any = made
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = json.loads(json.dumps(spec))
    return made


def twins(recipe: Recipe, slot: Slot) -> list[Place]:
    """The same slot in the other elements of a list: batches of a loader are alike."""
    text = [("*" if _in_list(recipe, slot.place, n) else s) for n, s in enumerate(slot.place)]
    found = []
    for other in of_recipe(recipe):
        same = len(other.place) == len(text) and all(
            text[n] in ("*", step) for n, step in enumerate(other.place)
        )
        if same and other.kind == slot.kind:
            found.append(other.place)
    return found


def _in_list(recipe: Recipe, place: Place, number: int) -> bool:
    holder: Any = recipe
    for step in place[: max(0, number - 1)]:
        holder = holder[step]
    return (
        number > 0
        and place[number - 1] == "items"
        and isinstance(holder, dict)
        and holder.get("is") in ("list", "loader")
    )


def key(recipe: Recipe) -> str:
    """The same text for recipes that make the same."""
    return json.dumps({**recipe, "refined": None}, sort_keys=True)
