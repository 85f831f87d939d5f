"""Gradients that a program reads by itself, and tensors that it means to be leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from autofix.verify.judge.case import Case, Sign, Trace, Weight, key

Of = tuple[tuple[int, ...], str]
"""A tensor by its shape and its values."""


@dataclass(frozen=True, slots=True)
class _Gained:
    """A read that found nothing, and what became of it."""

    before: Trace
    after: Trace | None
    """The first read that has found something."""

    @property
    def mended(self) -> bool:
        return self.after is not None


def signs(case: Case) -> Iterator[Sign]:
    yield from _lost(case)
    gains = [*_gains(case)]
    missing = [one for one in gains if not one.mended]
    found = [one for one in gains if one.mended]
    other = next(_others(case, found), None)
    if other is not None:
        yield other
    elif missing and (found or "retain_grad" in case.new or _stumbled(case)):
        line = missing[0].before["line"]
        text = (
            f"`.grad` is still None where line {line} reads it: the tensor is no leaf and does "
            "not keep its gradient"
        )
        if found:
            text = f"of {len(gains)} gradients that are read, {len(missing)} are still None"
        yield Sign(Weight.REST, "read", text)
    elif found:
        line = found[0].before["line"]
        text = f"`.grad` was None where line {line} reads it, and is the gradient now"
        yield Sign(Weight.GAIN, "read", text)


def _stumbled(case: Case) -> bool:
    """Whether the original raised because of what was not there."""
    return case.before.raised is not None and "NoneType" in case.before.raised["message"]


def _others(case: Case, found: Sequence[_Gained]) -> Iterator[Sign]:
    """Gradients that are read now, and are not those of the tensors that were asked."""
    again = case.before.again
    told = again["caught"] if again is not None else ()
    caught = {of(one): gradients for one, gradients in told}
    trained = {of(leaf["key"]) for leaf in case.after.leaves if leaf["moved"] or leaf["held"]}
    for one in found:
        wanted, read = caught.get(of(one.before["of"])), one.after
        if wanted is None or read is None or any(_alike(one, read["sums"]) for one in wanted):
            continue
        where = f"`.grad` in line {read['line']}"
        if of(read["of"]) == of(one.before["of"]):
            text = (
                f"{where} is not the derivative of the loss: it lacks a part, or has one too many"
            )
            yield Sign(Weight.REST, "read", text)
        elif of(read["of"]) not in trained:
            text = (
                f"{where} is the gradient of another tensor than the one that was asked for it; "
                "which one is meant only its author knows"
            )
            yield Sign(Weight.DOUBT, "read", text)


def _alike(wanted: Sequence[float], found: Sequence[float]) -> bool:
    size = max(wanted[0], found[0])
    return all(abs(a - b) <= 1e-3 * size for a, b in zip(wanted, found, strict=True))


def _lost(case: Case) -> Iterator[Sign]:
    """A gradient that was read, and used, and is None now."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or case.after.raised is not None:
        return
    had = {of(read["of"]) for read in old["reads"] if read["found"] and read["used"]}
    has = {of(read["of"]) for read in new["reads"] if read["found"]}
    for read in new["reads"]:
        if missing(read) and of(read["of"]) in had - has:
            text = f"`.grad` was a gradient where line {read['line']} reads it, and is None now"
            yield Sign(Weight.LOSS, "read", text)
            return


def mended(case: Case) -> bool:
    """Whether a gradient is there now that was missed when it was read."""
    return any(one.mended for one in _gains(case))


def same_tensors(case: Case) -> bool:
    """Whether each gradient that was missed is now read of the tensor that was asked for it."""
    return all(
        one.after is not None and of(one.after["of"]) == of(one.before["of"])
        for one in _gains(case)
    )


def comparable(case: Case) -> int | None:
    """How many backward passes were over before a read that finds something else: what follows is
    computed from it. None: there is no such read."""
    return min((one.before["turn"] for one in _gains(case) if one.mended), default=None)


def _gains(case: Case) -> Iterator[_Gained]:
    """The reads of tensors that did not keep their gradient, as far as the rewritten version
    reads that of the same tensor, or that of a leaf which the tensor had taken the place of."""
    old, new = case.before.plain, case.after.plain
    if old is None or new is None or case.after.raised is not None:
        return
    leaves = {of(leaf["key"]) for leaf in case.before.leaves}
    first = {of(read["of"]): read for read in reversed(old["reads"]) if missing(read)}
    for tensor, read in first.items():
        same = [one for one in new["reads"] if of(one["of"]) == tensor]
        # What resets a gradient behind a step reads that of the pass before.
        same = [one for one in same if one["turn"] >= read["turn"]] or same
        if same:
            found = next((one for one in same if one["found"]), None)
            if found or any(one["deaf"] or one["leaf"] for one in same) or len(first) == 1:
                yield _Gained(read, found)
        else:
            other = next((one for one in new["reads"] if _instead(one, tensor, leaves)), None)
            if other is not None:
                yield _Gained(read, other)


def missing(read: Trace) -> bool:
    """Whether a gradient was asked for in vain, of a tensor that does not keep it."""
    return bool(read["deaf"] and not read["found"] and read["turn"])


def _instead(read: Trace, tensor: Of, leaves: set[Of]) -> bool:
    """Whether a gradient of a leaf that was there before is read, and used, for another one's."""
    own = of(read["of"])
    return bool(
        read["found"] and read["used"] and read["leaf"] and own in leaves and own[0] == tensor[0]
    )


def of(given: Sequence[Any]) -> Of:
    """A tensor by the beginning of a leaf's key, or as a read has it."""
    shape, digest, *_ = given
    return tuple(shape), str(digest)


def chosen(case: Case, old: Trace, new: Trace) -> list[Trace]:
    """Leaves that start behind a stop, and are meant to: the original gives the same tensor to an
    optimizer, or reads its gradient, though it is none; and nothing that is trained has lost its
    gradient by that."""
    refused = {of(one) for one in old["refused"]}
    missed = {of(read["of"]) for read in old["reads"] if missing(read)}
    missed &= {of(read["of"]) for read in new["reads"] if read["found"]}
    found = [
        leaf
        for leaf in new["leaves"]
        if leaf["derived"]
        and (of(leaf["key"]) in missed or (leaf["held"] and of(leaf["key"]) in refused))
    ]
    return [] if found and robbed(case) else found


def robbed(case: Case) -> bool:
    """Whether a weight had a gradient and has none now."""
    now = {key(leaf) for leaf in case.after.leaves if leaf["gradient"]}
    return any(
        leaf["gradient"]
        and (leaf["held"] or leaf["listed"] or leaf["parameter"])
        and key(leaf) not in now
        for leaf in case.before.leaves
    )
