"""The server process: how it is started in the user's interpreter, asked, and ended."""

from __future__ import annotations

import atexit
import json
import os
import queue
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autofix.verify import child
from autofix.verify.child.isolation import limits, mailbox

_CHILD = Path(child.__file__).parent
# Importing torch from a cold disk, and whatever else the user's interpreter does at its start.
_START_SECONDS = 180.0
# A server that is alive answers this long after the time of a job is up.
_GRACE_SECONDS = 20.0
_CLOSE_SECONDS = 5.0
# A variable by which processes that a dead server has left behind are known.
_MARK = "AUTOFIX_RUN"


class ZygoteError(Exception):
    """The user's interpreter could not be made ready; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says of one job."""

    # Whether the server was there to take the job.
    received: bool
    # Why it stopped the job, if it did.
    stopped: str | None
    # How the process of the job ended; None when the server itself came to an end.
    ended: str | None


@dataclass(frozen=True, slots=True)
class Printed:
    """One of the outputs of a job."""

    beginning: str
    length: int


class Server:
    """One server process and its scratch folder."""

    def __init__(self, python: str, settings: dict[str, Any], cpu: bool) -> None:
        self._root = Path(os.path.realpath(tempfile.mkdtemp(prefix="autofix-")))
        self._jobs = 0
        self._mark = uuid.uuid4().hex
        with (self._root / "results").open("wb") as file:
            file.truncate(mailbox.SIZE)
        self._box = mailbox.open_mailbox(self._root / "results")
        self._process = self._start(python, cpu)
        # For who forgets to close it, or is interrupted.
        atexit.register(self.close)
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._send({**settings, "root": str(self._root)})
        ready = self._receive(_START_SECONDS)
        if ready is None or "error" in ready:
            why = self._why_not(ready)
            self.close()
            raise ZygoteError(f"`{python}` cannot run the code: {why}")
        self.ready = ready

    def _start(self, python: str, cpu: bool) -> subprocess.Popen[bytes]:
        environment = limits.environment(os.environ, cpu)
        environment[_MARK] = self._mark
        try:
            with (self._root / "log").open("wb") as log:
                return subprocess.Popen(
                    [python, str(_CHILD)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    # Ctrl-C is for the tool, which then ends the server in good order.
                    start_new_session=True,
                )
        except OSError as error:
            shutil.rmtree(self._root, ignore_errors=True)
            raise ZygoteError(f"`{python}` cannot be started: {error.strerror}") from error

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(b"")

    def _send(self, message: dict[str, Any]) -> bool:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return self._process.poll() is None

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        try:
            line = self._lines.get(timeout=seconds)
            return dict(json.loads(line))
        except (queue.Empty, ValueError, TypeError):
            return None

    def _why_not(self, ready: dict[str, Any] | None) -> str:
        if ready is not None:
            return str(ready["error"])
        if self._process.poll() is None:
            return f"it was not ready after {_START_SECONDS:g} s"
        with suppress(OSError):
            lines = (self._root / "log").read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1]
        return "it ended at its start"

    def ask(self, request: dict[str, Any]) -> Answer:
        """Have one job run."""
        self._jobs += 1
        folder = self._root / f"job-{self._jobs}"
        folder.mkdir()
        for name in limits.OUTPUTS:
            (self._root / name).write_bytes(b"")
        mailbox.empty(self._box)
        patience = request["seconds"] * (1 + limits.MOST_WAITING) + _GRACE_SECONDS
        if request["learned"]:
            patience += _START_SECONDS
        received = self._send({**request, "folder": str(folder)})
        answer = self._receive(patience) if received else None
        _remove(folder)
        if answer is None:
            return Answer(received, None, None)
        return Answer(received, answer["stopped"], answer["ended"])

    def messages(self) -> list[tuple[str, Any]]:
        """What the last job has put into the mailbox."""
        return mailbox.read(self._box)

    def printed(self, name: str, kept: int) -> Printed:
        """The beginning and the length of an output of the last job."""
        with (self._root / name).open("rb") as file:
            beginning = file.read(kept).decode(errors="replace")
            return Printed(beginning, os.fstat(file.fileno()).st_size)

    def close(self) -> None:
        """End the server; it ends its jobs. If it cannot any more, end them here."""
        atexit.unregister(self.close)
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            gentle = process.wait(_CLOSE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            gentle = False
        if not gentle:
            process.kill()
            process.wait()
            _kill_marked(f"{_MARK}={self._mark}".encode())
        self._box.close()
        _remove(self._root)


def _kill_marked(mark: bytes) -> None:
    """Kill the processes that carry the mark of a server in their environment."""
    if not sys.platform.startswith("linux"):
        return
    for _round in range(100):
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _carries(path, mark)]
        if not found:
            return
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)


def _carries(path: Path, mark: bytes) -> bool:
    try:
        return mark in (path / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _remove(folder: Path) -> None:
    """Remove a folder of a job, whatever the job has made of it."""
    try:
        folder.rmdir()  # Mostly it is empty.
    except OSError:
        shutil.rmtree(folder, onerror=_open_up)


def _open_up(remove: Callable[..., Any], path: str, _error: object) -> None:
    """Give back to us the rights to a folder that a job has taken away, and try again."""
    with suppress(OSError):
        Path(path).parent.chmod(stat.S_IRWXU)
        Path(path).chmod(stat.S_IRWXU)
        if remove is os.open or remove is os.scandir:
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
