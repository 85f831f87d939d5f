"""What there is to train: as many weights as before, each of its size, and some at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key, listed, name

_NEAR = 1e-4
_FILLED = 1e8
"""No weight begins larger than this, but in memory that nothing has filled yet."""


def signs(case: Case) -> Iterator[Sign]:
    if case.before.raised is None and case.after.raised is None:
        yield from _merged(case)
        yield from _resized(case)
        yield from _begun(case)
    bare = _bare(case)
    if bare:
        names = listed([name(leaf) for leaf in bare])
        text = (
            f"there was nothing to train before; {names} gets a gradient now, but neither "
            "`parameters()` nor an optimizer has it"
        )
        yield Sign(Weight.REST, "registration", text)


def registered(leaves: Sequence[Trace]) -> dict[tuple[object, ...], Trace]:
    """The leaves that `parameters()` lists."""
    return {key(leaf): leaf for leaf in leaves if leaf["listed"]}


def _merged(case: Case) -> Iterator[Sign]:
    """Weights that were trained apart, and are one now."""
    known = {key(leaf) for leaf in case.after.leaves}
    old, new = registered(case.before.leaves), registered(case.after.leaves)
    gone = [leaf for where, leaf in old.items() if leaf["gradient"] and where not in known]
    # The last part of a key counts the leaves of equal values.
    twins = [leaf for leaf in gone if leaf["key"][-1] and (*key(leaf)[:-1], 0) in new]
    if twins and len(new) < len(old):
        text = f"{listed([name(leaf) for leaf in twins])} was a weight of its own and is none now"
        yield Sign(Weight.LOSS, "registration", text)


def _resized(case: Case) -> Iterator[Sign]:
    """Weights of another shape than before, though the values stay."""
    old, new = _shapes(case.before.leaves), _shapes(case.after.leaves)
    for called in sorted(old.keys() & new.keys()):
        if len(old[called]) == len(new[called]) == 1 and old[called] != new[called]:
            shapes = (*old[called], *new[called])
            text = f"`{called}` was of shape {shapes[0]}, and is of shape {shapes[1]} now"
            yield Sign(Weight.LOSS, "registration", text)
            return


def _begun(case: Case) -> Iterator[Sign]:
    """Weights of modules that begin with other values than before."""
    old, new = _named(case.before.leaves), _named(case.after.leaves)
    known = {key(leaf) for leaf in case.before.leaves}
    for called in sorted(old.keys() & new.keys()):
        was, now = old[called], new[called]
        if len(was) > 1 or len(now) > 1 or now[0]["turn"] or was[0]["turn"]:
            continue
        (a, size), (b, other) = was[0]["start"], now[0]["start"]
        apart = max(abs(a - b), abs(size - other)) > _NEAR * max(size, other)
        apart = apart and max(size, other) < _FILLED
        if apart and key(now[0]) not in known and now[0]["gradient"]:
            text = f"`{called[0]}` began with a sum of {a:.6g}, and begins with {b:.6g} now"
            yield Sign(Weight.LOSS, "values", text)
            return


def _named(leaves: Sequence[Trace]) -> dict[tuple[str, tuple[int, ...]], list[Trace]]:
    """The weights of modules, by their own names and their shapes."""
    found: dict[tuple[str, tuple[int, ...]], list[Trace]] = {}
    for leaf in leaves:
        if _own(leaf) and leaf["module"]:
            found.setdefault((_own(leaf), tuple(leaf["key"][0])), []).append(leaf)
    return found


def _shapes(leaves: Sequence[Trace]) -> dict[str, set[tuple[int, ...]]]:
    """The shapes of the weights of modules, by their own names."""
    found: dict[str, set[tuple[int, ...]]] = {}
    for leaf in leaves:
        called = leaf["entry"].rpartition(".")[2] or _own(leaf)
        if called:
            found.setdefault(called, set()).add(tuple(leaf["key"][0]))
    return found


def _own(leaf: Trace) -> str:
    """What a weight is called in its module; nothing where it belongs to none."""
    called = leaf["name"] if leaf["listed"] or leaf["attribute"] else ""
    return str(called.rpartition(".")[2])


def _bare(case: Case) -> list[Trace]:
    """Weights that nothing lists or trains, where the original had none to give to an optimizer."""
    raised = case.before.raised
    if raised is None or "empty parameter list" not in raised["message"]:
        return []
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["parameter"]
        and leaf["gradient"]
        and leaf["module"]
        and not (leaf["listed"] or leaf["held"] or leaf["moved"])
    ]
