"""The server that runs the user's code: what comes out of a job, and what a job gets to see."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autofix.verify.child.isolation import confine, limits, mailbox, processes
from autofix.verify.zygote import Limits, Zygote, ZygoteError

HANDLER = str(Path(__file__).with_name("verify_handler.py"))
LIMITS = Limits(seconds=30)
LINUX = sys.platform.startswith("linux")


def job(text: str) -> dict[str, Any]:
    return {"text": text, "names": {}}


@pytest.fixture(
    scope="module", params=[pytest.param(True, id="fork"), pytest.param(False, id="process")]
)
def zygote(request: pytest.FixtureRequest) -> Iterator[Zygote]:
    if request.param and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    with Zygote(sys.executable, LIMITS, handler=HANDLER, fork=request.param) as started:
        yield started


def test_results_and_output_come_back_in_order(zygote: Zygote) -> None:
    text = (
        "import sys; emit({'n': 1}); print('out'); print('err', file=sys.stderr); emit({'n': 'é'})"
    )
    ran = zygote.run(job(text))
    assert ran.results == ({"n": 1}, {"n": "é"})
    assert (ran.failure, ran.stdout, ran.stderr) == (None, "out\n", "err\n")


def test_nothing_of_one_job_is_seen_by_the_next(zygote: Zygote) -> None:
    zygote.run(
        job("import os, torch; torch.mine = 1; os.environ['MINE'] = '1'; emit({}); print(1)")
    )
    ran = zygote.run(
        job("import os, torch; emit({'seen': hasattr(torch, 'mine') or 'MINE' in os.environ})")
    )
    assert ran.results == ({"seen": False},)
    assert ran.stdout == ""


def test_gradients_can_be_computed(zygote: Zygote) -> None:
    text = """
import torch
x = torch.ones(300, 300, requires_grad=True)
(x @ x).sum().backward()
emit({"grad": x.grad.sum().item(), "threads": torch.get_num_threads()})
"""
    assert zygote.run(job(text)).results == ({"grad": 54000000.0, "threads": 1},)


def test_a_job_that_takes_too_long_is_ended(zygote: Zygote) -> None:
    ran = zygote.run(job("emit({'n': 1})\nwhile True: pass"), seconds=0.3)
    assert (ran.results, ran.failure) == (({"n": 1},), "took longer than 0.3 s")


def test_a_dead_job_is_told_from_a_finished_one(zygote: Zygote) -> None:
    ran = zygote.run(job("import os; emit({'n': 1}); os._exit(0)"))
    assert (ran.results, ran.failure) == (({"n": 1},), "ended the process with `os._exit(0)`")


def test_the_layers_in_force_are_named(zygote: Zygote) -> None:
    first, *rest = zygote.layers
    assert first in ("fork", "process")
    assert {"scratch", "environment"} <= set(rest)
    assert zygote.torch.split(".")[0] == "2"
    if LINUX and confine.landlock_version():
        assert f"landlock (ABI {confine.landlock_version()})" in rest


def test_the_environment_holds_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = {
        "HF_TOKEN": "x",
        "OPENAI_API_KEY": "x",
        "AWS_PROFILE": "x",
        "SSH_AUTH_SOCK": "x",
        "MY_SECRET": "x",
        "db_password": "x",
        "HTTPS_PROXY": "http://me:word@proxy:1",
        "PYTHONWARNINGS": "error",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KEYBOARD", "de")
    monkeypatch.setenv("DATA_ROOT", "/data")
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        (seen,) = zygote.run(job("import os; emit(dict(os.environ))")).results
    assert not {name for name in hidden if seen.get(name) == hidden[name]}
    assert (seen["DATA_ROOT"], seen["KEYBOARD"]) == ("/data", "de")
    assert seen["PYTHONHASHSEED"] == "0"
    assert seen["CUDA_VISIBLE_DEVICES"] == ""


def test_the_path_of_modules_is_the_users_own(zygote: Zygote) -> None:
    text = "import sys; emit({'path': sys.path, 'own': 'autofix' in sys.modules})"
    (seen,) = zygote.run(job(text)).results
    assert not any("verify" in entry for entry in seen["path"])
    assert not seen["own"]


def test_user_code_has_the_builtins_of_all(zygote: Zygote) -> None:
    text = "import builtins, json; builtins.mine = 1; emit({'seen': mine})"
    assert zygote.run(job(text)).results == ({"seen": 1},)


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_server_that_was_killed_is_started_again() -> None:
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        before = set(processes.descendants(os.getpid()))
        assert zygote.run(job("emit({})")).failure is None
        (server,) = set(processes.descendants(os.getpid())) - before
        os.kill(server, signal.SIGKILL)
        while Path(f"/proc/{server}/stat").read_text().split()[2] != "Z":
            pass
        assert zygote.run(job("emit({'n': 1})")).results == ({"n": 1},)


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_the_death_of_the_server_ends_the_job_and_is_told() -> None:
    text = """
import os, time
if os.fork() == 0:
    os.setsid()
