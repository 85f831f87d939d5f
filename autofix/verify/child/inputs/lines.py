"""Which lines of the target an attempt reached, and a limit on how long it may take."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

_STEP = 0.25
_MOST_WAITS = 40


class TooLong(BaseException):
    """The attempt took too long. No `Exception`, so that the program does not catch it."""


def codes_of(function: Any) -> list[types.CodeType]:
    """The code of a function and of the functions inside it."""
    code = getattr(function, "__code__", None)
    found = [code] if isinstance(code, types.CodeType) else []
    for outer in found:
        found += [c for c in outer.co_consts if isinstance(c, types.CodeType)]
    return found


class Watched:
    """Collects the lines of some code objects that run inside `with`."""

    def __init__(self, codes: list[types.CodeType], seconds: float) -> None:
        self.codes = set(codes)
        self.files = {code.co_filename for code in codes}
        self.reached: set[int] = set()
        self.elsewhere: set[int] = set()
        """Lines of other functions of the same file."""
        self.seconds = seconds
        self._ends = 0.0
        self._waits = 0

    def _global(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if frame.f_code in self.codes:
            self.reached.add(frame.f_lineno)
            return self._local
        return self._aside if frame.f_code.co_filename in self.files else None

    def _aside(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        self.elsewhere.add(frame.f_lineno)
        return self._aside

    def _local(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.reached.add(frame.f_lineno)
            if time.perf_counter() > self._ends:
                raise TooLong
        return self._local

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        self._ends = time.perf_counter() + self.seconds
        before = sys.gettrace()
        with _alarm(self.seconds, self._wait):
            sys.settrace(self._global)
            try:
                yield
            finally:
                sys.settrace(before)

    def _wait(self, frame: types.FrameType | None) -> bool:
        """An import that is cut off leaves half a module behind, which no later attempt can use:
        it is waited for, and its time does not count."""
        if self._waits >= _MOST_WAITS or not _importing(frame):
            return False
        self._waits += 1
        self._ends += _STEP
        return True


def _importing(frame: types.FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _alarm(seconds: float, wait: Callable[[types.FrameType | None], bool]) -> Iterator[None]:
    """Stops also what runs long outside the watched lines, where the system can."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: types.FrameType | None) -> None:
        if not wait(frame):
            raise TooLong
        signal.setitimer(signal.ITIMER_REAL, _STEP)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def numbers(code: types.CodeType) -> list[int]:
    """The lines that a code object has."""
    return sorted({line for *_, line in _starts(code) if line is not None})


def _starts(code: types.CodeType) -> Iterator[tuple[Any, ...]]:
    import dis

    yield from dis.findlinestarts(code)
