"""Judge pairs of versions, and sum up what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autofix.model import Verdict, Verification
from autofix.verified import VerifierError
from autofix.verify.command import CommandResult
from autofix.verify.judge.verdict import NOTHING
from autofix.verify.leftover import elsewhere, with_leftovers
from autofix.verify.outcome import Judge, Outcome, Settings
from autofix.verify.pair import Pair, pair
from autofix.verify.sides import Both, SideError, Sides

SAME = "nothing to confirm: both versions are the same program, but for comments and layout"
MAGICS = "only magics or shell lines differ, and those are not run"
_CRASHED = "internal error of the verifier, please report it"


@dataclass(frozen=True, slots=True)
class Compared:
    """One file, and what came of it."""

    both: Both
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was compared."""

    verification: Verification
    files: tuple[Compared, ...] = ()
    notes: tuple[str, ...] = ()
    command: CommandResult | None = None


def interpreter(asked: str | None, folder: Path) -> str:
    """The interpreter for code of a folder. Raises VerifierError if it is of no use."""
    # Imported late: a run that has nothing to verify starts no process.
    from autofix.verify.interpreter import InterpreterError, find

    try:
        return find(asked, folder).path
    except InterpreterError as error:
        raise VerifierError(str(error)) from None


@contextmanager
def judging(settings: Settings) -> Iterator[Judge]:
    """A judge, with the processes that it needs."""
    from autofix.verify.verify import verify
    from autofix.verify.zygote import Zygote, ZygoteError

    with Zygote(settings.python, settings.limits) as zygote:

        def judge(asked: Pair) -> Outcome:
            try:
                return verify(asked, settings, zygote)
            except ZygoteError as error:
                raise VerifierError(str(error)) from None

        yield judge


def judged(judge: Judge, asked: Pair) -> Outcome:
    """The outcome for a pair, whatever happens to the verifier."""
    if asked.same:
        return Outcome(Verification(Verdict.NOT_RUN, SAME))
    try:
        return judge(asked)
    except VerifierError:
        raise
    except Exception as error:
        said = f"{_CRASHED}: {type(error).__name__}: {error}"
        return Outcome(Verification(Verdict.INCONCLUSIVE, said))


def paired(both: Both) -> Pair:
    """Raises SideError for a side that does not parse."""
    try:
        return pair(both.before.version, both.after.version)
    except SyntaxError as error:
        raise SideError(f"{error.filename}: line {error.lineno}: {error.msg}") from None


def compare(sides: Sides, judge: Judge) -> Comparison:
    """Judge every file that both sides have."""
    alone = sum(not paired(both).same for both in sides.files) < 2
    files = tuple(Compared(both, _outcome(both, judge, alone)) for both in sides.files)
    whole = together([one.outcome.verification for one in files])
    notes = (
        *(f"{path}: new, so there is nothing to compare it with" for path in sides.added),
        *(f"{path}: gone, so there is nothing to compare it with" for path in sides.removed),
    )
    if not files and notes:
        whole = Verification(Verdict.INCONCLUSIVE, "no file is on both sides")
    elif not files:
        whole = Verification(Verdict.NOT_RUN, "nothing to confirm: nothing differs")
    left = elsewhere(sides) if whole.verdict is Verdict.CONFIRMED else None
    if left is not None:
        reason = f"{left}; of the changes: {whole.reason}"
        whole = replace(whole, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return Comparison(whole, files, notes)


def _outcome(both: Both, judge: Judge, alone: bool) -> Outcome:
    asked = replace(paired(both), alone=alone)
    if asked.same and both.before.magics() != both.after.magics():
        return Outcome(Verification(Verdict.INCONCLUSIVE, MAGICS))
    outcome = judged(judge, asked)
    return with_leftovers(outcome, both, lambda other: judged(judge, other), alone=alone)


def together(parts: Sequence[Verification]) -> Verification:
    """One verdict for several: as good as the worst of them."""
    run = [part for part in parts if part.verdict is not Verdict.NOT_RUN]
    if any(part.verdict is Verdict.CONFIRMED for part in run):
        # A change that shows nowhere by itself may belong to another one.
        run = [part for part in run if part.reason != NOTHING]
    for verdict in (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.CONFIRMED):
        found = [part for part in run if part.verdict is verdict]
        if not found:
            continue
        if len(run) == 1:
            return run[0]
        reason = found[0].reason
        if len(found) < len(run) or verdict is Verdict.CONFIRMED:
            reason = f"{len(found)} of {len(run)}; the first: {reason}"
        return Verification(verdict, reason, found[0].evidence)
    return parts[0] if parts else Verification(Verdict.NOT_RUN, SAME)


def with_result(found: Comparison, result: CommandResult) -> Comparison:
    """The comparison when the user's own command was run as well. It can refute; that it still
    succeeds proves nothing of gradients."""
    whole = found.verification
    if result.refuted:
        whole = Verification(Verdict.REFUTED, result.reason, whole.evidence)
    return replace(found, verification=whole, command=result)
