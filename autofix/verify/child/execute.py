"""A job: one version of a program, executed several times under observation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from . import hooks, tensors
from .drive import Drive, Execution, execute
from .program import Program
from .session import Event, Leaf, Mode, Plan, direction

Emit = Callable[[dict[str, Any]], None]
Key = tuple[Any, ...]
DIRECTIONS = 3
_LIKE = ("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like")


def handle(job: Mapping[str, Any], emit: Emit) -> None:
    """Do what the job asks for; a result is emitted after each part of it."""
    torch.set_num_threads(1)
    hooks.install()
    given = job["program"]
    program = Program(
        text=given["text"],
        path=given["path"],
        name=given["name"],
        package=given["package"],
        roots=given["roots"],
        argv=given["argv"],
        changes=[tuple(lines) for lines in given["changes"]],
    )
    if job["hints"] is not None:
        _search(program, job, emit)
    for asked in job["executions"]:
        drive = Drive(job["target"], asked["recipe"])
        plan = Plan(given["spans"], given["regions"])
        if asked["mode"] == "plain":
            run = execute(program, drive, Mode("plain", asked["seed"]), plan)
            emit(_plain(run, asked["seed"], program))
        else:
            wanted = asked["wanted"]
            found = _Exact(program, drive, plan, asked["seed"]).result(wanted)
            emit(found)


def _search(program: Program, job: Mapping[str, Any], emit: Emit) -> None:
    """Look for inputs that the function takes; emits the recipes."""
    from . import inputs
    from .probes import Probes

    hooks.seed(0)
    try:
        with torch.enable_grad():
            namespace = program.load(Probes())
            hints = {**job["hints"], "lines": program.changes}
            recipes = inputs.search(namespace, job["target"], hints, 0, _attempt)
    except inputs.Failed as error:
        emit({"recipes": [], "failed": str(error), "skipped": program.skipped})
        return
    emit({"recipes": recipes, "failed": None, "skipped": program.skipped})


def _attempt(built: Any) -> bool:
    """One call; whether it says anything."""
    import contextlib
    import os
    from pathlib import Path

    from . import inputs

    with Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
        result = built.function(*built.args, **built.kwargs)
    found = [one for one in tensors.results(result) if isinstance(one, torch.Tensor)]
    if any(bool(tensors.plain(one).isnan().any()) for one in found):
        raise ValueError("the result is not a number")
    return inputs.tells(built, result)


# As the program stands ------------------------------------------------------------------------


def _plain(run: Execution, seed: int, program: Program) -> dict[str, Any]:
    session = run.session
    session.account()
    listed = {id(p): name for root in session.roots for name, p in root.named_parameters()}
    held = {id(p) for opt in session.optimizers for p in hooks.parameters_of(opt)}
    names = _names(run)
    inside = {id(tensor) for tensor in session.made_inside}
    attributes = {id(tensor) for _, tensor in _attributes(session.roots)}
    return {
        "mode": "plain",
        "seed": seed,
        "raised": run.raised,
        "events": [_told(event) for event in session.events[:200]],
        "leaves": [
            {
                **_identity(leaf, names),
                "gradient": leaf.gradient,
                "moved": leaf.moved,
                "stale": leaf.stale,
                "lost": leaf.lost,
                "listed": id(leaf.tensor) in listed,
                "held": id(leaf.tensor) in held,
                "parameter": isinstance(leaf.tensor, torch.nn.Parameter),
                "attribute": id(leaf.tensor) in attributes,
                "inside": id(leaf.tensor) in inside,
            }
            for leaf in session.leaves[:2000]
        ],
        "parameters": len({id(p) for root in session.roots for p in root.parameters()}),
        "optimizers": [len(hooks.parameters_of(opt)) for opt in session.optimizers],
        "unheld": _unheld(run, held),
        "steps": session.steps,
        "idle_steps": session.idle_steps,
        "hits": {str(number): count for number, count in run.probes.hits.items()},
        "probes": run.probes.summary(),
        "outputs": run.outputs,
        "returned": run.returned,
        "trainable": _trainable(run.modules),
        "warnings": run.warnings,
        "exits": _exits(run),
        "skipped": program.skipped,
    }


def _told(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "line": event.line,
        "value": event.value,
        "shape": event.shape,
        "requires_grad": event.requires_grad,
        "nodes": event.nodes,
        "raised": event.raised,
        "reached": sorted(
            index for index, grad in event.gradients.items() if bool(grad.abs().sum() > 0)
        ),
    }


def _identity(leaf: Leaf, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "key": [list(leaf.key[0]), *leaf.key[1:]],
        "name": names.get(id(leaf.tensor)) or leaf.name,
        "line": leaf.line,
        "module": leaf.module,
        "turn": leaf.turn,
    }


def _names(run: Execution) -> dict[int, str]:
    """Names of leaves as a user would write them."""
    names = {id(tensor): name for name, tensor in _attributes(run.session.roots)}
    for root in run.session.roots:
        for name, parameter in root.named_parameters():
            names[id(parameter)] = name
    for name, value in run.namespace.items():
        if isinstance(value, torch.Tensor):
            names[id(value)] = name
    return names


def _unheld(run: Execution, held: set[int]) -> list[str]:
    """Parameters of a returned module that no optimizer has, if there is one."""
    if not run.session.optimizers:
        return []
    return [
        name
        for module in run.modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and id(parameter) not in held
    ][:100]


def _trainable(modules: Sequence[torch.nn.Module]) -> list[str]:
    return [
        name
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    ][:500]


def _attributes(roots: Sequence[torch.nn.Module]) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that modules hold as plain attributes, where nothing lists them."""
    for root in roots:
        for module in root.modules():
            for name, value in vars(module).items():
                if isinstance(value, torch.Tensor):
                    yield f"self.{name}", value


