"""Repair the files of a run by verdicts, with processes that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from autofix.model import Verdict, Verification
from autofix.pipeline import Plan
from autofix.results import FileResult, Located
from autofix.verified import Planned, Verifying
from autofix.verify import compare, joint
from autofix.verify.command import CommandResult, Swap, run_command
from autofix.verify.outcome import Judge, Settings
from autofix.verify.repairs import Bench, key, verified


@dataclass
class Workshop:
    """Judges by interpreter; their processes end when the workshop is left."""

    asked: Verifying
    _stack: ExitStack = field(default_factory=ExitStack)
    _judges: dict[str, Judge] = field(default_factory=dict)
    _joined: list[frozenset[str]] = field(default_factory=list)
    """The paths of files that are right only together."""

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def repair(self, result: FileResult, data: bytes, plan: Plan) -> FileResult:
        """Repair one file in memory as far as running it allows."""
        self.asked.announce(result.shown)
        judge = self._judge(plan.python, Path(result.path).absolute().parent)
        return verified(Bench(data, result.path, result.shown, plan, judge, self.asked.only))

    def join(
        self, planned: Planned, found: Sequence[FileResult], repaired: Sequence[FileResult]
    ) -> list[FileResult]:
        """The results with what is confirmed only together; `repaired` has every fix in it."""
        results = list(found)
        for group in joint.groups(found, repaired):
            self.asked.announce(" and ".join(repaired[index].shown for index in group))
            first = planned[group[0]]
            judge = self._judge(first[1].python, Path(first[0].path).absolute().parent)
            done = joint.confirmed([repaired[index] for index in group], judge)
            if done is None:
                continue
            self._joined.append(frozenset(one.path for one in done))
            for index, one in zip(group, done, strict=True):
                results[index] = replace(one, unrepaired=planned[index][0].findings)
        return results

    def _judge(self, python: str | None, folder: Path) -> Judge:
        found = compare.interpreter(python, folder)
        if found not in self._judges:
            context = compare.judging(Settings(found))
            self._judges[found] = self._stack.enter_context(context)
        return self._judges[found]

    def check(self, results: Sequence[FileResult], python: str | None) -> list[FileResult]:
        """Take back what the user's own command refutes."""
        line = self.asked.command
        changed = [result for result in results if result.after is not None]
        if line is None or not changed:
            return list(results)
        self.asked.announce(f"`{line}`")
        refuted = _refuted(line, changed, python, self._joined)
        self.asked.tell(refuted.whole.reason)
        return [_judged(result, refuted) for result in results]


@dataclass(frozen=True, slots=True)
class _Refuted:
    """Which files a command refutes, and what it said of all together."""

    by_path: dict[str, CommandResult]
    whole: CommandResult


def _refuted(
    line: str,
    changed: Sequence[FileResult],
    python: str | None,
    joined: Sequence[frozenset[str]],
) -> _Refuted:
    """Run the command with everything; if that goes wrong, with each file by itself, or with those
    that are right only together."""
    whole = run_command(line, _swaps(changed), python)
    if not whole.refuted:
        return _Refuted({}, whole)
    sets = {
        next((one for one in joined if path in one), frozenset({path})) for path in _paths(changed)
    }
    units = [[one for one in changed if one.path in paths] for paths in sorted(sets, key=min)]
    guilty: dict[str, CommandResult] = {}
    for unit in units if len(units) > 1 else ():
        alone = run_command(line, _swaps(unit), python)
        guilty |= dict.fromkeys(_paths(unit), alone) if alone.refuted else {}
    innocent = [one for one in changed if one.path not in guilty]
    if guilty and innocent:
        rest = run_command(line, _swaps(innocent), python)
        if not rest.refuted:
            return _Refuted(guilty, rest)
    return _Refuted({one.path: guilty.get(one.path, whole) for one in changed}, whole)


def _paths(results: Iterable[FileResult]) -> list[str]:
    return [result.path for result in results]


def _swaps(results: Iterable[FileResult]) -> list[Swap]:
    return [
        Swap((str(Path(result.path).absolute()),), result.before, result.after or b"")
        for result in results
    ]


def _judged(result: FileResult, refuted: _Refuted) -> FileResult:
    """The result with what the command said; as it was before if the command refutes it."""
    if result.after is None:
        return result
    said = refuted.by_path.get(result.path)
    evidence = {"command": dict((said or refuted.whole).evidence)}
    if said is None:
        applied = (_with(found, evidence) if found.applied else found for found in result.findings)
        return replace(result, findings=tuple(applied))
    verdict = Verification(Verdict.REFUTED, said.reason, evidence)
    written = {key(found.finding) for found in result.findings if found.applied}
    found = tuple(
        replace(one, verification=verdict, fixable=False) if key(one.finding) in written else one
        for one in result.unrepaired
    )
    return replace(result, findings=found, after=None)


def _with(found: Located, evidence: Mapping[str, Any]) -> Located:
    if found.verification is None:
        return found
    more = {**found.verification.evidence, **evidence}
    return replace(found, verification=replace(found.verification, evidence=more))
