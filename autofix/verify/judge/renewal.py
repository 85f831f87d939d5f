"""Weights that a forward pass makes anew, or overwrites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name


def signs(case: Case) -> Iterator[Sign]:
    yield from _hidden(case)
    yield from _renewal(case)


def _hidden(case: Case) -> Iterator[Sign]:
    """Forward passes that overwrite weights, where they raised or did something else before."""
    assert case.after.plain is not None and case.before.plain is not None
    if case.after.plain["inner_writes"] and not case.before.plain["inner_writes"]:
        text = (
            "forward passes write into a weight now where autograd does not see it; if that is "
            "meant only its author knows"
        )
        yield Sign(Weight.DOUBT, "values", text)


def _renewal(case: Case) -> Iterator[Sign]:
    """Weights that each forward pass makes anew: no optimizer can train them."""
    before, after = _renewed(case.before.leaves), _renewed(case.after.leaves)
    if before and after:
        text = f"{listed([name(leaf) for leaf in after])} is still made anew by each forward pass"
        yield Sign(Weight.REST, "registration", text)
    elif after:
        text = f"{listed([name(leaf) for leaf in after])} is now made anew by each forward pass"
        yield Sign(Weight.LOSS, "registration", text)
    elif before and {*map(key, case.before.leaves)} & _listed(case.after.leaves):
        names = listed([name(leaf) for leaf in before])
        text = f"{names} was made anew by each forward pass, and is kept now"
        yield Sign(Weight.GAIN, "registration", text)


def renews(case: Case) -> bool:
    """Whether the original draws new weights in each pass, so that only the first compares."""
    return bool(_renewed(case.before.leaves))


def reordered(case: Case) -> bool:
    """Whether weights are drawn in another order, so that each has the values of another one."""
    if not renews(case):
        return False
    known = {name(leaf): key(leaf) for leaf in case.before.leaves if leaf["listed"]}
    now = {name(leaf): key(leaf) for leaf in case.after.leaves if leaf["listed"]}
    apart = [one for one in known.keys() & now.keys() if known[one] != now[one]]
    return any(known[one] in now.values() for one in apart)


def _renewed(leaves: Sequence[Trace]) -> list[Trace]:
    """Weights that a forward pass made although it was not the first."""
    return [leaf for leaf in leaves if leaf["turn"] and leaf["inside"]]


def _listed(leaves: Sequence[Trace]) -> set[tuple[object, ...]]:
    return {key(leaf) for leaf in leaves if leaf["listed"]}