time.sleep(600)
"""
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        before = set(processes.descendants(os.getpid()))
        zygote.run(job("pass"))
        (server,) = set(processes.descendants(os.getpid())) - before
        mark = _mark(server)

        def strike() -> None:
            while len(processes.descendants(server)) < 2:
                time.sleep(0.01)
            os.kill(server, signal.SIGKILL)

        striker = threading.Thread(target=strike)
        striker.start()
        ran = zygote.run(job(text))
        striker.join()
        assert ran.failure == "ended or stopped the process that watches over it"
        assert mark not in [_mark(p) for p in processes.descendants(1)]
        assert zygote.run(job("emit({'n': 1})")).results == ({"n": 1},)


def _mark(process: int) -> bytes:
    """What marks the processes of one server, also when they have lost their parents."""
    try:
        entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return b""
    return next((entry for entry in entries if entry.startswith(b"AUTOFIX_RUN=")), b"")


def test_the_scratch_folder_goes_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        zygote.run(job("open('a', 'w').close()"))
        (root,) = tmp_path.iterdir()
        assert not list(root.glob("job-*"))
    assert not list(tmp_path.iterdir())


def test_what_a_job_had_to_import_is_there_for_the_next() -> None:
    optimizer = (
        "import sys, torch; emit({'there': 'torch._dynamo' in sys.modules}); import torch._dynamo"
    )
    with Zygote(sys.executable, LIMITS, handler=HANDLER, fork=LINUX) as zygote:
        assert zygote.run(job(optimizer)).results == ({"there": False},)
        assert zygote.run(job(optimizer)).results == ({"there": LINUX},)


def test_an_interpreter_that_cannot_run_it_is_one_line(tmp_path: Path) -> None:
    handler = tmp_path / "broken.py"
    handler.write_text("import not_there")
    with pytest.raises(ZygoteError, match=r"cannot run the code: ModuleNotFoundError: .*not_there"):
        Zygote(sys.executable, LIMITS, handler=str(handler)).run({})
    with pytest.raises(ZygoteError, match="cannot be started: No such file"):
        Zygote(str(tmp_path / "python"), LIMITS).run({})


def test_preloading_what_is_not_there_is_no_error() -> None:
    with Zygote(sys.executable, LIMITS, ("not_there", "colorsys"), handler=HANDLER) as zygote:
        ran = zygote.run(job("import sys; emit({'there': 'colorsys' in sys.modules})"))
    assert ran.results == ({"there": True},)


@pytest.mark.skipif(not LINUX, reason="Landlock is Linux's")
def test_older_kernels_have_weaker_layers_and_no_error(tmp_path: Path) -> None:
    """Each version of Landlock is asked only for what it knows."""
    text = f"""
from _autofix_child.isolation import confine
for version in range(0, {confine.landlock_version()} + 1):
    emit({{"version": version, "on": confine.landlock(version, (".",), ("/dev/null",))}})
"""
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        told = zygote.run(job(text)).results
    assert [one["on"] for one in told] == [one["version"] > 0 for one in told]


@pytest.mark.skipif(not LINUX, reason="seccomp is Linux's")
def test_signals_are_guarded_where_landlock_does_not() -> None:
    text = """
import os, signal, subprocess, threading
from _autofix_child.isolation import confine
assert confine.guard_signals(os.getpid())
for target in (os.getppid(), -1, -os.getppid(), 1):
    try: os.kill(target, 0); emit({"sent": target})
    except PermissionError: pass
child = subprocess.Popen(["sleep", "60"])
child.kill()
emit({"child": child.wait()})
signal.signal(signal.SIGUSR1, lambda *_: emit({"own": True}))
os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR1)
os.kill(0, 0)
"""
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as zygote:
        ran = zygote.run(job(text))
    assert ran.failure is None
    assert ran.results == ({"child": -9}, {"own": True}, {"own": True})


def test_the_mailbox_skips_what_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "box"
    with path.open("wb") as file:
        file.truncate(mailbox.SIZE)
    box = mailbox.open_mailbox(path)
    write = mailbox.writer(box)
    write("r", {"a": float("nan")})
    write("d", [])
    box[8:9] = b"\xff"
    assert [kind for kind, _value in mailbox.read(box)] == ["ÿ", "d"]
    box[8:12] = b"\n\nr["
    assert mailbox.read(box)[-1] == ("d", [])
    box[:8] = b"\xff" * 8
    assert mailbox.read(box)[-1] == ("d", [])
    mailbox.empty(box)
    assert mailbox.read(box) == []
    with pytest.raises(mailbox.Full):
        write("r", "x" * mailbox.SIZE)
    box.close()


def test_sizes_are_said_as_people_do() -> None:
    assert [limits.size(n) for n in (5, 64 << 20, 4 << 30, 3 << 29)] == [
        "5 bytes",
        "64 MB",
        "4 GiB",
        "1.5 GiB",
    ]


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_descendants_are_found_with_and_without_the_kernels_list() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    table = processes._searched_children()
    assert child.pid in table(os.getpid())
    assert child.pid in processes.descendants(os.getpid())
    assert child.pid not in processes.descendants(os.getpid(), spared=child.pid)
    child.communicate(b"\n")
