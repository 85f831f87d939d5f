"""What the study of the verifier has found, as text."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WRONG = ("cut moved", "cut in other words", "other number", "cut put in")


@dataclass(frozen=True, slots=True)
class Subject:
    """A function of a package."""

    package: str
    module: str
    path: str
    root: str
    target: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One pair of texts, and what the verifier said."""

    kind: str
    what: str
    verdict: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """All pairs of one function; `skipped` says why there are none."""

    subject: Subject
    asked: tuple[Asked, ...] = ()
    skipped: str | None = None


def report(title: str, found: Sequence[Found]) -> None:
    asked = [one for each in found for one in each.asked]
    good = sum(bool(each.asked) for each in found)
    print(f"\n{title}: {good} functions, {len(asked)} pairs")
    skipped = Counter(_short(each.skipped) for each in found if each.skipped)
    print(f"  passed over: {', '.join(f'{n} {why}' for why, n in skipped.most_common(4))}")
    for kind in ("right", *WRONG, "one of two"):
        verdicts = Counter(one.verdict for one in asked if one.kind == kind)
        shown = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        print(f"  {kind:<20}{sum(verdicts.values()):>5}: {shown}")
    right = [one.verdict for one in asked if one.kind == "right"]
    wrong = [one.verdict for one in asked if one.kind in WRONG]
    _share("right ones that are told, accepted", [one for one in right if one != "inconclusive"])
    _share("wrong ones accepted", wrong)
    reasons = Counter(
        _short(one.reason) for one in asked if one.verdict == "inconclusive" and one.kind == "right"
    )
    for reason, count in reasons.most_common(6):
        print(f"    {count:>4} right ones inconclusive: {reason}")
    for each in found:
        for one in each.asked:
            if (one.kind == "right" and one.verdict in ("refuted", "crashed")) or (
                one.kind in WRONG and one.verdict == "confirmed"
            ):
                what = " ".join(one.what.split())
                print(f"    {one.verdict}, {one.kind}: {each.subject.module}:{each.subject.target}")
                print(f"      {what[:150]}")
                print(f"      {one.reason[:200]}", flush=True)
    if asked:
        _times(asked)


def _short(reason: str | None) -> str:
    return str(reason).partition(":")[0][:80]


def _share(what: str, verdicts: Sequence[str]) -> None:
    count, part = len(verdicts), verdicts.count("confirmed")
    print(f"  {what}: {part} of {count}" + (f", {100 * part / count:.2f} %" if count else ""))


def _times(asked: Sequence[Asked]) -> None:
    seconds = sorted(one.seconds for one in asked)
    late = seconds[int(0.9 * (len(seconds) - 1))]
    print(f"  one verify(): median {statistics.median(seconds):.3f} s, 9 of 10 within {late:.3f} s")


def save(file: Path, found: Sequence[Found]) -> None:
    rows = [
        {
            "function": f"{each.subject.module}:{each.subject.target}",
            "skipped": each.skipped,
            **({} if one is None else {name: getattr(one, name) for name in Asked.__slots__}),
        }
        for each in found
        for one in (each.asked or (None,))
    ]
    file.write_text(json.dumps(rows, indent=1))
