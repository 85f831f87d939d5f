"""Whether what should be trained is registered, moves, and is moved by fresh gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autofix.verify.judge import optimizers, renewal, sizes, steps
from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name
from autofix.verify.judge.edit import touches
from autofix.verify.judge.sizes import registered


def signs(case: Case) -> Iterator[Sign]:
    if case.after.plain is None or case.before.plain is None:
        return
    yield from renewal.signs(case)
    yield from _returned(case)
    yield from _registration(case)
    yield from _kinds(case)
    yield from _movement(case)
    yield from steps.order(case)
    yield from optimizers.signs(case)


def _kinds(case: Case) -> Iterator[Sign]:
    """What has become a Parameter of some objects of a class only, or is none any more."""
    assert case.after.plain is not None and case.before.plain is not None
    old, new = case.before.plain["kinds"], case.after.plain["kinds"]
    trained = [leaf for leaf in case.before.leaves if leaf["listed"] and leaf["moved"]]
    names = {leaf["name"].rpartition(".")[2] for leaf in trained}
    for where in sorted(old.keys() & new.keys()):
        if old[where] == [True] and new[where] == [False] and where.rpartition(".")[2] in names:
            text = f"`{where}` was trained, and is a plain tensor now, that nothing trains"
            yield Sign(Weight.LOSS, "registration", text)
            return
        if len(old[where]) < len(new[where]):
            text = (
                f"`{where}` is a Parameter of one object now and a plain tensor of another; if "
                "that is meant only its author knows"
            )
            yield Sign(Weight.DOUBT, "half", text)
            return


def _registration(case: Case) -> Iterator[Sign]:
    """Weights that a module uses and does not list."""
    before, after = _unlisted(case.before.leaves), _unlisted(case.after.leaves)
    old, new = registered(case.before.leaves), registered(case.after.leaves)
    lost = [leaf for where, leaf in old.items() if where in after]
    yield from sizes.signs(case)
    if lost:
        text = (
            f"{listed([name(leaf) for leaf in lost])} was listed by `parameters()` and is no longer"
        )
        yield Sign(Weight.LOSS, "registration", text)
    stray = _stray(case)
    if stray:
        text = (
            f"{listed([name(leaf) for leaf in stray])} gets a gradient, but `parameters()` "
            "does not list it"
        )
        yield Sign(Weight.REST, "registration", text)
    adopted = [leaf for leaf in case.after.leaves if leaf["held"] and key(leaf) in before]
    adopted = [leaf for leaf in adopted if not leaf["listed"]]
    if adopted:
        text = (
            f"{listed([name(leaf) for leaf in adopted])} is trained now, but `parameters()` still "
            "does not list it"
        )
        yield Sign(Weight.DOUBT, "registration", text)
    rest = [leaf for where, leaf in after.items() if where in before]
    until = _end(case)
    gained = [
        leaf
        for where, leaf in new.items()
        if where not in old and leaf["gradient"] and leaf["turn"] <= until
    ]
    fewer = len(after) < len(before)
    if rest and (fewer or gained or touches(case, "self.", "nn.", "Module")) and before:
        text = (
            f"{len(rest)} of the {len(before)} weights that `parameters()` did not list are "
            "still missing"
        )
        yield Sign(Weight.REST, "registration", f"{text}: {listed([name(leaf) for leaf in rest])}")
    elif gained and (before or _new_leaves(case, gained)):
        text = f"`parameters()` now lists {listed([name(leaf) for leaf in gained])}"
        yield Sign(Weight.GAIN, "registration", text)


def _end(case: Case) -> float:
    """How far the original came, in backward passes: what is first used later is not new."""
    return math.inf if case.before.raised is None else len(case.before.events)


def _returned(case: Case) -> Iterator[Sign]:
    """The parameters of a module that the called function returns."""
    assert case.before.plain is not None and case.after.plain is not None
    first = {one[0]: one[3] for one in case.before.plain["returned"]}
    other = [
        f"`{one[0]}`" for one in case.after.plain["returned"] if first.get(one[0], one[3]) != one[3]
    ]
    if other and not case.before.plain["steps"]:
        yield Sign(Weight.LOSS, "values", f"{listed(other)} starts from other values")
    old = {(one[0], str(one[1]), str(one[2])) for one in case.before.plain["returned"]}
    new = {(one[0], str(one[1]), str(one[2])) for one in case.after.plain["returned"]}
    gained = sorted(f"`{one[0]}`" for one in new - old if one[2] == "True")
    lost = sorted(f"`{one[0]}`" for one in old - new if one[2] == "True")
    if lost and not gained:
        yield Sign(
            Weight.LOSS,
            "registration",
            f"{listed(lost)} is no longer among the parameters to train",
        )
    elif gained and old and not lost:
        yield Sign(
            Weight.GAIN, "registration", f"{listed(gained)} is now among the parameters to train"
        )


def _unlisted(leaves: Sequence[Trace]) -> dict[tuple[object, ...], Trace]:
    return {
        key(leaf): leaf
        for leaf in leaves
        if (leaf["parameter"] or leaf["attribute"])
        and leaf["gradient"]
        and leaf["module"]
        and not (leaf["listed"] or leaf["held"])
    }


def _stray(case: Case) -> list[Trace]:
    """Tensors of a module that the change made into leaves, and nothing will train."""
    known = {key(leaf) for leaf in case.before.leaves}
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["gradient"]
        and leaf["module"]
        and not (leaf["listed"] or leaf["held"] or leaf["moved"])
        and key(leaf) not in known
        and leaf["attribute"]
    ]


def _new_leaves(case: Case, gained: list[Trace]) -> bool:
    known = {key(leaf) for leaf in case.before.leaves}
    return any(key(leaf) not in known for leaf in gained)


def _movement(case: Case) -> Iterator[Sign]:
    """Leaves that get a gradient: do they move?"""
    before = {key(leaf): leaf for leaf in case.before.leaves}
    moving, stuck = [], []
    for leaf in case.after.leaves:
        old = before.get(key(leaf))
        if leaf["moved"] and not (old is not None and old["moved"]):
            moving.append(leaf)
        left = old is not None and old["moved"] and not leaf["moved"] and not leaf["stepped"]
        if left and leaf["parameter"] and (leaf["gradient"] or (old or leaf)["held"]):
            stuck.append(leaf)
    if _forbidden(case) and not any(leaf["moved"] for leaf in case.after.leaves):
        text = "autograd forbade the write into a weight, and now no weight changes at all"
        yield Sign(Weight.REST, "training", text)
        return
    ended = case.before.raised is None and case.after.raised is None
    if stuck and ended:
        verbs = ("was", "moves") if len(stuck) == 1 else ("were", "move")
        names = listed([name(leaf) for leaf in stuck])
        text = f"{names} {verbs[0]} trained before and no longer {verbs[1]}"
        yield Sign(Weight.LOSS, "training", text)
    elif not moving and ended and _idle(case):
        text = (
            f"{listed([name(leaf) for leaf in _idle(case)])} gets a gradient and still never moves"
        )
        yield Sign(Weight.REST, "training", text)
    elif moving and ended and _beside(case, moving):
        text = (
            f"{listed([name(leaf) for leaf in _beside(case, moving)])} gets a gradient and still "
            f"never moves, other than {listed([name(leaf) for leaf in moving])}"
        )
        yield Sign(Weight.REST, "training", text)
    elif moving and ended and _left_out(case):
        text = (
            f"{listed([name(leaf) for leaf in _left_out(case)])} gets a gradient, and its "
            "optimizer still never takes a step"
        )
        yield Sign(Weight.REST, "training", text)
    elif moving and ended:
        verb = "is" if len(moving) == 1 else "are"
        text = (
            f"{listed([name(leaf) for leaf in moving])} did not move before and {verb} trained now"
        )
        yield Sign(Weight.GAIN, "training", text)
        left = _forgotten(case, moving)
        if left:
            text = f"{listed([name(leaf) for leaf in left])} {_reason(left[0])} as well, and still"
            yield Sign(Weight.REST, "training", f"{text} never moves")


def _beside(case: Case, moving: Sequence[Trace]) -> list[Trace]:
    """Weights of the same layers that do not move, neither before nor after."""
    owners = {leaf["name"].rpartition(".")[0] for leaf in moving} - {"", "self"}
    stuck = {key(leaf) for leaf in case.before.leaves if leaf["gradient"] and not leaf["moved"]}
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["listed"]
        and leaf["gradient"]
        and not (leaf["moved"] or leaf["held"])
        and key(leaf) in stuck
        and leaf["name"].rpartition(".")[0] in owners
    ]


def _forgotten(case: Case, moving: Sequence[Trace]) -> list[Trace]:
    """Weights that no optimizer has for the reason for which it had none of those that are trained
    now."""
    reasons = {key(leaf): _reason(leaf) for leaf in case.before.leaves if not leaf["moved"]}
    mended = {reasons.get(key(leaf)) for leaf in moving} - {None}
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["gradient"]
        and not leaf["moved"]
        and _reason(leaf) in mended
        and reasons.get(key(leaf)) == _reason(leaf)
    ]


def _reason(leaf: Trace) -> str | None:
    """Why no optimizer has what it seems to be made for."""
    if leaf["held"]:
        return None
    if leaf["late"]:
        return "is younger than the optimizer"
    return "is listed nowhere" if leaf["parameter"] and not leaf["listed"] else None


def _left_out(case: Case) -> list[Trace]:
    """Weights of an optimizer that takes no step though another one does now."""
    if "step" not in case.new:
        return []
    never = {key(leaf) for leaf in case.before.leaves if not leaf["stepped"]}
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["held"] and leaf["gradient"] and not leaf["stepped"] and key(leaf) in never
    ]


def _forbidden(case: Case) -> bool:
    """Whether the original trains by writing into its leaves, which autograd forbids."""
    raised = case.before.raised
    if raised is None or case.after.raised is not None or "leaf Variable" not in raised["message"]:
        return False
    passes = [event for event in case.before.events if event["kind"] == "backward"]
    return bool(passes) and not case.called


def _idle(case: Case) -> list[Trace]:
    """Weights that get gradients and are moved by no step, before and after."""
    assert case.after.plain is not None
    if not case.after.plain["steps"] or not touches(case, "optim", "step", "Parameter", "nn."):
        return []
    stuck = {key(leaf) for leaf in case.before.leaves if leaf["gradient"] and not leaf["moved"]}
    return [
        leaf
        for leaf in case.after.leaves
        if key(leaf) in stuck and leaf["parameter"] and not (leaf["moved"] or leaf["held"])
    ]
