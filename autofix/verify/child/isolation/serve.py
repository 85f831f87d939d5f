"""The server in the user's interpreter: imports torch once, then runs each job in a new process.

It talks to the tool in lines of JSON: one line of settings, one line saying that it is ready,
then one line in and one line out for each job.
"""

from __future__ import annotations

import io
import json
import os
import signal
import time
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Any, NoReturn

from . import confine, limits, mailbox, processes
from .launch import Forking, Launcher, Process, Spawning, prepare
from .limits import Limits
from .worker import Job, Place, run

# How long to wait between two looks at a job; shorter while it has processes of its own.
_ROUND, _SHORT_ROUND = 0.02, 0.004
_BETWEEN_LOOKS_AT_FILES = 0.5


def main() -> None:
    """Serve until the tool hangs up."""
    commands, answers = _take_over()
    settings = json.loads(commands.readline())
    box = mailbox.open_mailbox(Path(settings["root"], "results"))
    try:
        place, layers = _settle(settings)
        if settings["mode"] == "worker":
            _work(settings, place, box, (commands, answers))
        pipes = [commands.fileno(), answers.fileno()]
        kind = Forking if settings["mode"] == "fork" else Spawning
        launcher: Launcher = kind(settings, place, box, pipes)
        ready = {**launcher.start(), "layers": [launcher.layer, *layers]}
    except Exception as error:
        _answer(answers, {"error": f"{type(error).__name__}: {error}".split("\n")[0]})
        return
    _answer(answers, ready)
    try:
        for line in commands:
            _answer(answers, _serve(json.loads(line), launcher, place, box))
    except (EOFError, BrokenPipeError):
        pass  # The tool is gone.
    launcher.close()


def _take_over() -> tuple[io.BufferedReader, io.BufferedWriter]:
    """Move the two pipes out of the way: what is imported may read and print."""
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return commands, answers


def _answer(answers: io.BufferedWriter, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def _settle(settings: dict[str, Any]) -> tuple[Place, list[str]]:
    """Give up, for this process and all its jobs, what none of them needs."""
    root = settings["root"]
    home = Path(root, "home")
    home.mkdir(exist_ok=True)
    os.chdir(home)
    os.environ.update(limits.at_home_in(str(home)))
    place = Place(
        root=root,
        limits=Limits(**settings["limits"]),
        landlock=confine.landlock_version(),
        others=processes.tasks_of_user(),
    )
    layers = ["scratch", "environment"]
    if limits.available():
        layers.insert(0, "rlimits")
    confine.adopt_orphans()
    if confine.drop_capabilities():
        layers.append("capabilities")
    confine.gain_no_rights()
    if confine.landlock(place.landlock, (root, "/dev/shm"), (os.devnull,)):
        layers.append(f"landlock (ABI {place.landlock})")
    else:
        place = replace(place, landlock=0)
    if confine.seccomp():
        layers.append("seccomp")
    return place, layers


def _work(
    settings: dict[str, Any],
    place: Place,
    box: mmap,
    pipes: tuple[io.BufferedReader, io.BufferedWriter],
) -> NoReturn:
    """Be the process that waits for one job, and run it."""
    commands, answers = pipes
    handle, version = prepare(settings)
    _answer(answers, {"torch": version})
    line = commands.readline()
    if not line:
        os._exit(0)
    commands.close()
    answers.close()
    run(Job(**json.loads(line)), handle, box, place)


def _serve(request: dict[str, Any], launcher: Launcher, place: Place, box: mmap) -> dict[str, Any]:
    launcher.make_ready(request.pop("learned"))
    job = Job(**request)
    mailbox.empty(box)
    process = launcher.launch(job)
    status, excess = None, None
    try:
        status, excess = _watch(process, launcher, job, place)
    finally:
        ended = processes.end_all(os.getpid(), process.pid, launcher.spared)
        process.close()
    if excess is None and not ended:
        excess = "left processes behind that could not be killed"
    return {"stopped": excess, "ended": _told(status)}


def _watch(
    process: Process, launcher: Launcher, job: Job, place: Place
) -> tuple[int | None, str | None]:
    """Wait for the end of a job. Either its status, or why it may not go on."""
    begun = time.monotonic()
    next_look = time.monotonic() + _BETWEEN_LOOKS_AT_FILES
    own = processes.resident()
    pause = _ROUND
    while True:
        # A machine that has other things to do is not the fault of the job.
        waited = min(processes.waited(process.pid), limits.MOST_WAITING * job.seconds)
        left = begun + job.seconds + waited - time.monotonic()
        status = process.wait(max(0.0, min(pause, left)))
        if status is not None:
            # It may have ended by itself when it was refused one more.
            refused = process.asked_for_too_many
            return status, limits.too_many_processes(place.limits) if refused else None
        if left <= 0:
            return None, f"{limits.LATE} {job.seconds:g} s"
        enough = place.limits.processes + 1
        below = processes.descendants(os.getpid(), launcher.spared, enough)
        pause = _ROUND if len(below) <= 1 else _SHORT_ROUND
        excess = limits.excess(place.limits, place.root, below, own)
        if process.asked_for_too_many:
            excess = limits.too_many_processes(place.limits)
        if excess is None and time.monotonic() > next_look:
            excess = limits.excess_of_files(place.limits, job.folder)
            next_look = time.monotonic() + _BETWEEN_LOOKS_AT_FILES
        if excess is not None:
            return None, excess


def _told(status: int | None) -> str:
    """How a process ended that did not come to the end of its job."""
    if status is None:
        return "was stopped"
    if status & 0x7F == 0:
        return f"ended the process with `os._exit({status >> 8})`"
    number = status & 0x7F
    known = {
        "SIGSEGV": "was killed by a segmentation fault",
        "SIGABRT": "was killed by an abort",
        "SIGBUS": "was killed by a bus error",
        "SIGFPE": "was killed by an arithmetic error",
        "SIGKILL": "was killed, perhaps for lack of memory",
        "SIGXCPU": "used more processor time than it may",
        "SIGXFSZ": "wrote a larger file than it may",
    }
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return known.get(name, f"was killed by {name}")
