"""Repairs of several files that depend on each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from autofix import batch
from autofix.batch import Batch
from autofix.results import FileResult

ROUNDS = 4


def widely(work: Batch, jobs: int) -> list[FileResult]:
    """The results with the fixes of every tier in all files that a verdict is to decide about, as
    if all of them had been confirmed."""
    plans = (replace(one, unsafe=True, repair=one.verify, verify=False) for one in work.plans)
    wide = replace(work, plans=tuple(plans))
    return together(wide, batch.run(wide, jobs), jobs)


def together(work: Batch, results: Sequence[FileResult], jobs: int) -> list[FileResult]:
    """The results, once each file was looked at with the others as they will be.

    A cut that is repaired in one file can uncover another one in a second file. Files that had a
    say in another file's findings and were changed since are the reason to look at it again, from
    its beginning: nothing is written yet. A repaired file with which the new state of the others
    agrees stays as it is: as it was at first, it would be looked at beside callers that it was
    never meant for.
    """
    found = list(results)
    seen: dict[str, bytes] = {}
    for _ in range(ROUNDS):
        changed = {os.path.abspath(one.path): one.after for one in found if one.after is not None}
        news = {path for path in {*changed, *seen} if changed.get(path) != seen.get(path)}
        again = [index for index, one in enumerate(found) if one.consulted & news]
        if work.project is None or not again:
            break
        project = work.project.with_changes(changed)
        plans = tuple(replace(plan, project=project) for plan in work.plans)
        new = replace(work, plans=plans, project=project)
        again = [index for index in again if not _agrees(new, index, found[index])]
        tasks = tuple(work.tasks[index] for index in again)
        part = batch.run(replace(new, tasks=tasks), jobs)
        for index, one in zip(again, part, strict=True):
            found[index] = one
        seen = changed
    return _without_halves(found)


def _without_halves(found: Sequence[FileResult]) -> list[FileResult]:
    """The results without repairs that would break another file, as that was not repaired."""
    kept = list(found)
    while True:
        changed = {os.path.abspath(one.path) for one in kept if one.after is not None}
        halves = [index for index, one in enumerate(kept) if one.along - changed]
        if not halves:
            return kept
        for index in halves:
            one = kept[index]
            kept[index] = replace(one, findings=one.unrepaired, after=None)


def _agrees(work: Batch, index: int, result: FileResult) -> bool:
    """Is there nothing more to repair in a file that was repaired?"""
    return result.after is not None and work.examine(index, result.after).after is None
