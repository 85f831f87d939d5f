"""A process pool in which a worker that dies takes no other file's result with it."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext

from autofix.batch import Batch, Sweeper
from autofix.pipeline import failed
from autofix.results import FileResult

_CHUNK = 256_000
_DIED = "the process that looked at it died (out of memory, or a crash of the interpreter)"

Results = dict[int, FileResult]
_batch: Batch
_sweep = Sweeper()


def run_in_processes(
    batch: Batch, sizes: Mapping[int, int], jobs: int, progress: Callable[[int], None]
) -> Results:
    """Results by index, for the indices in `sizes`."""
    results: Results = {}
    waiting = _chunks(sizes)
    jobs = min(jobs, len(waiting))
    while waiting:
        lost = _drain(batch, waiting, jobs, results, lambda: progress(len(results)))
        for index in (index for chunk in lost for index in chunk):
            # One of these killed its process: each gets one of its own, and the rest go on.
            _drain(batch, [[index]], 1, results, lambda: progress(len(results)))
            task = batch.tasks[index]
            results.setdefault(index, failed(task.path, task.shown, _DIED))
    return results


def _drain(
    batch: Batch,
    waiting: list[list[int]],
    jobs: int,
    results: Results,
    progress: Callable[[], None],
) -> list[list[int]]:
    """Work through the chunks from the end of `waiting`. Ends early if a worker dies, and returns
    the chunks that were under way then; never more than `jobs`, so that suspects are few."""
    flying: dict[Future[Results], list[int]] = {}
    lost: list[list[int]] = []
    with ProcessPoolExecutor(jobs, _context(), _start, (batch,)) as executor, _ended_early():
        while (waiting or flying) and not lost:
            while waiting and len(flying) < jobs and not lost:
                chunk = waiting.pop()
                try:
                    flying[executor.submit(_work, chunk)] = chunk
                except BrokenProcessPool:
                    lost.append(chunk)
            done = wait(flying, return_when=FIRST_COMPLETED).done
            lost += _collect(done, flying, results)
            progress()
        # After a death the pool is broken, and every future is soon done.
        lost += _collect(tuple(flying), flying, results)
    return lost


@contextmanager
def _ended_early() -> Iterator[None]:
    """End the workers on Ctrl-C: leaving the pool would wait for what they are at."""
    try:
        yield
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def _collect(
    done: Iterable[Future[Results]], flying: dict[Future[Results], list[int]], results: Results
) -> list[list[int]]:
    lost = []
    for future in done:
        chunk = flying.pop(future)
        try:
            results.update(future.result())
        except BrokenProcessPool:
            lost.append(chunk)
    return lost


def _chunks(sizes: Mapping[int, int]) -> list[list[int]]:
    """Chunks of about equal work, in the order to pop them: large files first, so that no worker
    is left with one at the end."""
    chunks: list[list[int]] = []
    room = 0
    for index in sorted(sizes, key=lambda index: -sizes[index]):
        if room < sizes[index]:
            chunks.append([])
            room = _CHUNK
        chunks[-1].append(index)
        room -= sizes[index]
    return chunks[::-1]


def _context() -> BaseContext:
    # A fork inherits the loaded rules and starts in milliseconds, but must not copy other threads.
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


def _start(batch: Batch) -> None:
    global _batch
    _batch = batch
    # The parent gets the Ctrl-C too, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    gc.freeze()


def _work(chunk: Sequence[int]) -> Results:
    results: Results = {}
    for index in chunk:
        data = _batch.read(index)
        results[index] = data if isinstance(data, FileResult) else _batch.examine(index, data)
        _sweep(0 if isinstance(data, FileResult) else len(data))
    return results
