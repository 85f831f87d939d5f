"""What the child processes are asked to do with a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autofix.verify.changes import Change
from autofix.verify.child.isolation.limits import LATE
from autofix.verify.judge.case import Side, Trace, key
from autofix.verify.judge.reads import missing
from autofix.verify.pair import Version
from autofix.verify.spans import Trial

SEEDS = (0, 1)
"""Each gives other inputs and other initial weights."""
Job = dict[str, Any]
Recipes = Sequence[dict[str, Any] | None]
"""Inputs for a call; `(None,)` where the program runs as it stands."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One version, with what is on trial in it."""

    version: Version
    trial: Trial
    lines: tuple[tuple[int, int], ...]

    def job(self, target: str, executions: Sequence[Job], **given: Any) -> Job:
        """A job for the child; see `child/execute.py`."""
        package, name = _module_name(self.version.path) if target else ("", "__main__")
        return {
            "program": {
                "text": self.version.text,
                "path": self.version.path,
                "name": name,
                "package": package,
                "roots": list(self.version.roots),
                "argv": list(self.version.argv),
                "host": self.version.host if given.get("hosted") else "",
                "changes": [list(lines) for lines in self.lines],
                "spans": [list(span) for span in self.trial.spans],
                "regions": [list(region) for region in self.trial.regions],
            },
            "target": target,
            "hints": given.get("hints"),
            "executions": list(executions),
        }


def subject(version: Version, trial: Trial, changes: Sequence[Change], *, after: bool) -> Subject:
    lines = tuple(change.after if after else change.before for change in changes)
    return Subject(version, trial, lines)


def _module_name(path: str) -> tuple[str, str]:
    """The package of a file and its name in it, by the `__init__.py` above it."""
    file = Path(path)
    parts: list[str] = []
    folder = file.parent
    while (folder / "__init__.py").exists() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    package = ".".join(parts)
    if not package:
        return "", f"_program_{''.join(c if c.isalnum() else '_' for c in file.stem)}"
    return package, f"{package}.{file.stem}"


def executions(
    seed: int, recipes: Recipes, wanted: Any = None, *, plain: int = 1, apart: bool = False
) -> list[Job]:
    """So often as it stands (for the first seed only, and to the end but once), and once for the
    derivative; `apart`: once more with copies of what it expands."""
    recipe = recipes[SEEDS.index(seed) % len(recipes)]
    stand = {"mode": "plain", "seed": seed, "recipe": recipe, "brief": False, "apart": False}
    brief = {**stand, "brief": True}
    exact = {"mode": "exact", "seed": seed, "recipe": recipe, "wanted": wanted}
    stands = [stand, *[brief] * (plain - 1), *[{**brief, "apart": True}] * apart]
    return [*(stands if seed == SEEDS[0] else ()), exact]


def healing(plain: Trace, recipe: dict[str, Any] | None) -> Job | None:
    """Once more as it was meant, if that is not as it stands: what changed lines keep is copied
    where it lies in the memory of something else, and no gradient is asked for in vain."""
    kept = plain["probes"].items()
    aliases = [int(number) for number, one in kept if one["shared"] and one["changed"]]
    missed = [read["of"] for read in plain["reads"] if missing(read)]
    if not aliases and not missed:
        return None
    given = {"aliases": aliases, "missed": missed}
    return {"mode": "healed", "seed": plain["seed"], "recipe": recipe, **given}


FOUND: Recipes = ({"found": 0}, {"found": 1, "style": "graph"})
"""The same for a job that looks for the recipes itself; see `varied`."""


def varied(recipes: Sequence[dict[str, Any]]) -> Recipes:
    """One input as it was found, and one whose floating tensors carry a graph: a function that
    is given data in one place is given the result of a layer in another."""
    return recipes[0], {**recipes[min(1, len(recipes) - 1)], "style": "graph"}


def side(results: Sequence[Trace], failure: str | None) -> Side:
    """What came back for one version."""
    plain = [one for one in results if one.get("mode") == "plain"]
    exact = tuple(one for one in results if one.get("mode") == "exact")
    apart = next((one for one in plain if one["apart"]), None)
    first, again, *_ = [*(one for one in plain if not one["apart"]), None, None]
    if exact and failure is not None and failure.startswith(LATE):
        failure = None  # the first seed has all that is needed, and another one adds to it
    return Side(first, again, apart, exact, failure)


def wanted(exact: Trace) -> list[Any]:
    """The leaves of a version, for the other one to move alike."""
    return [
        [[list(key(leaf)[0]), *key(leaf)[1:]], leaf["size"]]
        for leaf in exact["leaves"]
        if not leaf["derived"]
    ]
