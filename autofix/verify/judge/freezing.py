"""Parameters that a program means to freeze, and does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autofix.verify.judge import edit
from autofix.verify.judge.case import Case, Side, Sign, Trace, Weight, key, listed, name
from autofix.verify.judge.gradient import Look
from autofix.verify.judge.reads import of
from autofix.verify.judge.slopes import Fit


def applies(case: Case) -> bool:
    """Whether the change is about a `requires_grad` of False that had no effect."""
    return (edit.freezes(case) or bool(_meant(case))) and not edit.rearranged(case)


def signs(case: Case, looks: Sequence[Look]) -> Iterator[Sign]:
    """No gradient for those that were to be frozen, the same for all others."""
    # Differences move also what is frozen by then.
    begun = min((one["turn"] for one in _meant(case) if one["turn"]), default=len(looks))
    if any(look.after is Fit.NO for look in looks if look.number < begun):
        yield Sign(Weight.DOUBT, "gradient", "the other gradients are not right either")
        return
    stopped = [*_stopped(case)]
    if _meant(case):
        yield from _exactly(case, stopped)
    elif not stopped:
        yield from _flags(case) or [_nothing()]
    else:
        yield _gain(case, [name(leaf) for leaf in stopped])


def _stopped(case: Case) -> Iterator[Trace]:
    """What a backward pass reached before, and does not now."""
    lost = {
        where
        for old, new in zip(_reached(case.before), _reached(case.after), strict=False)
        for where in old - new
    }
    return (leaf for leaf in case.before.leaves if key(leaf) in lost)


def _reached(side: Side) -> Iterator[set[tuple[object, ...]]]:
    """The leaves that got a gradient, pass by pass."""
    for event in side.events:
        if event["kind"] != "inner":
            yield {key(side.leaves[at]) for at in event["reached"] if at < len(side.leaves)}


def _meant(case: Case) -> Sequence[Trace]:
    plain = case.before.plain
    return [] if plain is None else plain["meant"]


def _exactly(case: Case, stopped: Sequence[Trace]) -> Iterator[Sign]:
    """What the original's own statement names is frozen, no less and no more."""
    meant = _meant(case)
    wanted = {of(one["of"]): one["turn"] for one in meant}
    before = [leaf for leaf in case.before.leaves if leaf["gradient"]]
    if not any(of(leaf["key"]) in wanted for leaf in before):
        yield from _by_name(case)
        return
    passes = enumerate(_reached(case.after))
    now = {at for number, found in passes for at in found if number >= wanted.get(of(at), 0)}
    again = {of(one["of"]) for one in meant if one["last"]}
    now = {at for at in now if of(at) not in again}
    now |= {key(leaf) for leaf in before if of(leaf["key"]) in again} - {*map(key, stopped)}
    rest = [leaf for leaf in before if of(leaf["key"]) in wanted and key(leaf) in now]
    others = [leaf for leaf in stopped if of(leaf["key"]) not in wanted]
    unlike = _unlike(case)
    if rest:
        text = f"{listed([name(leaf) for leaf in rest])} is still trained"
        yield Sign(Weight.REST, "freezing", text)
    elif others:
        text = f"{listed([name(leaf) for leaf in others])} is frozen as well"
        yield Sign(Weight.LOSS, "freezing", text)
    elif unlike:
        yield Sign(Weight.LOSS, "freezing", f"{listed(unlike)} stays frozen afterwards")
    else:
        yield _gain(case, [name(leaf) for leaf in stopped])


def _by_name(case: Case) -> Iterator[Sign]:
    """Where nothing was trained: by what the modules say themselves."""
    before, after = case.before.plain, case.after.plain
    assert before is not None and after is not None
    meant = {one["name"] for one in _meant(case) if not one["last"]} - {""}
    changed = {*before["trainable"]} - {*after["trainable"]}
    if not meant:
        yield Sign(Weight.DOUBT, "freezing", "what was to be frozen is trained nowhere")
    elif not changed:
        yield _nothing()
    elif changed != meant & {*before["trainable"]}:
        names = listed([f"`{one}`" for one in sorted(changed ^ meant)])
        yield Sign(Weight.REST, "freezing", f"{names} is not what it was to be")
    else:
        yield _gain(case, [f"`{one}`" for one in before["trainable"] if one in changed])


def _unlike(case: Case) -> list[str]:
    """Parameters that are frozen in the end though the original meant to train them again."""
    before, after = case.before.plain, case.after.plain
    assert before is not None and after is not None
    again = {one["name"] for one in _meant(case) if one["last"]}
    return [
        f"`{one}`" for one in before["trainable"] if one in again and one not in after["trainable"]
    ]


def _flags(case: Case) -> list[Sign]:
    before, after = case.before.plain, case.after.plain
    assert before is not None and after is not None
    flags = [one for one in before["trainable"] if one not in after["trainable"]]
    if not flags or not after["trainable"]:
        return []
    names = listed([f"`{one}`" for one in flags])
    return [Sign(Weight.GAIN, "freezing", f"{names} is frozen now; all others stay trainable")]


def _nothing() -> Sign:
    text = "nothing is frozen: every parameter still gets its gradient"
    return Sign(Weight.REST, "freezing", text)


def _gain(case: Case, names: Sequence[str]) -> Sign:
    if not any(leaf["gradient"] for leaf in case.after.leaves) and case.after.leaves:
        return Sign(Weight.DOUBT, "freezing", "nothing gets a gradient any more")
    text = f"{listed(names)} is frozen now; all others have their gradient"
    return Sign(Weight.GAIN, "freezing", text)
