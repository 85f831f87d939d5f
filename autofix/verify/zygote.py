"""The tool's handle of the server that runs the user's code, in the user's interpreter."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from autofix.verify.child.isolation import limits as child_limits
from autofix.verify.child.isolation.limits import Limits
from autofix.verify.server import Answer, Server, ZygoteError

__all__ = ["Limits", "Ran", "Zygote", "ZygoteError"]

_ENDED_SERVER = "ended or stopped the process that watches over it"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came out of one job."""

    # What it emitted, in order, also when it came to a bad end later.
    results: tuple[dict[str, Any], ...]
    # None, or one line on how it failed.
    failure: str | None
    # The beginning of what it printed.
    stdout: str
    stderr: str


class Zygote:
    """Runs jobs, each in a process of its own, cut off from the user's files and the network.

    It starts with the first job, and again after something has killed it. `handler` is a module
    of the child package, or a file, with a function `handle(job, emit)`.
    """

    def __init__(
        self,
        python: str,
        limits: Limits,
        preload: tuple[str, ...] = (),
        *,
        handler: str = "execute",
        fork: bool | None = None,
    ) -> None:
        self._python = python
        self._limits = limits
        self._preload = preload
        self._handler = handler
        # A fork is not there on Windows, and not safe on macOS once torch has been imported.
        self._fork = sys.platform.startswith("linux") if fork is None else fork
        self._server: Server | None = None
        # Slow modules that jobs have imported: all of them, and those the server has not heard of.
        self._learned: list[str] = []
        self._news: list[str] = []

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of isolation that are in force."""
        return tuple(self._running().ready["layers"])

    @property
    def torch(self) -> str:
        """The version of torch that jobs import; empty when there is none."""
        return str(self._running().ready["torch"])

    @property
    def seconds(self) -> float:
        """How long one job may take, unless it is given more."""
        return self._limits.seconds

    def run(self, job: Mapping[str, Any], seconds: float | None = None) -> Ran:
        """Run one job to its end. Raises ZygoteError when there is no way to run any."""
        request = {
            "content": dict(job),
            "seconds": self._limits.seconds if seconds is None else seconds,
        }
        for attempt in (1, 2):
            server = self._running()
            answer = server.ask({**request, "learned": self._news})
            if answer.received or attempt == 2:
                break
            self.close()  # It had died while it was idle: the job has not begun.
        self._news = []
        ran = self._ran(server, answer)
        if answer.ended is None:
            self.close()
        return ran

    def close(self) -> None:
        """End the server and whatever is left of its jobs, and remove the scratch folder."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _running(self) -> Server:
        if self._server is None:
            settings = {
                "limits": asdict(self._limits),
                "preload": [*self._preload, *self._learned],
                "handler": self._handler,
                "mode": "fork" if self._fork else "spawn",
            }
            self._server = Server(self._python, settings, self._limits.cpu)
            self._news = []
        return self._server

    def _ran(self, server: Server, answer: Answer) -> Ran:
        results, finished, failure = [], False, answer.stopped
        for kind, value in server.messages():
            if kind == "r" and isinstance(value, dict):
                results.append(value)
            elif kind == "f":
                failure = failure or str(value)
            elif kind == "d":
                finished = True
                self._news = [str(name) for name in value if name not in self._learned]
                self._learned += self._news
        outputs = [server.printed(name, self._limits.output) for name in child_limits.OUTPUTS]
        if any(printed.length >= child_limits.printable(self._limits) for printed in outputs):
            failure = child_limits.too_much_printed(self._limits)
        if failure is None and not finished:
            failure = answer.ended or _ENDED_SERVER
        stdout, stderr = (printed.beginning for printed in outputs)
        return Ran(tuple(results), failure, stdout, stderr)
