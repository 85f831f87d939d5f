"""Graphs that live too long: they reach ever further back, or are older than the weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from autofix.verify.judge.case import Case, Sign, Trace, Weight
from autofix.verify.judge.edit import neutral, releases, touches

_PASSES = 4
"""So many have to be seen to say what grows."""


def signs(case: Case) -> Iterator[Sign]:
    if case.after.plain is None or case.before.plain is None:
        return
    yield from _outputs(case)
    yield from _growth(case)
    yield from _held(case)


def _outputs(case: Case) -> Iterator[Sign]:
    """A function that trains returns values for the log: they need no graph."""
    old, new = case.before.plain, case.after.plain
    assert old is not None and new is not None
    if not case.called or not old["steps"] or len(old["outputs"]) != len(new["outputs"]):
        return
    held = any(one[3] for one in old["outputs"])
    if held and not any(one[3] for one in new["outputs"]):
        text = "what the function returns held the graphs of its steps, and is plain values now"
        yield Sign(Weight.GAIN, "release", text)


def _held(case: Case) -> Iterator[Sign]:
    """Graphs of earlier steps that something holds on to, though no backward pass goes there."""
    assert case.after.plain is not None
    new = case.after.plain["kept"]
    if given_back(case) and neutral(case):
        text = "the graphs of all steps were held on to before, and are given back now"
        yield Sign(Weight.GAIN, "release", text)
    elif _held_on(case) and len(new) >= _PASSES and _rising(new) > 0.6 and releases(case):
        yield Sign(Weight.REST, "growth", "the graphs of all steps are still held on to")


def given_back(case: Case) -> bool:
    """Whether there were ever more graphs before, and are no more than at first now."""
    assert case.after.plain is not None
    new = case.after.plain["kept"]
    return _held_on(case) and len(new) >= _PASSES and max(new) <= 1.2 * max(new[:2])


def _held_on(case: Case) -> bool:
    assert case.before.plain is not None
    old = case.before.plain["kept"]
    return len(old) >= _PASSES and _rising(old) >= 0.8


def _rising(sizes: Sequence[int]) -> float:
    """In what part of the steps it grows."""
    return sum(a < b for a, b in pairwise(sizes)) / (len(sizes) - 1)


def _growth(case: Case) -> Iterator[Sign]:
    """Graphs that reach ever further back, or that are older than the weights."""
    outdated = [
        sum(event["outdated"] for event in side.events) for side in (case.before, case.after)
    ]
    if outdated[1] > outdated[0] or (outdated[1] and touches(case, "retain_graph")):
        text = "a backward pass goes again through a graph, though a step has changed its weights"
        yield Sign(Weight.LOSS, "growth", text)
    elif outdated[0] and not outdated[1] and case.after.raised is None:
        text = (
            "backward passes went again through a graph of earlier weights before, and each has "
            "its own now"
        )
        yield Sign(Weight.GAIN, "growth", text)
    before, after = _grows(case.before.events), _grows(case.after.events)
    sizes = [event["nodes"] for event in case.after.events[:4]]
    if after and (not before or touches(case, "retain_graph")):
        text = (
            "each backward pass goes through all earlier ones: the graph grows from "
            f"{sizes[0]} to {sizes[-1]} nodes"
        )
        yield Sign(Weight.LOSS, "growth", text)
    elif before and not after and len(case.after.events) >= len(case.before.events):
        text = "the graph of each step grew with all earlier steps before, and stays small now"
        yield Sign(Weight.GAIN, "growth", text)


def _grows(events: Sequence[Trace]) -> bool:
    sizes = [event["nodes"] for event in events[:5]]
    return len(sizes) >= 3 and all(a < b for a, b in pairwise(sizes))
