"""Which processes a job has started, what they use, and how to be rid of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PATIENCE = 10.0


def descendants(root: int, spared: int = 0, enough: int = sys.maxsize) -> list[int]:
    """The processes below `root`, but for those at and below `spared`.

    The search ends after `enough` of them: of a fork bomb there is no counting, only ending it.
    None are found where the system has no `/proc`.
    """
    direct = Path(f"/proc/{root}/task/{root}/children").exists()
    children = _children if direct else _searched_children()
    found: list[int] = []
    waiting = [root]
    while waiting and len(found) < enough:
        for child in children(waiting.pop()):
            if child != spared:
                found.append(child)
                waiting.append(child)
    return found


def _children(process: int) -> list[int]:
    found = []
    try:
        # `Path` takes three times as long, and this is a race with what forks.
        for task in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass  # It has ended meanwhile.
    return found


def _searched_children() -> Callable[[int], list[int]]:
    """The same from the table of all processes, for kernels that keep no list of children."""
    table: dict[int, list[int]] = {}
    for process in _all():
        try:
            told = Path(f"/proc/{process}/stat").read_bytes()
            parent = int(told.rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
        table.setdefault(parent, []).append(process)
    return lambda process: table.get(process, [])


def _all() -> Iterator[int]:
    try:
        names = [path.name for path in Path("/proc").iterdir()]
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def tasks_of_user() -> int:
    """How many processes and threads the user runs; 0 for root, whom no such limit binds."""
    if not hasattr(os, "getuid") or os.getuid() == 0:
        return 0
    count = 0
    for process in _all():
        try:
            folder = Path(f"/proc/{process}")
            if folder.stat().st_uid == os.getuid():
                count += sum(1 for _task in (folder / "task").iterdir())
        except OSError:
            continue
    return count


def address_space(process: str = "self") -> int:
    """Bytes of addresses that a process has taken."""
    return _pages(process, 0)


def resident(process: str = "self") -> int:
    """Bytes of memory that a process holds, shared ones included."""
    return _pages(process, 1)


def waited(process: int) -> float:
    """For how many seconds its main thread was ready to run and had no processor. Zero where the
    system does not tell."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _pages(process: str, column: int) -> int:
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[column]) * _PAGE
    except (OSError, IndexError):
        return 0


def end_all(root: int, group: int, spared: int = 0) -> bool:
    """Kill the group of a job and whatever else lives below `root`. False: something lives on."""
    _kill_group(group)
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0
    while True:
        reap()
        left = descendants(root, spared)
        if not left:
            return True
        if time.monotonic() > deadline:
            return False
        # Those who fork while they are killed are met again in the next round.
        for process in left:
            _kill(process)
        time.sleep(pause)
        pause = min(pause + 0.001, 0.02)


def reap(wanted: int = 0) -> int | None:
    """Take leave of ended children. The status of `wanted` if it is among them."""
    status = None
    while True:
        try:
            process, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if process == 0:
            return status
        if process == wanted:
            status = code


def _kill_group(group: int) -> None:
    # Windows has no groups.
    with suppress(OSError, AttributeError):
        os.killpg(group, signal.SIGKILL)


def _kill(process: int) -> None:
    with suppress(OSError):
        os.kill(process, signal.SIGKILL)
