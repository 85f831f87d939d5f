"""Whether the gradient is the derivative of the values, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.verify.judge import made
from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name
from autofix.verify.judge.edit import discrete
from autofix.verify.judge.reads import chosen, robbed
from autofix.verify.judge.slopes import Fit, Slope, differ, fit, slopes
from autofix.verify.judge.values import crashed_twice


@dataclass(frozen=True, slots=True)
class Look:
    """One backward pass of one seed, in both versions."""

    number: int
    event: Trace
    after: Fit
    """The gradient of the rewritten code against its finite differences."""
    held: Fit
    """The same with the stops in the changed lines held as well."""
    before: Fit
    """The gradient of the original against the same differences."""
    changed: bool | None
    """None: the original has no gradient to compare with."""
    worst: Slope | None
    chosen: bool = False
    """A leaf of the rewritten version starts behind a stop, and is meant to."""


def looks(case: Case) -> Iterator[Look]:
    for old, new in case.exact():
        for number, event in enumerate(new["events"]):
            if event["raised"] is not None:
                return
            found = [*slopes(new, new, "spans", number)]
            if not _consistent(new, number):
                continue
            yield Look(
                number,
                event,
                fit(found),
                fit([*slopes(new, new, "none", number)]),
                fit([*slopes(old, new, "spans", number)]),
                differ(old, new, number) if number < len(old["events"]) else None,
                max(found, key=lambda slope: slope.error, default=None),
                bool(chosen(case, old, new)),
            )


def _consistent(trace: Trace, number: int) -> bool:
    """Whether the forward pass does without real gradients; else differences say nothing."""
    if number >= len(trace["base"]):
        return False
    a, b = trace["events"][number]["value"], trace["base"][number]["value"]
    return bool(a == b or abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 1e-12)


def signs(case: Case, seen: list[Look]) -> Iterator[Sign]:
    wrong = [look for look in seen if look.after is Fit.NO]
    if wrong and all(look.chosen and look.held is Fit.YES for look in wrong):
        text = "what is to be a leaf is one now, and its gradient is the derivative of the loss"
        yield Sign(Weight.GAIN, "gradient", text)
        return
    if wrong:
        hides = [sign for sign in made.signs(case) if sign.weight is Weight.REST]
        yield from hides or _wrong(case, wrong)
        return
    right = [look for look in seen if look.after is Fit.YES]
    gained = [look for look in right if look.changed or (look.changed is None and _starts(case))]
    if gained:
        yield Sign(Weight.GAIN, "gradient", _counts(case))
    elif seen and not right:
        text = "the loss has a kink at each point that was tried, so its slope says nothing"
        yield Sign(Weight.DOUBT, "stop" if _stops_more(case) else "kink", text)
    yield from _dead(case)
    yield from made.signs(case)
    yield from _untrained(case)


def _untrained(case: Case) -> Iterator[Sign]:
    """A stop is gone that kept the gradient from nothing but what is not trained anyway."""
    for old, new in case.exact():
        had, has = _reached(old), _reached(new)
        idle = {key(leaf): leaf for leaf in new["leaves"] if key(leaf) in has and not leaf["held"]}
        if len(idle) == len(has):
            continue  # there is no optimizer, or it is not the one that trains them
        for line, behind in _kept(old):
            if all(one in idle for one in behind) and any(one not in had for one in behind):
                text = (
                    f"line {line} kept the gradient from {listed([name(idle[a]) for a in behind])} "
                    "alone, which no optimizer has, and does so no longer; if that is meant only "
                    "its author knows"
                )
                yield Sign(Weight.DOUBT, "stop", text)
                return


def _reached(exact: Trace) -> set[tuple[object, ...]]:
    """The leaves that a backward pass gives something to."""
    leaves = exact["leaves"]
    passes = (event for event in exact["events"] if event["kind"] != "inner")
    return {key(leaves[at]) for event in passes for at in event["reached"]}


def _stops_more(case: Case) -> bool:
    """Whether the changed lines hold stops; new ones, where the original had only overwritten what
    its backward pass needs."""
    raised = case.before.raised
    old, new = _live(case, after=False), _live(case, after=True)
    overwritten = raised is not None and "modified by an inplace" in raised["message"]
    return bool(new - old) if overwritten else raised is None and sum(new.values()) > 0


def _starts(case: Case) -> bool:
    """The original had no such backward pass, and did not end early by chance."""
    return case.before.raised is not None or not case.before.events


_LITTLE = 0.01
"""The part of a slope that a kink near the point may account for; chosen, not derived: right
repairs were seen to be off by 0.001 and 0.002 of it."""


def _wrong(case: Case, wrong: list[Look]) -> Iterator[Sign]:
    """Some gradient is not the derivative of its loss."""
    for look in wrong:
        worst = look.worst
        assert worst is not None
        near, by_graph = worst.numeric, worst.analytic
        slope = f"its slope is {near:.4g} by finite differences and {by_graph:.4g} by autograd"
        evidence: dict[str, object] = {
            "finite_difference": near,
            "autograd": by_graph,
            "changed": any(look.changed is not False for look in wrong),
        }
        where = _where(look)
        if look.held is Fit.YES and _truncates(case, look):
            continue
        if look.before is Fit.YES and look.held is Fit.YES and _surrogate(case):
            yield Sign(Weight.DOUBT, "surrogate", _SURROGATE, evidence)
        elif look.before is Fit.YES:
            text = f"the gradient of {where} was right and is wrong now: {slope}"
            yield Sign(Weight.LOSS, "gradient", text, evidence)
        elif look.held is Fit.YES and (_kept_stops(case) or _lets_some(case)):
            text = f"the changed lines stop the gradient of {where}, as they did before: {slope}"
            yield Sign(Weight.DOUBT, "stop", text, evidence)
        elif look.held is Fit.YES:
            text = f"the changed lines still stop the gradient of {where}: {slope}"
            yield Sign(Weight.REST, "gradient", text, evidence)
        elif look.changed is not False and not _opaque(case):
            text = f"the gradient of {where} is not the derivative of its values: {slope}"
            hardly = abs(near - by_graph) <= _LITTLE * max(abs(near), abs(by_graph))
            yield Sign(Weight.DOUBT if hardly else Weight.REST, "gradient", text, evidence)
        else:
            yield from _own(case, wrong, where, evidence)
        return
    yield Sign(
        Weight.GAIN, "gradient", "each backward pass ends where the changed lines cut the graph"
    )


_SURROGATE = (
    "what changes in jumps has another gradient now than its own, which is zero; which one is "
    "meant only its author knows"
)


def _surrogate(case: Case) -> bool:
    """Whether no gradient was lost, and one was added, or another one given, to what the values
    change with in jumps only: a stop lets some other gradient through."""
    before = {key(leaf) for leaf in case.before.leaves if leaf["gradient"]}
    after = {key(leaf) for leaf in case.after.leaves if leaf["gradient"]}
    return before < after or (before == after and discrete(case.new))


def _own(case: Case, wrong: list[Look], where: str, evidence: dict[str, object]) -> Iterator[Sign]:
    """A gradient that the program defines by itself is to be what it was, as far as the original
    came before it raised."""
    raised = [number for number, event in enumerate(case.before.events) if event["raised"]]
    known = [look.changed for look in wrong if look.number < min(raised, default=0)]
    if any(known):
        text = "the gradients of the passes before the crash have changed too"
        yield Sign(Weight.DOUBT, "passes", text, evidence)
    elif not (_opaque(case) and (known or _untouched(case))):
        text = f"the gradient of {where} differs from finite differences in both versions"
        yield Sign(Weight.DOUBT, "gradient", text, evidence)


def _untouched(case: Case) -> bool:
    """Whether the original came to no pass at all, and what defines a gradient by itself now stands
    outside of the changed lines, that stop nothing."""
    free = not any(said.split("`")[1] in case.new for said in _opaque(case))
    return free and not case.before.events and not _live(case, after=True)


def _where(look: Look) -> str:
    returned = look.event["kind"] == "returned"
    return "the result" if returned else f"the loss in line {look.event['line']}"


def _opaque(case: Case) -> list[str]:
    return [said for _, new in case.exact() for said in new["opaque"]]


def _kept_stops(case: Case) -> bool:
    """Whether every stop that the changed lines hold is one that they held before, as often: of
    two stops of a kind both were in the way."""
    old, new = _live(case, after=False), _live(case, after=True)
    return bool(new) and all(0 < old[called] <= count for called, count in new.items())


def _lets_some(case: Case) -> bool:
    """Whether all that is stopped now was stopped in the same line as something that is free: the
    program decides what goes there, so it may be meant."""
    for old, new in case.exact():
        reached, stopped = _reached(new), {one for _, kept in _kept(new) for one in kept}
        by_line: dict[int, set[tuple[object, ...]]] = {}
        for line, kept in _kept(old):
            by_line.setdefault(line, set()).update(kept)
        shared = [kept & stopped for kept in by_line.values() if kept & reached - stopped]
        if not stopped or stopped - set().union(*shared):
            return False
    return True


def _kept(exact: Trace) -> Iterator[tuple[int, set[tuple[object, ...]]]]:
    """The changed lines that stop a gradient, each with the leaves that it keeps it from."""
    for line, kept in exact["stops"]:
        yield line, {(tuple(shape), *rest) for shape, *rest in kept}


def _live(case: Case, *, after: bool) -> Counter[str]:
    """How often each kind of stop was met in the changed lines."""
    found: Counter[str] = Counter()
    for old, new in case.exact():
        for _, called, count in (new if after else old)["live"]:
            found[called] += count
    return found


def _truncates(case: Case, look: Look) -> bool:
    """A stop was put in because a graph had been used up: the passes before the crash were right,
    or it keeps one loss from what another loss trains."""
    if not crashed_twice(case.before) or robbed(case):
        return False
    plain = case.before.plain
    assert plain is not None
    whole = not all(event["raised"] for event in case.before.events[plain["begun"] or 0 :][:1])
    if look.number:
        return whole
    later = [event["reached"] for event in case.after.events[1:]]
    first = set(case.after.events[0]["reached"]) if case.after.events else set()
    return whole and any(set(reached) - first for reached in later)


def _dead(case: Case) -> Iterator[Sign]:
    """Nothing gained, and what is to be trained still gets nothing."""
    if case.after.raised is not None or case.after.plain is None:
        return
    flowing = {key(leaf) for leaf in case.after.leaves if leaf["gradient"]}
    before = {key(leaf) for leaf in case.before.leaves if leaf["gradient"]}
    if flowing - before:
        return
    dead = [leaf for leaf in case.after.leaves if leaf["held"] and not leaf["gradient"]]
    if not dead or not case.after.events:
        return
    sloped = any(
        abs(up[number] - down[number]) > 1e-12
        for _, new in case.exact()
        for up, down in new["slopes"]["all"]["pairs"]
        for number in range(min(len(up), len(down)))
    )
    unreached = not any(event["reached"] for event in case.after.events)
    if sloped and unreached:
        text = f"{listed([name(leaf) for leaf in dead])} still gets no gradient{_stops(case)}"
        yield Sign(Weight.REST, "dead", text)


def _stops(case: Case) -> str:
    """Where the values leave the graph in the rewritten code."""
    plain = case.after.plain
    exits = plain["exits"] if plain is not None else []
    if not exits:
        return ""
    line, called, _ = exits[0]
    shown = ".data" if called.startswith("data.") else called.strip("_")
    return f"; the graph is cut by `{shown}` in line {line}"


def _counts(case: Case) -> str:
    leaves = [
        leaf for leaf in case.after.leaves if leaf["gradient"] or leaf["held"] or leaf["listed"]
    ]
    keys = {key(leaf) for leaf in leaves}
    now = sum(leaf["gradient"] for leaf in leaves)
    then = sum(leaf["gradient"] for leaf in case.before.leaves if key(leaf) in keys)
    if then < now:
        count = len(leaves)
        return f"{then} of {count} parameters had a gradient before, {now} of {count} after"
    return "the gradient was not the derivative of the loss, and is now"
