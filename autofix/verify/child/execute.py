"""A job: one version of a program, executed several times under observation."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from . import chance, hooks, inputs, tensors, told
from .drive import Drive, execute
from .exact import Exact
from .mode import Mode
from .plan import Plan
from .probes import Probes
from .program import Program, mark_beginning

Emit = Callable[[dict[str, Any]], None]


def handle(job: Mapping[str, Any], emit: Emit) -> None:
    """Do what the job asks for; a result is emitted after each part of it."""
    torch.set_num_threads(1)
    hooks.install()
    mark_beginning()
    given = job["program"]
    program = Program(
        text=given["text"],
        path=given["path"],
        name=given["name"],
        package=given["package"],
        roots=given["roots"],
        argv=given["argv"],
        host=given["host"],
        changes=[tuple(lines) for lines in given["changes"]],
    )
    recipes = _search(program, job, emit) if job["hints"] is not None else None
    missed: dict[tuple[int, ...], set[str]] = {}
    for asked in job["executions"]:
        recipe = asked["recipe"]
        if recipes is not None:
            if not recipes:
                return
            recipe = {**recipes[min(recipe["found"], len(recipes) - 1)], **recipe}
        drive = Drive(job["target"], recipe)
        plan = Plan(given["spans"], given["regions"])
        if asked["mode"] == "healed":
            emit(_healed(program, drive, plan, asked))
        elif asked["mode"] == "plain":
            mode = Mode("plain", asked["seed"], brief=asked["brief"], apart=asked["apart"])
            run = execute(program, drive, mode, plan, missed=missed)
            missed = run.session.reads.deaf()
            emit(told.plain(run, program))
        else:
            wanted = asked["wanted"]
            found = Exact(program, drive, plan, asked["seed"]).result(wanted)
            emit(found)


def _healed(program: Program, drive: Drive, plan: Plan, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The program as it was meant."""
    missed: dict[tuple[int, ...], set[str]] = {}
    for shape, digest in asked["missed"]:
        missed.setdefault(tuple(shape), set()).add(digest)
    healing = replace(program, healing=True, skipped=[])
    mode = Mode("plain", asked["seed"], healed=True)
    aliases = frozenset(asked["aliases"])
    return told.plain(execute(healing, drive, mode, plan, missed=missed, heals=aliases), healing)


def _search(program: Program, job: Mapping[str, Any], emit: Emit) -> list[dict[str, Any]]:
    """Look for inputs that the function takes; emits the recipes. The executions of the same job
    name them by number."""
    chance.seed(0)
    try:
        with torch.enable_grad():
            namespace = program.load(Probes())
            hints = {**job["hints"], "lines": program.changes}
            recipes = inputs.search(namespace, job["target"], hints, 0, _attempt)
    except inputs.Failed as error:
        emit({"recipes": [], "failed": str(error), "skipped": program.skipped})
        return []
    emit({"recipes": recipes, "failed": None, "skipped": program.skipped})
    return recipes


def _attempt(built: Any) -> bool:
    """One call; whether it says anything."""
    with Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
        result = built.function(*built.args, **built.kwargs)
    found = list(tensors.results(result, torch.Tensor))
    if any(bool(tensors.plain(one).isnan().any()) for one in found):
        raise ValueError("the result is not a number")
    return inputs.tells(built, result)
