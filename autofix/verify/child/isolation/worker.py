"""One job, in the process that runs it: cut off, held to its limits, handed to the handler."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any, NoReturn

from . import confine, limits, processes
from .gate import Gate
from .limits import Limits
from .mailbox import Full, writer

Emit = Callable[[dict[str, Any]], None]
Handler = Callable[[dict[str, Any], Emit], None]

# Slow to import, harmless to have, and known by name: when a job has needed one, the fork server
# imports it too, and later jobs find it there.
_WORTH_KEEPING = (
    *("torch._dynamo", "torchvision", "matplotlib.pyplot", "pandas", "scipy", "sklearn"),
    *("einops", "tqdm", "numpy.random"),
)


@dataclass(frozen=True)
class Place:
    """Where the jobs of one server run, and under what."""

    root: str
    limits: Limits
    landlock: int
    # What the user was running beside when the server started.
    others: int


@dataclass(frozen=True)
class Job:
    """One request of the tool."""

    folder: str
    seconds: float
    content: dict[str, Any]


def load_handler(name: str) -> Handler:
    """`handle` of a module of the package above, or of a file."""
    if name.endswith(".py"):
        spec = importlib.util.spec_from_file_location("_autofix_handler", name)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load `{name}`")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(f"..{name}", __package__)
    handle: Handler = module.handle
    return handle


def run(job: Job, handle: Handler, box: mmap, place: Place, gate: Gate | None = None) -> NoReturn:
    """Run `job` and end the process, whatever happens."""
    leave = os._exit
    try:
        own = _Own(box)
        _isolate(job, place)
        if gate is not None:
            gate.shut()
        streams = _renew_streams()
    except BaseException as error:
        # Nothing of the user's has run.
        writer(box)("f", f"could not be started: {type(error).__name__}: {error}")
        leave(1)
    # Not all names: to touch each would copy the pages they lie on.
    known = {name for name in _WORTH_KEEPING if name in sys.modules}
    try:
        handle(job.content, own.emit)
        own.finish(known)
    except BaseException as error:
        own.fail(_said_by(error, place.limits))
    for stream in streams:
        with suppress(BaseException):  # The output was closed, or is full.
            stream.flush()
    leave(0)


class _Own:
    """Writes into the mailbox, but only from the process that was started for the job."""

    def __init__(self, box: mmap) -> None:
        write, process_id = writer(box), os.getpid
        me = process_id()

        def put(kind: str, value: Any) -> None:
            if process_id() == me:
                write(kind, value)

        self._put = put

    def emit(self, result: dict[str, Any]) -> None:
        self._put("r", result)

    def finish(self, known: set[str]) -> None:
        loaded = [name for name in _WORTH_KEEPING if name not in known and _is_installed(name)]
        self._put("d", loaded)

    def fail(self, why: str) -> None:
        with suppress(Full):
            self._put("f", why)


def _is_installed(name: str) -> bool:
    """Whether the module that the job has loaded under this name is not one of the user's own."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and "-packages" in file


def _said_by(error: BaseException, allowed: Limits) -> str:
    """One line on an error that reached the end of the job."""
    if out_of_memory(error):
        return limits.too_much_memory(allowed)
    if isinstance(error, Full):
        return str(error)
    if isinstance(error, SystemExit):
        return "ended the program with `sys.exit`"
    try:
        text = str(error).strip().split("\n")[0]
    except BaseException:
        text = ""
    name = type(error).__name__
    return f"failed with `{name}: {text}`" if text else f"failed with `{name}`"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in Python's words or in torch's."""
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, (RuntimeError, OSError)):
        return False
    try:
        text = str(error)
    except BaseException:
        return False
    return "can't allocate memory" in text or "Cannot allocate memory" in text


def _isolate(job: Job, place: Place) -> None:
    if hasattr(os, "setsid") and os.getpid() != os.getsid(0):
        os.setsid()
    confine.die_with_parent()
    limits.volunteer_for_killing()
    os.chdir(job.folder)
    os.environ.update(limits.at_home_in(job.folder))
    tempfile.tempdir = None
    outputs = [str(Path(place.root, name)) for name in limits.OUTPUTS]
    _redirect(outputs)
    occupied = processes.address_space()
    limits.restrict(place.limits, job.seconds, occupied, place.others)
    shared = (job.folder, "/dev/shm")
    if place.landlock and not confine.landlock(place.landlock, shared, (*outputs, os.devnull)):
        raise OSError("the kernel refused to confine the job")
    if not confine.guards_signals(place.landlock):
        confine.guard_signals(os.getpid())


def _redirect(outputs: list[str]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    opened = [os.open(os.devnull, os.O_RDONLY)] + [os.open(path, flags, 0o600) for path in outputs]
    for number, file in enumerate(opened):
        os.dup2(file, number)
        os.close(file)


def _renew_streams() -> list[io.TextIOWrapper]:
    """New objects for the standard streams: the old ones may hold what imports have printed."""
    new = [_text(0, "r"), _text(1, "w"), _text(2, "w")]
    for name, stream in zip(("stdin", "stdout", "stderr"), new):
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    return new[1:]


def _text(number: int, mode: str) -> io.TextIOWrapper:
    raw = open(number, mode + "b", closefd=False)
    errors = "surrogateescape" if mode == "r" else "backslashreplace"
    # By lines, so that what was printed before a crash is kept.
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=True)
