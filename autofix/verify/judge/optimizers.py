"""What optimizers have, and with what numbers they train it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name
from autofix.verify.judge.edit import touches
from autofix.verify.judge.reads import of


def signs(case: Case) -> Iterator[Sign]:
    """Parameters that no optimizer has, or another one than before."""
    assert case.before.plain is not None and case.after.plain is not None
    if case.after.plain["restarted"] > case.before.plain["restarted"]:
        text = (
            "a new optimizer goes on with weights that another one was training, whose running "
            "averages are lost; if that is meant only its author knows"
        )
        yield Sign(Weight.DOUBT, "optimizer", text)
    elif not _later(case) and _other_numbers(
        case.before.plain["made_with"], case.after.plain["made_with"]
    ):
        text = (
            "one more optimizer is made, with other numbers than the one before; if that is meant "
            "only its author knows"
        )
        yield Sign(Weight.DOUBT, "optimizer", text)
    yield from _options(case)
    yield from _settings(case.before.plain["settings"], case.after.plain["settings"])
    yield from _barren(case)
    yield from _other_start(case)
    old, new = case.before.plain["unheld"], case.after.plain["unheld"]
    quoted = [f"`{one}`" for one in new]
    if new and (case.before.raised is not None or not old):
        yield Sign(Weight.REST, "training", f"no optimizer has {listed(quoted)}")
    elif old and not new:
        gone = listed([f"`{one}`" for one in old])
        yield Sign(Weight.GAIN, "training", f"no optimizer had {gone} before, one has now")
    elif old and new and touches(case, "optim", "Optimizer"):
        yield Sign(Weight.REST, "training", f"no optimizer has {listed(quoted)}, as before")


def _later(case: Case) -> bool:
    """Whether the original ended before it came to make more optimizers, with which the change
    has nothing to do."""
    assert case.before.plain is not None and case.after.plain is not None
    known, made = len(case.before.plain["made_with"]), case.after.plain["made_changed"]
    return case.before.raised is not None and len(made) > known and not any(made[known:])


def _settings(old: Sequence[Sequence[Any]], new: Sequence[Sequence[Any]]) -> Iterator[Sign]:
    """Clipping and schedules with other numbers than before."""
    for called, numbers in new:
        known = [given for other, given in old if other == called]
        if known and numbers not in known:
            text = (
                f"`{called}` is given other numbers than before; which ones are meant only its "
                "author knows"
            )
            yield Sign(Weight.DOUBT, "optimizer", text)
            return


def _barren(case: Case) -> Iterator[Sign]:
    """What an optimizer has now and had not before, though it can get no gradient."""
    assert case.before.plain is not None and case.after.plain is not None
    refused = {of(one) for one in case.before.plain["refused"]}
    if refused & {of(one) for one in case.after.plain["barren"]}:
        text = "what the optimizer did not take requires no grad now, so it is not trained either"
        yield Sign(Weight.REST, "training", text)
        return
    known = {of(one) for one in case.before.plain["barren"]}
    if any(not one[2] and of(one) not in known for one in case.after.plain["barren"]):
        text = "an optimizer has a tensor that is no Parameter and requires no grad: it never moves"
        yield Sign(Weight.REST, "training", text)


def _other_start(case: Case) -> Iterator[Sign]:
    """What no optimizer took, and takes now, starts from other values."""
    assert case.before.plain is not None
    leaves = [leaf for leaf in case.after.leaves if leaf["held"]]
    held = {of(leaf["key"]) for leaf in leaves}
    rounded = {(of(leaf["key"])[0], leaf["single"], leaf["dtype"]) for leaf in leaves}
    shapes = {shape for shape, _ in held}
    for one in case.before.plain["refused"]:
        refused = of(one)
        # What was converted to the type that it has now was rounded before.
        same = refused in held or (refused[0], one[3], one[2]) in rounded
        if not same and refused[0] in shapes:
            text = (
                f"the optimizer was given a tensor of shape {refused[0]} with other values; which "
                "ones are meant only its author knows"
            )
            yield Sign(Weight.DOUBT, "optimizer", text)
            return


def _options(case: Case) -> Iterator[Sign]:
    """Weights that are trained with other numbers than before."""
    known = {key(leaf): leaf for leaf in case.before.leaves if leaf["options"]}
    for leaf in case.after.leaves:
        old = known.get(key(leaf), leaf)["options"]
        apart = [one for one, was in old.items() if leaf["options"].get(one, was) != was]
        if apart:
            one = apart[0]
            text = (
                f"`{one}` of {name(leaf)} was {old[one]:g} and is {leaf['options'][one]:g} now; if "
                "that is meant only its author knows"
            )
            yield Sign(Weight.DOUBT, "optimizer", text)
            return
    other = None if _later(case) else _new_numbers(case)
    if other is not None:
        text = (
            f"{name(other)} is trained now, with numbers that no weight had before; which ones "
            "are meant only its author knows"
        )
        yield Sign(Weight.DOUBT, "optimizer", text)


def _new_numbers(case: Case) -> Trace | None:
    """A weight that an optimizer of the original could have had, and that is trained now with
    other numbers than each of its optimizers has."""
    assert case.before.plain is not None
    groups = [group for made in case.before.plain["made_with"] for group in made]
    trained = {key(leaf) for leaf in case.before.leaves if leaf["options"]}
    for leaf in case.after.leaves:
        given = leaf["options"]
        other = groups and not any(_alike(given, group) for group in groups)
        if given and other and key(leaf) not in trained:
            return leaf
    return None


def _alike(one: Trace, other: Trace) -> bool:
    return all(other.get(name, value) == value for name, value in one.items())


def _other_numbers(old: Sequence[Sequence[Trace]], new: Sequence[Sequence[Trace]]) -> bool:
    """Whether the last of several optimizers has groups that the original's has not."""
    if not old or len(new) <= len(old):
        return False
    return any(group not in old[-1] for group in new[-1]) or any(
        group not in new[-1] for group in old[-1]
    )
