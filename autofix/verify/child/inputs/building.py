"""Builds the arguments of a function from a recipe, and finds recipes with which it runs.

A recipe is JSON: the specs (see `recipes`) of the arguments and, for a method, of the instance.
The same recipe and seed give bit-equal inputs in both versions of a program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from . import explore, recipes
from .target import Target, callable_of


@dataclasses.dataclass
class Built:
    """A call that is ready to be made: `function(*args, **kwargs)`."""

    function: Callable[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    inputs: list[tuple[str, torch.Tensor]]
    """Every float tensor made, by name (`x`, `batch[0]`): the leaf, where it has a gradient."""
    modules: list[tuple[str, torch.nn.Module]]
    instance: Any | None


def build(namespace: dict[str, Any], recipe: dict[str, Any], seed: int) -> Built:
    """Make the arguments (and the instance) that a recipe describes."""
    target = Target(namespace, recipe["target"])
    maker = recipes.Maker(namespace, seed, recipe.get("style", "data"))
    instance = None
    if recipe.get("instance"):
        instance = maker.make(recipe["instance"], "self")
        for name, given, times in recipe.get("before", []):
            for number in range(times):
                values = _made(maker, given, f"{name} {number}: ").values()
                getattr(instance, name)(*values)
    made = _made(maker, recipe["arguments"], "")
    methods = [
        (name, list(_made(maker, arguments, f"{name}: ").values()))
        for name, arguments in recipe.get("methods", [])
    ]
    function = callable_of(target, instance, methods)
    given = recipe["given"]
    args = [made[name] for name, _ in recipe["arguments"] if given[name] == "place"]
    args += [made[name] for name, _ in recipe["arguments"] if given[name] == "rest"]
    kwargs = {name: made[name] for name, _ in recipe["arguments"] if given[name] == "keyword"}
    return Built(function, args, kwargs, maker.inputs, maker.modules, instance)


def _made(maker: recipes.Maker, arguments: list[Any], prefix: str) -> dict[str, Any]:
    """Optimizers come last: they take the parameters of what is there by then."""
    late = sorted(arguments, key=lambda pair: recipes.LATE.get(pair[1]["is"], 0))
    made = {name: maker.make(spec, prefix + name) for name, spec in late}
    return {name: made[name] for name, _ in arguments}


def search(
    namespace: dict[str, Any],
    target: str,
    hints: dict[str, Any],
    seed: int,
    call: Callable[[Any], Any],
    budget: int = 150,
    seconds: float = 5.0,
) -> list[dict[str, Any]]:
    """Recipes with which the target runs to its end: up to three that differ, the best first.

    `call(built)` makes one attempt and raises what the program raises; where it says False, the
    attempt counts only if there is no better one. `hints["lines"]` has the first and last lines
    of what the attempts should run, if they can. At most `budget` attempts
    are made to find the first recipe, and the whole takes about `seconds`. Raises `Failed` with
    the reason if there is none. The same seed gives the same recipes.
    """

    def attempt(recipe: dict[str, Any]) -> Callable[[], Any]:
        built = build(namespace, recipe, seed)
        return lambda: call(built)

    # The first optimizer of a process imports a lot; that must not count as the program's time.
    torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    explorer = explore.Explorer(namespace, target, hints, attempt)
    return explorer.run(budget, seconds)
