"""What each step uses: gradients of the passes since the last one, and all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from autofix.verify.judge.case import Case, Side, Sign, Trace, Weight, key
from autofix.verify.judge.edit import neutral, touches


def _trains(events: Sequence[Trace]) -> bool:
    """Whether the program calls a backward pass itself."""
    return any(event["kind"] == "backward" for event in events)


def _sum(leaves: Sequence[Trace], field: str) -> int:
    return sum(leaf[field] for leaf in leaves)


def order(case: Case) -> Iterator[Sign]:
    """What each step uses: gradients of the passes since the last step, and all of them."""
    old, new = case.before.plain, case.after.plain
    assert old is not None and new is not None
    still = _trains(new["events"]) and any(new["optimizers"]) and not new["steps"]
    if still and not new["raised"] and ".step" in case.new:
        yield Sign(Weight.REST, "training", "no optimizer takes a step")
    if new["doubled"] and not (old["doubled"] or case.called):
        which = f"{new['doubled']} of {new['steps']} optimizer steps"
        yield Sign(Weight.LOSS, "training", f"{which} use the gradients of the step before again")
    if old["raised"] and not new["raised"]:
        yield from _steps(case, new)
    if old["raised"] or new["raised"]:
        return
    stale = _sum(old["leaves"], "stale"), _sum(new["leaves"], "stale")
    lost = _sum(old["leaves"], "lost"), _sum(new["leaves"], "lost")
    idle = _idle(old), _idle(new)
    yield from _beside(old, new)
    # What is thrown away then is what added up before.
    fresh = bool(stale[0]) and not stale[1]
    if stale[1] > stale[0]:
        text = "a backward pass now adds to gradients that a step has used already"
        yield Sign(Weight.LOSS, "training", text)
    elif idle[1] > idle[0] and new["steps"] >= old["steps"]:
        text = f"{idle[1]} of {new['steps']} optimizer steps now find no gradient"
        yield Sign(Weight.LOSS, "training", text)
    elif (
        lost[1] - _arrived(case) > lost[0]
        and old["steps"]
        and _trains(case.before.events)
        and not fresh
    ):
        yield Sign(Weight.LOSS, "training", "gradients are now thrown away before a step uses them")
    elif fresh:
        text = "each step added the gradients of earlier steps before, and uses fresh ones now"
        yield Sign(Weight.GAIN, "training", text)
    elif idle[0] and old["idle_steps"] >= old["steps"] and new["idle_steps"] >= new["steps"] > 0:
        how = "" if idle[1] else " other than one of zeros"
        text = f"{new['steps']} of {new['steps']} optimizer steps still find no gradient{how}"
        # An optimizer that was made up for a call need not be that of the weights.
        yield Sign(Weight.DOUBT if case.called else Weight.REST, "training", text)
    elif lost[0] and not lost[1] and not idle[0]:
        text = "gradients were thrown away before a step used them, and none are now"
        yield Sign(Weight.GAIN, "training", text)
    elif idle[0] > idle[1] or (lost[0] and not lost[1]):
        text = (
            f"{idle[0]} of {old['steps']} optimizer steps found no gradient before, {idle[1]} now"
        )
        yield Sign(Weight.GAIN, "training", text)
    elif idle[0] and idle[1]:
        text = f"{idle[1]} of {new['steps']} optimizer steps still find no gradient"
        yield Sign(Weight.REST, "training", text)
    elif stale[0] and stale[1] and touches(case, "zero_grad", ".grad"):
        text = "each step still adds the gradients of earlier steps"
        yield Sign(Weight.REST, "training", text)
    elif new["steps"] > old["steps"] and neutral(case):
        text = f"an optimizer took {old['steps']} steps before, and takes {new['steps']} now"
        yield Sign(Weight.GAIN, "training", text)


def _beside(old: Trace, new: Trace) -> Iterator[Sign]:
    """What goes with the steps: all gradients are used, clipping finds some, and schedulers turn
    the numbers of the optimizer that is in use."""
    if new["torn"] > old["torn"]:
        text = (
            f"the gradients of {new['torn']} backward passes are thrown away, though a step uses "
            "those of others of the same line"
        )
        yield Sign(Weight.REST, "training", text)
    clips, idle = new["clips"]
    if clips and clips == idle:
        before = old["clips"]
        how = "still" if before[0] == before[1] else "now"
        yield Sign(Weight.REST, "training", f"gradients are clipped when there are {how} none")
    if new["late_clips"] and not old["late_clips"]:
        text = "gradients are clipped after the step that uses them, so it steps as without that"
        yield Sign(Weight.REST, "training", text)
    if new["adrift"] > old["adrift"]:
        text = "a scheduler is left with an optimizer that another one has taken the place of"
        yield Sign(Weight.LOSS, "training", text)


def _idle(plain: Trace) -> int:
    """How many steps find no gradient, other than one of zeros."""
    return int(plain["idle_steps"] - plain["flat_steps"])


def _arrived(case: Case) -> int:
    """How many gradients come to a leaf that came there in no such pass before, and are thrown
    away: what trains one part of a program goes through another."""
    old, new = ({key(leaf): leaf for leaf in side.leaves} for side in (case.before, case.after))
    passes = [_passes(side) for side in (case.before, case.after)]
    return sum(
        min(max(leaf["lost"] - old[where]["lost"], 0), max(passes[1][where] - passes[0][where], 0))
        for where, leaf in new.items()
        if where in old
    )


def _passes(side: Side) -> Counter[tuple[object, ...]]:
    """How many backward passes have reached each leaf."""
    leaves = side.leaves
    return Counter(
        key(leaves[at]) for event in side.events for at in event["reached"] if at < len(leaves)
    )


def _steps(case: Case, new: Trace) -> Iterator[Sign]:
    """The same where the original has no steps to compare with."""
    idle = _idle(new)
    if idle:
        # An optimizer that was made up for a call need not be that of the weights.
        foreign = case.called and idle == new["steps"]
        text = f"{idle} of {new['steps']} optimizer steps find no gradient"
        yield Sign(Weight.DOUBT if foreign else Weight.REST, "training", text)
    if _sum(new["leaves"], "stale"):
        text = "each step adds the gradients of earlier steps"
        yield Sign(Weight.REST, "training", text)
