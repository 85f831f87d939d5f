"""All signs together: confirmed, refuted or inconclusive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autofix.model import Verdict, Verification
from autofix.verify.judge import (
    crash,
    dtypes,
    edit,
    elsewhere,
    faint,
    following,
    freezing,
    gradient,
    growth,
    handed,
    healed,
    reads,
    renewal,
    rounding,
    settled,
    statements,
    tidied,
    training,
    values,
    veiled,
)
from autofix.verify.judge.case import Case, Sign, Trace, Weight, listed, name, told
from autofix.verify.judge.caught import with_caught
from autofix.verify.judge.gradient import Look
from autofix.verify.judge.slopes import Fit

_WHOLE = frozenset("gradient crash result equivalent registration read freezing".split())
"""Where values were compared all the way: what follows a changed step cannot be."""
_APART = frozenset("aliasing result freezing growth release crash".split())
"""What a repair changes the values by that follow, and what looks for values by itself."""
NOTHING = "nothing to confirm: both versions behave the same"
STOPPED = "the changed lines were not reached: the program stops with "


def judge(case: Case) -> Verification:
    """The verdict on one way of running both versions."""
    failed = case.after.failure or case.before.failure
    if case.after.plain is None or case.before.plain is None:
        return Verification(Verdict.INCONCLUSIVE, _unrun(case, failed))
    if not case.hits():
        return Verification(Verdict.INCONCLUSIVE, _unreached(case))
    case = with_caught(case)
    looks = [*gradient.looks(case)]
    signs = _signs(case, looks)
    evidence = _evidence(case, looks, signs)
    verdict, reason = _weigh(case, signs, failed)
    if verdict is Verdict.CONFIRMED:
        reason = "; ".join([reason, *_supports(case, looks, signs)])
    return Verification(verdict, reason, evidence)


def _signs(case: Case, looks: list[Look]) -> list[Sign]:
    if freezing.applies(case):
        return [*values.signs(case, expected=False), *freezing.signs(case, looks)]
    used = statements.used_result(case)
    signs = [*statements.signs(case)]
    separate = any(sign.kind == "aliasing" and sign.weight is Weight.GAIN for sign in signs)
    expected = used is not None or separate
    compared = [*values.signs(case, expected=expected, most=_comparable(case))]
    apart = any(sign.kind == "values" and sign.weight is Weight.LOSS for sign in compared)
    choice = _choice(case) if apart else None
    if choice is not None:
        return [*values.signs(case, expected=True), Sign(Weight.DOUBT, "values", choice)]
    signs += compared
    signs += handed.signs(case) if not expected else []
    signs += dtypes.signs(case)
    signs += rounding.signs(case)
    signs += crash.signs(case, looks)
    signs += gradient.signs(case, looks)
    signs += faint.signs(case)
    signs += [one for one in training.signs(case) if not (separate and _begins(one))]
    signs += growth.signs(case)
    signs += settled.signs(case, signs)
    signs += reads.signs(case)
    signs += healed.signs(case, signs)
    signs += veiled.signs(case)
    if used is not None:
        signs.insert(0, used)
    gains = any(sign.weight is Weight.GAIN for sign in signs)
    if edit.rearranged(case) and not gains:
        signs = [*filter(_of_gradients, signs)]
    signs += _frozen(case, signs)
    if not any(sign.weight in (Weight.GAIN, Weight.LOSS) for sign in signs):
        equivalent = tidied.cleaned_up(case)
        if equivalent is not None and not any(sign.kind == "dead" for sign in signs):
            moved = [*values.later(case)]
            signs = [*map(_doubtful, signs), *(moved or [equivalent])]
    return signs


def _begins(sign: Sign) -> bool:
    """Whether it says that a weight begins with other values: what was written to by the way."""
    return sign.kind == "values" and sign.weight is Weight.LOSS


def _of_gradients(sign: Sign) -> bool:
    """Whether a sign counts for a change that calls what was called before: a clean-up leaves
    each gradient as it was."""
    other = sign.kind == "stop" and bool(sign.evidence.get("changed"))
    return other or sign.weight is Weight.LOSS or sign.kind == "determinism"


def _frozen(case: Case, signs: Sequence[Sign]) -> list[Sign]:
    """Doubts about a change of what is trained, beside what it repairs."""
    if not any(sign.weight is Weight.GAIN for sign in signs):
        return []
    said = []
    if edit.starts_freezing(case):
        said.append("the change keeps something from being trained")
    if edit.unfreezes(case):
        said.append("what was frozen is trained now; if that is meant only its author knows")
    elif _thawed(case):
        names = listed([name(leaf) for leaf in _thawed(case)])
        said.append(
            f"{names} was frozen, and is trained now; if that is meant only its author knows"
        )
    return [Sign(Weight.DOUBT, "freezing", text) for text in said]


def _thawed(case: Case) -> list[Trace]:
    """Parameters that were not to be trained, and that an optimizer trains now."""
    about = edit.touches(case, "requires_grad", "freeze")
    was, now = (
        Counter(
            reads.of(one)
            for one in (side.plain or {"frozen": ()})["frozen"]
            # What an optimizer has though it is frozen may have been frozen by mistake.
            if not (about and one[2])
        )
        for side in (case.before, case.after)
    )
    return [
        leaf
        for leaf in case.after.leaves
        if leaf["gradient"] and leaf["held"] and reads.of(leaf["key"]) in was - now
    ]


def _comparable(case: Case) -> int | None:
    """How many backward passes compare; None: as many as there are."""
    return 1 if renewal.renews(case) else reads.comparable(case)


def _choice(case: Case) -> str | None:
    """Why values that differ may be what the author wants."""
    if statements.shares(case):
        return (
            "the original writes to one memory through two names; if that is meant only its "
            "author knows"
        )
    if renewal.reordered(case):
        return "weights are drawn in another order, so their values do not compare"
    if edit.was_discrete(case) or elsewhere.flat(case):
        return (
            "the original's loss jumps, and another one stands in its place; which one is meant "
            "only its author knows"
        )
    return None


def _doubtful(sign: Sign) -> Sign:
    """A stop that stays as it was may be meant: a clean-up says nothing of it."""
    return replace(sign, weight=Weight.DOUBT) if sign.weight is Weight.REST else sign


def _weigh(case: Case, signs: Sequence[Sign], failed: str | None) -> tuple[Verdict, str]:
    def of(weight: Weight) -> list[Sign]:
        return [sign for sign in signs if sign.weight is weight]

    gains, losses, rests, doubts = map(of, (Weight.GAIN, Weight.LOSS, Weight.REST, Weight.DOUBT))
    if gains:
        copied = any(sign.kind == "aliasing" for sign in gains)
        doubts = [
            sign for sign in doubts if sign.kind != "kink" and not (copied and sign.kind == "stop")
        ]
    unstable = [sign for sign in doubts if sign.kind == "determinism"]
    if unstable:
        return Verdict.INCONCLUSIVE, unstable[0].text
    if losses or rests:
        return Verdict.REFUTED, (losses or rests)[0].text
    if doubts:
        return Verdict.INCONCLUSIVE, doubts[0].text
    if failed is not None:
        return Verdict.INCONCLUSIVE, failed
    begun = any(event["raised"] is None for event in case.before.events[:1])
    kinds = {sign.kind for sign in gains}
    stepped = ("crash" in kinds and begun) or ("training" in kinds and "gradient" not in kinds)
    if stepped and not edit.neutral(case) and statements.otherwise(case):
        said = f"{gains[0].text}, but the changed lines compute other values"
        return Verdict.REFUTED if statements.single(case) else Verdict.INCONCLUSIVE, said
    if stepped and edit.new_numbers(case) and [*case.raising(case.before, 0)]:
        said = f"{gains[0].text}, but what the changed lines compute was never seen before"
        return Verdict.INCONCLUSIVE, said
    if values.ends_inside(case) and not edit.neutral(case):
        said = "the loss is computed with a gradient that has changed, so its values do not compare"
        return Verdict.INCONCLUSIVE, said
    if gains and not kinds & _APART and values.worst(case) is None and not edit.neutral(case):
        return Verdict.INCONCLUSIVE, f"{gains[0].text}, but no value could be compared"
    if gains and not kinds & _WHOLE and _unseen(case) and not edit.same_numbers(case):
        return Verdict.INCONCLUSIVE, f"{gains[0].text}, but the change computes something else too"
    if gains:
        return Verdict.CONFIRMED, gains[0].text
    other = statements.keeps_other(case)
    if other is not None:
        return Verdict.REFUTED, f"`{other}` is given other values than before, and repairs nothing"
    return Verdict.INCONCLUSIVE, NOTHING


def _unseen(case: Case) -> bool:
    """Whether steps do something that is not compared: those by hand, and those without a loss."""
    by_hand = any(leaf["moved"] and not leaf["stepped"] for leaf in case.after.leaves)
    return by_hand or values.worst(case) is None


def _same(case: Case) -> bool:
    """Whether values were compared, and found to be the same."""
    worst = values.worst(case)
    return worst is not None and worst <= values.HARDLY


def _supports(case: Case, looks: list[Look], signs: Sequence[Sign]) -> list[str]:
    said = []
    # What is used or copied now changes the values that follow: they were not compared.
    apart = any(sign.kind in ("result", "aliasing") for sign in signs)
    worst = values.worst(case)
    if not apart and worst is None:
        alone = ", and the change leaves the arithmetic alone" if edit.neutral(case) else ""
        said.append(f"there was no value to compare{alone}")
    elif not apart and worst is not None and _same(case):
        count, alike = len(case.before.exact), f"equal to {worst:.0e}" if worst else "identical"
        said.append(f"forward values {alike} on {count} input{'s' * (count != 1)}")
    old, new = case.before.plain, case.after.plain
    if old is not None and new is not None and old["written"] > new["written"]:
        said.append("an argument is no longer written to")
    errors = [look.worst.error for look in looks if look.worst and look.after is Fit.YES]
    if errors:
        worst = max(errors)
        said.append(f"finite differences agree {f'to {worst:.0e}' if worst else 'exactly'}")
    return said


def _evidence(case: Case, looks: list[Look], signs: Sequence[Sign]) -> dict[str, Any]:
    return {
        **_measured(case, looks),
        "signs": [
            {"weight": sign.weight.value, "kind": sign.kind, "text": sign.text, **sign.evidence}
            for sign in signs
        ],
        "changes_reached": sorted(case.hits()),
        "compared": case.before.raised is None or _same(case),
        "follows": following.apart(case.before.plain, case.after.plain),
        "robbed": reads.robbed(case),
        "with_gradient": sum(bool(leaf["gradient"]) for leaf in case.after.leaves),
    }


def _measured(case: Case, seen: list[Look]) -> dict[str, object]:
    """The numbers behind a verdict."""
    errors = [look.worst.error for look in seen if look.worst is not None and look.after is Fit.YES]
    return {
        "backward_passes": len(seen),
        "directions": 3,
        "worst_error": max(errors, default=None),
        "seeds": sorted({new["seed"] for _, new in case.exact()}),
    }


def _unrun(case: Case, failed: str | None) -> str:
    if failed is None:
        return "the code could not be run"
    which = "rewritten" if case.before.plain is not None else "original"
    return f"the {which} code {failed}" if not failed.startswith("no ") else failed


def _unreached(case: Case) -> str:
    raised = case.after.raised or case.before.raised
    if raised is not None:
        return f"{STOPPED}{told(raised)}"
    return "the changed lines were never run"
