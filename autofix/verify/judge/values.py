"""Whether both versions compute the same, and what they raise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge import elsewhere, reductions
from autofix.verify.judge.case import Case, Side, Sign, Trace, Weight, key, name, told
from autofix.verify.judge.elsewhere import same_kind
from autofix.verify.judge.reductions import close
from autofix.verify.judge.slopes import differ, parted

SAME = 1e-6
"""Relative, in float64: a vectorised form rounds otherwise than a loop."""
HARDLY = 1e-4
"""What differs by less is no counter-example."""
SAME_SINGLE = 1e-3
"""Relative, in the precision of the program."""
ENVIRONMENT = (
    "ModuleNotFoundError ImportError FileNotFoundError PermissionError EOFError ConnectionError "
    "URLError HTTPError SystemExit ConnectionRefusedError gaierror BlockingIOError OSError"
).split()
"""Exceptions that speak of where a program runs, not of what it does."""
TWICE = ("a second time", "modified by an inplace operation")


REPAIRABLE = (
    "does not require grad",
    "a leaf Variable that requires grad",
    "a view of a leaf Variable",
    "modified by an inplace operation",
    "has been modified inplace",
    "cannot assign",
    "a second time",
    "implicitly created only for scalar",
    "can't optimize a non-leaf",
    "empty parameter list",
    "nly Tensors of floating point",
    "only floating point",
    "only one element tensors can be converted",
    "before Module.__init__",
    "has no attribute '_modules'",
    "has no attribute '_parameters'",
    "Can't call numpy()",
    "single memory location",
    "NoneType",
    "nference tensor",
    "not been used in the graph",
    "as parameter",
    "deepcopy",
    "'method' object",
    "is not callable",
    "is not iterable",
    "is not an iterator",
    "no attribute 'grad'",
    "requires_grad",
    "leaf variable",
    "is a view and is being modified inplace",
)
"""What autograd, modules and optimizers say to the bugs that a repair is about."""


def signs(case: Case, *, expected: bool, most: int | None = None) -> Iterator[Sign]:
    """`expected`: the repair is of a kind that changes later values; they are not compared.
    `most`: values compare up to so many backward passes."""
    yield from _unstable(case)
    yield from _exceptions(case)
    if not expected and not overlaps(case):
        yield from _moved(case, most)
        yield from _outputs(case)
        yield from elsewhere.signs(case, most)
    yield from reductions.signs(case)


def refused(error: Trace | None) -> bool:
    """Whether a function did not take the inputs that were made for it: no bug of its own."""
    return error is not None and not any(said in error["message"] for said in REPAIRABLE)


def overlaps(case: Case) -> bool:
    """Whether the original writes to elements that share memory: its values mean nothing."""
    raised = case.before.raised
    return raised is not None and "single memory location" in raised["message"]


def environment(error: Trace | None) -> bool:
    return error is not None and error["type"] in ENVIRONMENT


def crashed_twice(side: Side) -> bool:
    """Whether a backward pass went through a graph that was used up or overwritten."""
    return any(
        event["raised"] and any(t in event["raised"] for t in TWICE) for event in side.events
    )


def _unstable(case: Case) -> Iterator[Sign]:
    first, second = case.before.plain, case.before.again
    if first is None or second is None:
        return
    for a, b in zip(first["events"], second["events"], strict=False):
        if not close(a["value"], b["value"], SAME_SINGLE):
            text = (
                f"the original is not deterministic: the loss in line {a['line']} differs "
                "between two runs"
            )
            yield Sign(Weight.DOUBT, "determinism", text)
            return


def _exceptions(case: Case) -> Iterator[Sign]:
    old, new = case.before.raised, case.after.raised
    if new is None:
        return
    if old is None:
        if case.called and "NoneType" in new["message"]:
            text = f"the rewritten code raises {told(new)}: what it needs may be made elsewhere"
            yield Sign(Weight.DOUBT, "exception", text)
        elif case.before.plain is not None:
            yield Sign(
                Weight.LOSS,
                "exception",
                f"the rewritten code raises {told(new)}; the original does not",
            )
    elif case.called and refused(old):
        yield Sign(Weight.DOUBT, "exception", f"the original does not take the inputs: {told(old)}")
    elif environment(old) and old["type"] == new["type"]:
        yield Sign(Weight.DOUBT, "exception", f"both versions stop with {told(new)}")
    elif (old["type"], _core(old)) == (new["type"], _core(new)):
        yield Sign(Weight.REST, "exception", f"the rewritten code still raises {told(new)}")
    else:
        yield Sign(
            Weight.LOSS,
            "exception",
            f"the rewritten code raises {told(new)}; the original raised {told(old)}",
        )


def _core(error: Trace) -> str:
    """The message without numbers and addresses."""
    return "".join(char for char in str(error["message"])[:100] if not char.isdigit())


def _moved(case: Case, most: int | None) -> Iterator[Sign]:
    """Losses that differ: in float64 with no step taken, and before the first step as it stands."""
    for old, new in case.exact():
        for a, b in _pairs(old, new, most):
            if not same_kind(a, b) or close(a["value"], b["value"], SAME):
                continue
            if close(a["value"], b["value"], HARDLY):
                gap = abs(a["value"] - b["value"]) / max(abs(a["value"]), abs(b["value"]))
                text = f"the values differ by {gap:.0e} of their size: little, but not by rounding"
                yield Sign(Weight.DOUBT, "values", text)
            elif not case.reduced:
                yield _other_value(a, b, new["seed"])
            elif not reductions.reduces(a, b):
                yield Sign(Weight.DOUBT, "values", reductions.OTHER)
            elif not close(a["value"], b["value"], 1e-5) and reductions.hands_out(case):
                yield Sign(Weight.DOUBT, "values", reductions.SCALED)
            return
    retyped = _retyped(case)
    if retyped is not None:
        yield Sign(Weight.LOSS, "values", retyped)
    if case.before.events and case.after.events and not ends_inside(case):
        a, b = case.before.events[0], case.after.events[0]
        # A leaf that was made of Python numbers has the type that those brought along.
        computed = a["nodes"] > 1
        if computed and a["kind"] == b["kind"] == "backward" and a["dtype"] != b["dtype"]:
            text = f"the loss was a `{a['dtype']}` and is a `{b['dtype']}` now"
            yield Sign(Weight.LOSS, "values", text)
        # A gradient that becomes part of a loss is no pass of its own any more.
        apart = a["kind"] == b["kind"] and not close(a["value"], b["value"], SAME_SINGLE)
        if apart and not case.reduced:
            yield _other_value(a, b, 0)
            return
    yield from _after_a_step(case, most)


def _after_a_step(case: Case, most: int | None) -> Iterator[Sign]:
    """Where the original has new weights after a step, and the other version writes into those it
    has, the loss that follows is the same: no run in float64 compares it."""
    first = _renewal(case)
    if not first or (most is not None and first >= most):
        return
    if any(differ(*two, n) for two in case.exact() for n in range(first)):
        return
    known = [*zip(case.before.events, case.after.events, strict=False)][: first + 1]
    gaps = (n for n, (a, b) in enumerate(known) if not close(a["value"], b["value"], SAME_SINGLE))
    if next(gaps, -1) == first and same_kind(*known[first]) and not elsewhere.other_steps(case):
        yield _other_value(*known[first], 0)


def _renewal(case: Case) -> int | None:
    """After how many passes the original has a leaf that takes the place of one which a step has
    moved, as it is in the other version too."""
    known = {key(leaf) for leaf in case.after.leaves}
    turns = [leaf["turn"] for leaf in case.before.leaves if leaf["turn"] and key(leaf) not in known]
    if not turns:
        return None
    sides = (case.before.leaves, case.after.leaves)
    moved = [
        {key(leaf) for leaf in leaves if leaf["moved"] and not leaf["turn"]} for leaves in sides
    ]
    return min(turns) if moved[0] == moved[1] and moved[0] else None


def _retyped(case: Case) -> str | None:
    """What an optimizer did not take, and takes now with values of another type."""
    plain = case.before.plain
    was = {(tuple(one[0]), one[1]): one[2] for one in (plain["refused"] if plain else ())}
    for leaf in case.after.leaves:
        shape, digest, *_ = leaf["key"]
        old = was.get((tuple(shape), digest), leaf["dtype"])
        if leaf["held"] and old != leaf["dtype"]:
            return f"{name(leaf)} was `{old}` and is `{leaf['dtype']}` now"
    return None


def alike(case: Case) -> bool:
    """Whether the losses that can be compared are the same."""
    found = [two for old, new in case.exact() for two in _pairs(old, new, 1)]
    return all(same_kind(a, b) and close(a["value"], b["value"], SAME) for a, b in found)


def _pairs(old: Trace, new: Trace, most: int | None) -> Iterator[tuple[Trace, Trace]]:
    """Losses that the versions have in common. Beyond the first pass with another gradient a
    program that takes its steps by hand goes its own way."""
    if most is None:
        ends = (n + 1 for n in range(len(new["events"])) if differ(old, new, n))
        most = next(ends, len(new["base"]))
    else:
        most = _numbers(new["base"], most)
    apart = parted(old, new)
    most = most if apart is None else min(most, apart)
    yield from list(zip(old["base"], new["base"], strict=False))[:most]


def ends_inside(case: Case) -> bool:
    """Whether the gradient that has changed is one that a loss is computed with: that loss has
    another value than before, and there is none to compare it with."""
    return any(
        event["kind"] == "inner" and differ(old, new, number)
        for old, new in case.exact()
        for number, event in enumerate(new["events"][: _numbers(new["events"], 1)])
    )


def _numbers(events: Sequence[Trace], passes: int) -> int:
    """How many events come up to a backward pass, counted from 1."""
    ends = [number for number, event in enumerate(events, 1) if event["kind"] != "inner"]
    return ends[passes - 1] if passes <= len(ends) else len(events)


def worst(case: Case) -> float | None:
    """The largest relative difference of losses that were compared; None if there is none."""
    gaps = [
        abs(a["value"] - b["value"]) / max(abs(a["value"]), abs(b["value"]), 1e-300)
        for old, new in case.exact()
        for a, b in _pairs(old, new, None)
        if same_kind(a, b)
    ]
    return max(gaps, default=None)


def later(case: Case) -> Iterator[Sign]:
    """Losses as the program stands, also after steps: for an edit that claims to change nothing."""
    for a, b in zip(case.before.events, case.after.events, strict=False):
        if same_kind(a, b) and not close(a["value"], b["value"], SAME_SINGLE):
            yield _other_value(a, b, 0)
            return


def _other_value(a: Trace, b: Trace, seed: int) -> Sign:
    what = "the result" if b["kind"] == "returned" else f"the loss in line {b['line']}"
    text = f"{what} was {a['value']:.6g} and is now {b['value']:.6g} on the same input"
    return Sign(
        Weight.LOSS, "values", text, {"before": a["value"], "after": b["value"], "seed": seed}
    )


def _outputs(case: Case) -> Iterator[Sign]:
    """Shapes and types of what a called function returns."""
    old, new = case.before.plain, case.after.plain
    if not case.called or old is None or new is None or old["raised"] or new["raised"]:
        return
    if any(event["kind"] != "returned" for event in [*old["events"], *new["events"]]):
        return
    a, b = _forms(old["outputs"]), _forms(new["outputs"])
    apart = [(x, y) for x, y in zip(a, b, strict=False) if x != y and x != ((), "number")]
    if len(a) == len(b) and apart:
        first = apart[0]
        text = f"the result was {_form(first[0])} and is now {_form(first[1])}"
        yield Sign(Weight.LOSS, "values", text)


def _forms(outputs: Sequence[Sequence[object]]) -> list[tuple[object, object]]:
    """Shapes and types; a number may have become a tensor."""
    return [(tuple(one[0]), one[1]) for one in outputs]  # type: ignore[arg-type]


def _form(form: tuple[object, object]) -> str:
    return "a number" if form[1] == "number" else f"a `{form[1]}` tensor of shape {form[0]}"
