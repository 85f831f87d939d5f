"""Two ways to a process that has torch imported: a fork of this one, or one kept waiting."""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import asdict
from mmap import mmap
from pathlib import Path
from typing import Any, Protocol

from . import gate as gates
from . import pages, processes
from .gate import Gate
from .worker import Handler, Job, Place, load_handler, run

_STEP = 0.002
_CHILD = Path(__file__).absolute().parent.parent


class Process:
    """A running job."""

    def __init__(
        self,
        pid: int,
        hung_up: int,
        *,
        popen: subprocess.Popen[bytes] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.pid = pid
        self._popen = popen
        self._poll = None
        self._handle = -1
        self._commands = hung_up
        self._gate = gate
        if hasattr(os, "pidfd_open") and hasattr(select, "poll"):
            try:
                self._handle = os.pidfd_open(pid)
            except OSError:
                return  # A kernel older than 5.3: look again and again.
            self._poll = select.poll()
            self._poll.register(self._handle, select.POLLIN)
            # No event is asked for: that the tool has hung up is always told.
            self._poll.register(hung_up, 0)
            if gate is not None:
                gate.watch(self._poll)

    def wait(self, seconds: float) -> int | None:
        """The status of the process, as `os.waitpid` gives it, if it ends within that time.

        Raises EOFError when the tool is gone.
        """
        if os.name == "nt" and self._popen is not None:
            return self._wait_on_windows(self._popen, seconds)
        if self._poll is not None:
            ready = dict(self._poll.poll(seconds * 1000))
            if self._commands in ready:
                raise EOFError
            if self._gate is not None:
                self._gate.attend(ready)
            return processes.reap(self.pid)
        deadline = time.monotonic() + seconds
        while True:
            status = processes.reap(self.pid)
            if status is not None or time.monotonic() > deadline:
                return status
            time.sleep(_STEP)

    @property
    def asked_for_too_many(self) -> bool:
        """Whether it was refused to start a process."""
        return self._gate is not None and self._gate.exceeded

    def close(self) -> None:
        """Let go of what watches the process, which has ended."""
        if self._handle >= 0:
            os.close(self._handle)
        if self._gate is not None:
            self._gate.close()
        if self._popen is not None:
            if os.name == "nt":
                self._popen.kill()
            elif self._popen.returncode is None:
                self._popen.returncode = 0  # `processes.reap` has seen it end.
            for pipe in (self._popen.stdin, self._popen.stdout):
                if pipe is not None:
                    pipe.close()

    @staticmethod
    def _wait_on_windows(popen: subprocess.Popen[bytes], seconds: float) -> int | None:
        try:
            return popen.wait(seconds) << 8
        except subprocess.TimeoutExpired:
            return None


class Launcher(Protocol):
    """Starts jobs."""

    layer: str
    # A process below this one that belongs to no job.
    spared: int

    def start(self) -> dict[str, Any]: ...
    # What jobs before have imported is given, so that it can be imported once for all.
    def make_ready(self, modules: list[str]) -> None: ...
    def launch(self, job: Job) -> Process: ...
    def close(self) -> None: ...


def prepare(settings: dict[str, Any]) -> tuple[Handler, str]:
    """Import what jobs need. Nothing is computed: threads would not survive a fork."""
    version = _import_torch()
    _import_all(settings["preload"])
    _import_siblings()
    return load_handler(settings["handler"]), version


def _import_torch() -> str:
    try:
        import torch
        import torch.optim
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return ""
    return str(torch.__version__)


def _import_all(modules: list[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException:
            continue  # The job that needs it will say so.


def _import_siblings() -> None:
    """Import what runs in a job, which otherwise each job would do when it needs it."""
    files = [path.relative_to(_CHILD).with_suffix("") for path in _CHILD.rglob("*.py")]
    names = sorted(".".join(file.parts) for file in files if not file.name.startswith("__"))
    package = __package__.rpartition(".")[0]
    _import_all([f"{package}.{name}" for name in names])


class Forking:
    """Forks this process: a job starts with all imports done."""

    layer = "fork"
    spared = 0

    def __init__(self, settings: dict[str, Any], place: Place, box: mmap, pipes: list[int]) -> None:
        self._settings, self._place, self._box, self._pipes = settings, place, box, pipes
        self._handle: Handler | None = None
        self._gated = gates.available()

    def start(self) -> dict[str, Any]:
        self._handle, version = prepare(self._settings)
        self._freeze()
        return {"torch": version}

    def make_ready(self, modules: list[str]) -> None:
        if modules:
            _import_all(modules)
            self._freeze()

    @staticmethod
    def _freeze() -> None:
        """Keep the collector of a job from touching, and so copying, what it shares with us."""
        gc.collect()
        gc.freeze()
        pages.fold()

    def launch(self, job: Job) -> Process:
        assert self._handle is not None
        gate = None
        if self._gated:
            gate = gates.Gate(self._place.limits.processes, self._living)
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            for pipe in self._pipes:
                os.close(pipe)
            run(job, self._handle, self._box, self._place, gate)
        return Process(pid, self._pipes[0], gate=gate)

    @staticmethod
    def _living(enough: int) -> int:
        return len(processes.descendants(os.getpid(), enough=enough))

    def close(self) -> None:
        pass


class Spawning:
    """Keeps a process waiting that has done its imports: where a fork is unsafe or not there."""

    layer = "process"

    def __init__(self, settings: dict[str, Any], place: Place, box: mmap, pipes: list[int]) -> None:
        self._settings, self._pipes = settings, pipes
        self._waiting: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self.spared = 0

    def start(self) -> dict[str, Any]:
        self._waiting = self._begin()
        said = self._greeting(self._waiting)
        if "error" in said:
            raise RuntimeError(said["error"])
        self._greeted = True
        return said

    def make_ready(self, modules: list[str]) -> None:
        if self._greeted:
            return
        # A job before may have killed the process that was waiting.
        if self._waiting is None or "error" in self._greeting(self._waiting):
            self.start()

    def launch(self, job: Job) -> Process:
        assert self._waiting is not None
        popen = self._waiting
        self._tell(popen, asdict(job))
        self._waiting, self._greeted = self._begin(), False
        return Process(popen.pid, self._pipes[0], popen=popen)

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.kill()
            self._waiting.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        popen = subprocess.Popen(
            [sys.executable, str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        self._tell(popen, {**self._settings, "mode": "worker"})
        self.spared = popen.pid
        return popen

    @staticmethod
    def _tell(popen: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
        assert popen.stdin is not None
        with suppress(OSError):  # It has died, which the wait for it will tell.
            popen.stdin.write(json.dumps(message).encode() + b"\n")

    @staticmethod
    def _greeting(popen: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        return dict(json.loads(line)) if line else {"error": "the process ended at its start"}