def _exits(run: Execution) -> list[Any]:
    told = [(line, name, count) for (line, name), count in run.session.exits.items()]
    return [list(one) for one in sorted(told) if one[1] not in _LIKE][:200]


# The derivative -------------------------------------------------------------------------------


class _Exact:
    """The gradients of a program in float64, and the finite differences that they should equal."""

    def __init__(self, program: Program, drive: Drive, plan: Plan, seed: int) -> None:
        self.program, self.drive, self.plan, self.seed = program, drive, plan, seed
        self.values_only = False

    def result(self, wanted: Sequence[Any] | None) -> dict[str, Any]:
        """`wanted`: the leaves of the other version and the sizes of their directions."""
        exact = self._run("exact")
        self._aim(exact, wanted)
        base = self._base()
        self.plan.sightings = {
            place: self._wanted[key] for key, place in base.session.sightings.items()
        }
        self.plan.sought = {}
        slopes = self._all_slopes(base) if wanted is None else {"all": self._slopes(base, "all", 1)}
        session = exact.session
        return {
            "mode": "exact",
            "seed": self.seed,
            "raised": exact.raised,
            "base_raised": base.raised,
            "values_only": self.values_only,
            "events": [self._event(event) for event in session.events],
            "base": [_told(event) for event in base.session.events],
            "leaves": self._leaves(exact),
            "matched": sorted(
                [*(leaf.key for leaf in self._aimed), *(hit[0] for hit in self._seen())], key=repr
            ),
            "direct": len(self._aimed),
            "slopes": slopes,
            "exits": _exits(base),
            "live": [[*key, count] for key, count in sorted(base.session.live_exits.items())],
            "opaque": sorted(session.opaque | base.session.opaque),
            "outputs": base.outputs or exact.outputs,
        }

    def _run(self, name: str, **given: Any) -> Execution:
        tape = given.pop("tape", None)
        mode = Mode(name, self.seed, values_only=self.values_only, **given)
        return execute(self.program, self.drive, mode, self.plan, tape)

    def _base(self) -> Execution:
        """The unshifted forward pass; where autograd forbids it, without autograd."""
        base = self._run("base")
        if (
            base.raised is not None
            and not base.session.events
            and base.raised["inside"] is not None
        ):
            self.values_only = True
            again = self._run("base")
            if again.raised is None or again.session.events:
                return again
            self.values_only = False
        return base

    def _aim(self, exact: Execution, wanted: Sequence[Any] | None) -> None:
        """Choose the leaves that will be moved, and how far."""
        leaves = exact.session.leaves
        if wanted is None:
            sizes = _sizes(exact)
            self._wanted = {leaf.key: (leaf.key, sizes[leaf.index]) for leaf in leaves}
        else:
            keys = [((tuple(key[0]), *key[1:]), size) for key, size in wanted]
            self._wanted = {key: (key, size) for key, size in keys}
        self._aimed = [leaf for leaf in leaves if leaf.key in self._wanted]
        self.plan.scales = {leaf.index: self._wanted[leaf.key] for leaf in self._aimed}
        missing = set(self._wanted) - {leaf.key for leaf in self._aimed}
        for key in sorted(missing, key=repr):
            self.plan.sought.setdefault(key[0], []).append(key)

    def _seen(self) -> list[tuple[Key, float]]:
        return list(self.plan.sightings.values())

    def _all_slopes(self, base: Execution) -> dict[str, Any]:
        """What the version that is the measure for the other is asked for."""
        slopes = {"spans": self._slopes(base, "spans")}
        slopes["none"] = self._slopes(base, "none") if base.session.live_exits else slopes["spans"]
        slopes["all"] = self._slopes(base, "all", 1) if base.session.exits else slopes["spans"]
        return slopes

    def _slopes(self, base: Execution, live: str, count: int = DIRECTIONS) -> dict[str, Any]:
        """For each direction the losses on either side of the base."""
        pairs, diverged = [], None
        for number in range(count):
            sides = []
            for sign in (1.0, -1.0):
                run = self._run(
                    "shifted", live=live, direction=number, sign=sign, tape=base.session.tape
                )
                diverged = diverged or run.session.diverged
                sides.append([event.value for event in run.session.events])
            pairs.append(sides)
        return {"pairs": pairs, "diverged": diverged}

    def _event(self, event: Event) -> dict[str, Any]:
        told = _told(event)
        told["slopes"] = [
            sum(
                float((grad * self._direction(index, number)).sum())
                for index, grad in event.gradients.items()
                if index in self.plan.scales
            )
            for number in range(DIRECTIONS)
        ]
        told["norms"] = {str(index): float(grad.norm()) for index, grad in event.gradients.items()}
        return told

    def _direction(self, index: int, number: int) -> torch.Tensor:
        key, size = self.plan.scales[index]
        return direction(key, tuple(key[0]), number) * size

    def _leaves(self, exact: Execution) -> list[dict[str, Any]]:
        names = _names(exact)
        sizes = self.plan.scales
        return [
            {**_identity(leaf, names), "size": sizes[leaf.index][1] if leaf.index in sizes else 0.0}
            for leaf in exact.session.leaves
        ]


def _sizes(exact: Execution) -> list[float]:
    """Step sizes with which each leaf weighs about as much in a slope, within bounds."""
    norms = [0.0] * len(exact.session.leaves)
    for event in exact.session.events:
        for index, grad in event.gradients.items():
            norms[index] = max(norms[index], float(grad.norm()))
    largest = max(norms, default=0.0)
    return [min(max(largest / norm, 0.01), 100.0) if norm > 0 else 1.0 for norm in norms]
