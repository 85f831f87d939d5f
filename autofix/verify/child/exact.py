"""The gradients of a program in float64, and the finite differences that they should equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from . import told
from .drive import Drive, Execution, execute
from .event import Event
from .mode import Mode
from .plan import STEP, Plan
from .program import Program

DIRECTIONS = 3
FINER = (0.1, 0.01)
SLIGHT = 5e-4
"""Relative: a difference quotient that is off by less agrees."""


class Exact:
    """The gradients of a program in float64, and the finite differences that they should equal."""

    def __init__(self, program: Program, drive: Drive, plan: Plan, seed: int) -> None:
        self.program, self.drive, self.plan, self.seed = program, drive, plan, seed
        self.values_only = False

    def result(self, wanted: Sequence[Any] | None) -> dict[str, Any]:
        """`wanted`: the leaves of the other version and the sizes of their directions."""
        exact = self._run("exact")
        self._aim(exact, wanted)
        base = self._base()
        if wanted is None:
            slopes = self._all_slopes(base, [self._event(one) for one in exact.session.events])
        else:
            slopes = self._other_slopes(base)
        session = exact.session
        return {
            "mode": "exact",
            "seed": self.seed,
            "raised": exact.raised,
            "values_only": self.values_only,
            "events": [self._event(event) for event in session.events],
            "base": [told.event(event) for event in base.session.events],
            "leaves": self._leaves(exact),
            "aimed": len(self.plan.scales),
            "slopes": slopes,
            "far": self._far(),
            "exits": told.exits(base),
            "stops": told.stops(base),
            "live": [[*key, count] for key, count in sorted(base.session.live_exits.items())],
            **session.reads.told(),
            "opaque": sorted(session.opaque | base.session.opaque),
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
            idle = _idle(exact)
            found = zip(leaves, _sizes(exact))
            sizes = {leaf.key: size for leaf, size in found if leaf.index not in idle}
        else:
            sizes = {(tuple(key[0]), *key[1:]): size for key, size in wanted}
        self.plan.scales = {
            leaf.index: (leaf.key, sizes[leaf.key])
            for leaf in leaves
            if leaf.key in sizes and not leaf.derived
        }

    def _all_slopes(self, base: Execution, events: list[dict[str, Any]]) -> dict[str, Any]:
        """What the version that is the measure for the other is asked for."""
        slopes = {"spans": self._slopes(base, "spans")}
        slopes["none"] = self._slopes(base, "none") if base.session.live_exits else slopes["spans"]
        slopes["all"] = self._slopes(base, "all", 1) if base.session.exits else slopes["spans"]
        if _off(slopes["spans"], events, base) > 1.0:
            return slopes  # no kinks, but a stop
        for policy in ("spans", "none") if base.session.live_exits else ("spans",):
            slopes[policy] = self._refined(slopes[policy], policy, base, events)
        return slopes

    def _refined(
        self, found: dict[str, Any], policy: str, base: Execution, events: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Many small kinks within a step pass for another slope; in a smaller step there are
        fewer."""
        for scale in FINER:
            off = _off(found, events, base)
            if off <= SLIGHT:
                return found
            finer = self._slopes(base, policy, scale=scale)
            if _off(finer, events, base) > off / 3:
                return found
            found = finer
        return found

    def _other_slopes(self, base: Execution) -> dict[str, Any]:
        """What the other version is asked for: one direction, and beside the whole what only the
        changed expressions let through. Other stops of the same lines may be meant."""
        slopes = {"all": self._slopes(base, "all", 1)}
        live = sum(base.session.live_exits.values())
        only = live == base.session.direct_exits
        if live and only and live < sum(base.session.exits.values()):
            slopes["spans"] = self._slopes(base, "spans", 1)
        return slopes

    def _slopes(
        self, base: Execution, live: str, count: int = DIRECTIONS, scale: float = 1.0
    ) -> dict[str, Any]:
        """For each direction the losses on either side of the base; `scale`: of the step."""
        pairs, diverged = [], None
        for number in range(count):
            sides = []
            for sign in (scale, -scale):
                run = self._run(
                    "shifted", live=live, direction=number, sign=sign, tape=base.session.tape
                )
                diverged = diverged or run.session.diverged
                sides.append([event.value for event in run.session.events])
            pairs.append(sides)
        return {"pairs": pairs, "diverged": diverged, "scale": scale}

    def _far(self) -> list[float]:
        """The losses at another point: two functions may be alike at the one that is given, and
        their slopes as well."""
        run = self._run("shifted", live="all", direction=0, sign=1.0, far=True)
        return [event.value for event in run.session.events] if run.raised is None else []

    def _event(self, event: Event) -> dict[str, Any]:
        data = told.event(event)
        data["slopes"] = [
            sum(
                float((grad * self._direction(index, number)).sum())
                for index, grad in event.gradients.items()
                if index in self.plan.scales
            )
            for number in range(DIRECTIONS)
        ]
        return data

    def _direction(self, index: int, number: int) -> torch.Tensor:
        key, _ = self.plan.scales[index]
        return self.plan.direction(index, tuple(key[0]), number)

    def _leaves(self, exact: Execution) -> list[dict[str, Any]]:
        names = told.names(exact)
        sizes = self.plan.scales
        held = told.held(exact)
        return [
            {
                **told.identity(leaf, names),
                "size": sizes[leaf.index][1] if leaf.index in sizes else 0.0,
                "derived": leaf.derived,
                "held": id(leaf.tensor) in held,
            }
            for leaf in exact.session.leaves
        ]


def _idle(exact: Execution) -> set[int]:
    """Leaves that get no gradient, and were frozen after something had used them; and where there
    are optimizers, those that none of them has. They are not trained: a stop there is meant."""
    held = told.held(exact)
    reached = {
        index
        for event in exact.session.events
        for index, grad in event.gradients.items()
        if bool(grad.any())
    }
    return {
        leaf.index
        for leaf in exact.session.leaves
        if leaf.index not in reached
        and (not leaf.tensor.requires_grad or (held and id(leaf.tensor) not in held))
    }


def _off(slopes: dict[str, Any], events: Sequence[dict[str, Any]], base: Execution) -> float:
    """How far the difference quotients are from the gradients, relative to the largest slope of
    each pass."""
    worst = 0.0
    for number, event in enumerate(events[: len(base.session.events)]):
        analytic = event["slopes"][: len(slopes["pairs"])]
        both = [
            (a, (up[number] - down[number]) / (2 * STEP * slopes["scale"]))
            for a, (up, down) in zip(analytic, slopes["pairs"])
            if number < min(len(up), len(down))
        ]
        size = max((abs(one) for two in both for one in two), default=0.0)
        worst = max([worst, *(abs(a - b) / size for a, b in both if size > 1e-9)])
    return worst


def _sizes(exact: Execution) -> list[float]:
    """Step sizes with which each leaf weighs about as much in a slope, within bounds."""
    norms = [0.0] * len(exact.session.leaves)
    for event in exact.session.events:
        for index, grad in event.gradients.items():
            norms[index] = max(norms[index], float(grad.norm()))
    largest = max(norms, default=0.0)
    return [min(max(largest / norm, 0.01), 100.0) if norm > 0 else 1.0 for norm in norms]
