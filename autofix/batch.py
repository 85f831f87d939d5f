"""Many files: read, screened by their bytes, then analysed here or, when it pays, in a pool."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autofix.pipeline import Plan, examine, failed, is_candidate
from autofix.project.project import Project
from autofix.results import FileResult

# Starting a pool costs about as much as analysing this much source.
POOL_ABOVE = 1_000_000
_COLLECT_EVERY = 8_000_000

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A file to look at, by which plan, and what to call it."""

    path: str
    shown: str
    plan: int


@dataclass(frozen=True, slots=True)
class Batch:
    tasks: tuple[Task, ...]
    plans: tuple[Plan, ...]
    project: Project | None = None

    def examine(self, index: int, data: bytes) -> FileResult:
        task = self.tasks[index]
        return examine(data, task.path, task.shown, self.plans[task.plan])

    def read(self, index: int) -> bytes | FileResult:
        """The bytes of a file, or the result that says why there are none."""
        task = self.tasks[index]
        try:
            # Opening a named pipe would wait for somebody to write to it.
            if not stat.S_ISREG(os.stat(task.path).st_mode):  # noqa: PTH116
                return failed(task.path, task.shown, "not a regular file")
            return Path(task.path).read_bytes()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            return failed(task.path, task.shown, f"cannot be read: {said.lower()}")


def run(batch: Batch, jobs: int, progress: Progress = lambda done: None) -> list[FileResult]:
    """A result for each task, in the order of the tasks. All are read before the first is looked
    at: what one file has to say of another must not depend on which comes first."""
    results: dict[int, FileResult] = {}
    held: dict[int, bytes] = {}
    sizes: dict[int, int] = {}
    volume = 0
    with quiet_gc() as sweep:
        for index, task in enumerate(batch.tasks):
            data = batch.read(index)
            if isinstance(data, FileResult):
                results[index] = data
                progress(len(results))
                continue
            if batch.project is not None:
                batch.project.note(task.path, data)
            if not is_candidate(data):
                results[index] = FileResult(task.path, task.shown)
            else:
                sizes[index] = len(data)
                volume += len(data)
                if volume <= POOL_ABOVE:
                    held[index] = data
            progress(len(results))
        if volume > POOL_ABOVE and jobs > 1:
            # Imported late: most runs are too small for it.
            from autofix.pool import run_in_processes

            held.clear()
            results |= run_in_processes(batch, sizes, jobs, lambda n: progress(len(results) + n))
            sizes.clear()
        for index in sizes:
            data = held.pop(index, None) or batch.read(index)
            results[index] = data if isinstance(data, FileResult) else batch.examine(index, data)
            sweep(sizes[index])
            progress(len(results))
    return [results[index] for index in range(len(batch.tasks))]


class Sweeper:
    """Collects cyclic garbage once in so many bytes of source."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, size: int) -> None:
        self.done += size
        if self.done >= _COLLECT_EVERY:
            self.done = 0
            gc.collect()


@contextmanager
def quiet_gc() -> Iterator[Sweeper]:
    """Analyse without the automatic collector, which finds next to nothing in syntax trees and
    costs a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield Sweeper()
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
