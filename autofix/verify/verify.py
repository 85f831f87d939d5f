"""Run both versions of a program in every way that reaches the changes, and judge them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autofix.model import Verdict, Verification
from autofix.source import parse
from autofix.verify import hints
from autofix.verify.drives import Drive, drives
from autofix.verify.forgotten import with_forgotten
from autofix.verify.jobs import (
    FOUND,
    SEEDS,
    Job,
    Recipes,
    Subject,
    executions,
    healing,
    side,
    subject,
    varied,
    wanted,
)
from autofix.verify.judge.case import Case, Side
from autofix.verify.judge.values import refused
from autofix.verify.judge.verdict import NOTHING, judge
from autofix.verify.names import unbound
from autofix.verify.outcome import Judged, Outcome, Settings
from autofix.verify.pair import Pair
from autofix.verify.spans import trials
from autofix.verify.texts import changed, gone_functions, other_texts
from autofix.verify.zygote import Zygote

NOTHING_TO_CONFIRM = "nothing to confirm: both versions are the same program"


@dataclass(frozen=True, slots=True)
class Tried:
    """One way of running both versions, and what came of it."""

    drive: Drive
    verification: Verification
    reached: frozenset[int]


def verify(pair: Pair, settings: Settings, zygote: Zygote) -> Outcome:
    """Judge an edit, whoever made it."""
    if pair.same:
        return Outcome(Verification(Verdict.INCONCLUSIVE, NOTHING_TO_CONFIRM))
    missing = unbound(pair.before.text, pair.after.text)
    if missing:
        name, line = missing[0]
        reason = f"line {line} uses the name `{name}`, which nothing binds"
        return _same_for_all(pair, Verification(Verdict.REFUTED, reason))
    tried: list[Tried] = []
    for one in _tries(pair, zygote):
        tried.append(one)
        if _settled(pair, tried):
            break
    found = _outcome(pair, tried, zygote)
    return with_forgotten(found, pair.before.text, pair.after.text)


def _tries(pair: Pair, zygote: Zygote) -> Iterator[Tried]:
    """Run the drives one by one; a call is made only for what the drives before did not settle."""
    trial = trials(pair.before.text, pair.after.text, pair.changes)
    wide = replace(trial[1], regions=(*trial[1].regions, *pair.blocks))
    before = subject(pair.before, trial[0], pair.changes, after=False)
    after = subject(pair.after, wide, pair.changes, after=True)
    texts = "\n".join(changed(pair, 0)), "\n".join(changed(pair, 1))
    gone = "\n".join(gone_functions(*texts, parse(pair.before.text)))
    data = other_texts(parse(pair.before.text), parse(pair.after.text))
    host = pair.after.host if pair.before.host else ""
    for drive in drives(parse(pair.after.text), pair.changes, host):
        case = _run(drive, before, after, pair, zygote)
        case = replace(case, old=texts[0], new=texts[1], gone=gone, alone=pair.alone, data=data)
        found = judge(case)
        yield Tried(drive, found, frozenset(case.hits()))


def _run(drive: Drive, before: Subject, after: Subject, pair: Pair, zygote: Zygote) -> Case:
    """Both versions by one drive. A function is called with inputs that the rewritten version
    takes; where the original does not, with inputs of its own."""
    if not drive.called:
        new = _rewritten(drive, after, (None,), zygote)
        return _both(drive, before, new, pair, (None,), zygote)
    case = None
    failed: str | None = None
    for number, one in enumerate((after, before)):
        recipes, new, failed_now = _searched(drive, one, zygote)
        failed = failed or failed_now
        if recipes:
            chosen = varied(recipes)
            new = _rewritten(drive, after, chosen, zygote) if number else new
            case = _both(drive, before, new, pair, chosen, zygote)
            if not refused(case.before.raised):
                return case
    if case is not None:
        return case
    empty = side((), failed)
    return Case(empty, empty, pair.changes, "", "", called=True)


def _rewritten(drive: Drive, after: Subject, recipes: Recipes, zygote: Zygote) -> Side:
    """The runs of the rewritten version: its leaves are the measure for the original."""
    asked = [one for seed in SEEDS for one in executions(seed, recipes)]
    ran = zygote.run(after.job(drive.target, asked, hosted=drive.host))
    return _without_odd(side(ran.results, ran.failure))


def _both(
    drive: Drive, before: Subject, new: Side, pair: Pair, recipes: Recipes, zygote: Zygote
) -> Case:
    """The original, run as the rewritten version was."""
    apart = any(word in before.version.text for word in ("expand", "broadcast_to"))
    asked = [
        one
        for exact in new.exact
        for one in executions(exact["seed"], recipes, wanted(exact), plain=2, apart=apart)
    ]
    # Where the rewritten version got no further, the original is still run as it stands.
    asked = asked or executions(SEEDS[0], recipes, [], plain=2)[:2]
    ran = zygote.run(before.job(drive.target, asked, hosted=drive.host))
    old, meant = side(ran.results, ran.failure), None
    if old.plain and new.plain:
        meant = healing(old.plain, recipes[0])
    if meant is not None:
        ran = zygote.run(before.job(drive.target, [meant], hosted=drive.host))
        old = replace(old, healed=next(iter(ran.results), None))
    return Case(old, new, pair.changes, "", "", called=drive.called)


def _without_odd(found: Side) -> Side:
    """Without the seeds at which the program fails though it runs at another."""
    good = tuple(one for one in found.exact if one["raised"] is None)
    return replace(found, exact=good) if good else found


def _searched(drive: Drive, one: Subject, zygote: Zygote) -> tuple[Sequence[Job], Side, str | None]:
    """Inputs that a version of the function takes, or why there are none, and its runs with them:
    all in one process."""
    asked = hints.for_function(parse(one.version.text), drive.target)
    runs = [run for seed in SEEDS for run in executions(seed, FOUND)]
    # The search has the time of a job to itself.
    ran = zygote.run(one.job(drive.target, runs, hints=asked), 2 * zygote.seconds)
    first, *rest = ran.results or ({"recipes": (), "failed": None},)
    recipes = first["recipes"]
    if recipes:
        return recipes, _without_odd(side(rest, ran.failure)), None
    reason = ran.failure or f"no inputs could be made for `{drive.target}`"
    if first["failed"] is not None:
        reason = f"no inputs could be made for `{drive.target}`: {first['failed']}"
    return (), side((), reason), reason


# The whole ------------------------------------------------------------------------------------


def _settled(pair: Pair, tried: Sequence[Tried]) -> bool:
    if any(one.verification.verdict is Verdict.REFUTED for one in tried):
        return True
    return not (_needed(pair) - _confirmed(pair, tried))


def _needed(pair: Pair) -> set[int]:
    """The changes that have to be exercised."""
    return {number for number, change in enumerate(pair.changes) if not change.imports}


def _confirmed(pair: Pair, tried: Sequence[Tried]) -> set[int]:
    """The changes that a confirming run went through. A statement that was taken out is seen by
    what else has changed in its function."""
    reached = {
        number
        for one in tried
        if one.verification.verdict is Verdict.CONFIRMED
        for number in one.reached
    }
    units = {pair.changes[number].unit for number in reached}
    gone = {
        number
        for number, change in enumerate(pair.changes)
        if change.after[1] < change.after[0] and change.unit in units
    }
    return reached | gone


def _outcome(pair: Pair, tried: Sequence[Tried], zygote: Zygote) -> Outcome:
    if not tried:
        reason = "nothing in the file runs the changed lines"
        return _same_for_all(pair, Verification(Verdict.INCONCLUSIVE, reason))
    best = _stopped(tried) or _best(tried)
    whole = _with_evidence(best, tried, zygote)
    missed = sorted(_needed(pair) - _confirmed(pair, tried))
    if whole.verdict is Verdict.CONFIRMED and missed:
        line = pair.changes[missed[0]].after[0]
        reason = f"the change in line {line} was not run; of the others: {whole.reason}"
        whole = replace(whole, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return Outcome(
        whole, tuple(_judged(pair, number, tried, whole) for number in range(len(pair.changes)))
    )


def _best(tried: Sequence[Tried]) -> Tried:
    """The drive that says most: a counter-example, then a confirmation, then the fullest reason."""

    def rank(one: Tried) -> tuple[int, int, bool]:
        verdict = one.verification.verdict
        order = {Verdict.REFUTED: 0, Verdict.CONFIRMED: 1}.get(verdict, 2)
        return order, -len(one.reached), one.verification.reason == NOTHING

    return min(tried, key=rank)


_SEEN = frozenset("stop surrogate passes freezing optimizer values follow veiled half".split())
"""Doubts about what was seen, not about whether it could be seen."""


def _stopped(tried: Sequence[Tried]) -> Tried | None:
    """A run of the program that leaves a doubt about what the change does weighs more than a call
    with made inputs that does not show it. Where all that speaks for a change is that it tidies
    up, so does a drive that sees it stop a gradient, or write to what is shared."""
    best = _best(tried)
    if best.verification.verdict is not Verdict.CONFIRMED:
        return None
    if _kinds(best, "gain") == {"equivalent"}:
        seen = {"gradient", "stop", "aliasing"}
        return next((one for one in tried if _kinds(one, "doubt") & seen), None)
    whole = [one for one in tried if not one.drive.called and best.reached <= one.reached]
    if best.drive.called:
        # By chance what a caller makes of a result may have the right gradient.
        whole += [one for one in tried if one.drive.called and _moves(one)]
    return next((one for one in whole if _objects(one)), None)


def _moves(one: Tried) -> bool:
    """Whether the change moves a stop: some gradient is other than before, and not right."""
    signs = one.verification.evidence.get("signs", ())
    return any(sign["kind"] == "stop" and sign.get("changed") for sign in signs)


def _objects(one: Tried) -> bool:
    """Whether its verdict rests on a doubt about what was seen."""
    if one.verification.verdict is not Verdict.INCONCLUSIVE:
        return False
    return any(
        sign["weight"] == "doubt"
        and sign["kind"] in _SEEN
        and sign["text"] == one.verification.reason
        for sign in one.verification.evidence.get("signs", ())
    )


def _kinds(one: Tried, weight: str) -> set[str]:
    signs = one.verification.evidence.get("signs", ())
    return {sign["kind"] for sign in signs if sign["weight"] == weight}


def _with_evidence(best: Tried, tried: Sequence[Tried], zygote: Zygote) -> Verification:
    whole = (one.verification.evidence for one in tried if not one.drive.called)
    evidence = {
        "inputs": str(best.drive),
        **best.verification.evidence,
        "follows": next((found.get("follows") for found in whole), None),
        "tried": [
            {
                "drive": str(one.drive),
                "verdict": one.verification.verdict.value,
                "reason": one.verification.reason,
            }
            for one in tried
        ],
        "torch": zygote.torch,
        "isolation": list(zygote.layers),
    }
    return replace(best.verification, evidence=evidence)


def _judged(pair: Pair, number: int, tried: Sequence[Tried], whole: Verification) -> Judged:
    """The verdict on one change: of the best drive that reached it."""
    change = pair.changes[number]
    if change.imports:
        return Judged(change, replace(whole, evidence={}))
    reaching = [one for one in tried if number in one.reached]
    if not reaching:
        return Judged(
            change, Verification(Verdict.INCONCLUSIVE, "the changed lines were never run")
        )
    best = _best(reaching)
    evidence = {"inputs": str(best.drive), **best.verification.evidence}
    return Judged(change, replace(best.verification, evidence=evidence))


def _same_for_all(pair: Pair, verification: Verification) -> Outcome:
    return Outcome(verification, tuple(Judged(change, verification) for change in pair.changes))
