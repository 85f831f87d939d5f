"""Code that does its worst, run for real: each kind ends in one line, and harms nothing."""

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from autofix.verify.child.isolation import processes
from autofix.verify.zygote import Limits, Ran, Zygote

TEMPORARY = tempfile.gettempdir()

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

HANDLER = str(Path(__file__).with_name("verify_handler.py"))
LIMITS = Limits(seconds=5, memory=600 << 20, file_size=8 << 20, processes=24)
TREE = {"home/.bashrc": "alias", "project/a.py": "x = 1", "project/b/c.py": "y = 2"}

Seen = list[tuple[str, int, int, bytes]]


class Ground:
    """Files that no job may touch, and a server to run jobs with."""

    def __init__(self, root: Path, zygote: Zygote) -> None:
        self.root = root
        self.zygote = zygote
        self.listener = socket.create_server(("127.0.0.1", 0))
        for name, text in TREE.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)

    def run(self, text: str, seconds: float | None = None) -> Ran:
        names = {"ROOT": str(self.root), "PORT": self.listener.getsockname()[1]}
        return self.zygote.run({"text": dedent(text), "names": names}, seconds)

    def seen(self) -> Seen:
        found = []
        for path in sorted(self.root.rglob("*")):
            about = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
            found.append((str(path), about.st_mode, about.st_mtime_ns, content))
        return found

    def below(self) -> list[int]:
        return processes.descendants(os.getpid())


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(sys.executable, LIMITS, handler=HANDLER) as started:
        yield started


@pytest.fixture
def ground(tmp_path: Path, zygote: Zygote) -> Iterator[Ground]:
    """Everything that is true of the world before a job has to be true after it."""
    made = Ground(tmp_path, zygote)
    made.run("pass")
    before, running = made.seen(), made.below()
    beside = _names(TEMPORARY, "hostile*")
    yield made
    assert made.seen() == before
    after = made.run("emit({'alive': 1 + 1})")
    assert (after.failure, after.results) == (None, ({"alive": 2},))
    assert len(made.below()) == len(running)
    assert _names(TEMPORARY, "hostile*") == beside
    made.listener.close()


def _names(folder: str, pattern: str) -> list[str]:
    return sorted(path.name for path in Path(folder).glob(pattern))


ENDLESS = {
    "loop": "while True: pass",
    "loop that catches everything": """
        while True:
            try:
                while True: pass
            except BaseException:
                continue
        """,
    "deaf to signals": """
        import signal
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        while True: pass
        """,
    "alarms of its own": """
        import signal
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        signal.signal(signal.SIGALRM, lambda *_: None)
        while True: pass
        """,
    "stopped": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "waits for a lock": "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a loop in C": "sum(iter(int, 1))",
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_does_not_end_is_ended(ground: Ground, text: str) -> None:
    assert ground.run(text, 0.5).failure == "took longer than 0.5 s"


def test_what_was_emitted_before_a_bad_end_is_kept(ground: Ground) -> None:
    ran = ground.run(
        "emit({'n': 1}); emit({'n': 2}); print('said', flush=True)\nwhile True: pass", 0.5
    )
    assert (ran.results, ran.stdout) == (({"n": 1}, {"n": 2}), "said\n")
    assert ran.failure == "took longer than 0.5 s"


ENDINGS = {
    "import os; os._exit(0)": "ended the process with `os._exit(0)`",
    "import os; os._exit(3)": "ended the process with `os._exit(3)`",
    "import sys; sys.exit(1)": "ended the program with `sys.exit`",
    "import ctypes; ctypes.string_at(0)": "was killed by a segmentation fault",
    "import os; os.abort()": "was killed by an abort",
    "import os; os.kill(0, 15)": "was killed by SIGTERM",
    "import os; os.kill(os.getpid(), 9)": "was killed, perhaps for lack of memory",
    "import os; os.execv('/bin/true', ['true'])": "ended the process with `os._exit(0)`",
    "1 / 0": "failed with `ZeroDivisionError: division by zero`",
    "raise KeyboardInterrupt": "failed with `KeyboardInterrupt`",
    "input()": "failed with `EOFError: EOF when reading a line`",
    "emit({'a': object()})": "failed with `TypeError: a result holds a object, which is not JSON`",
    "emit({'a': 'x' * (70 << 20)})": "the results of one job are limited to 64 MB",
}


@pytest.mark.parametrize("text", ENDINGS)
def test_every_bad_end_has_a_name(ground: Ground, text: str) -> None:
    assert ground.run(text, 30).failure == ENDINGS[text]


def test_an_error_that_cannot_be_printed_is_named(ground: Ground) -> None:
    text = """
        class Wild(BaseException):
            def __str__(self): raise SystemExit
        raise Wild
        """
    assert ground.run(text).failure == "failed with `Wild`"


MEMORY = {
    "at once": "bytearray(100 << 30)",
    "at once in torch": "import torch; torch.empty(100 << 30, dtype=torch.uint8)",
    "in small steps": """
        kept = []
        while True: kept.append(bytearray(1 << 20))
        """,
    "in several processes": """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                kept = bytearray(b"x") * (300 << 20)
                time.sleep(60)
        time.sleep(60)
        """,
}


@pytest.mark.parametrize("text", MEMORY.values(), ids=MEMORY.keys())
def test_memory_is_limited(ground: Ground, text: str) -> None:
    assert ground.run(text).failure == "used more than 600 MB of memory"


def test_deep_recursion_harms_only_itself(ground: Ground) -> None:
    text = """
        import sys
        sys.setrecursionlimit(1 << 30)
        def f(): return [0].__getitem__(0) + sum(map(lambda _: f(), [0]))
        f()
        """
    assert ground.run(text).failure in (
        "was killed by a segmentation fault",
        "used more than 600 MB of memory",
        "failed with `RecursionError: maximum recursion depth exceeded`",
    )


BOMBS = {
    "in Python": "import os\nwhile True: os.fork()",
    "in sessions of their own": """
        import os
        while True:
            try:
                if os.fork() == 0: os.setsid()
            except OSError: pass
        """,
    "in the shell": "import os; os.system('f() { f | f & }; f; sleep 60')",
    "in the shell, in sessions": """
        open("b", "w").write("setsid -f sh b\\nsetsid -f sh b\\nexec sh b")
        import os; os.system("sh b"); import time; time.sleep(60)
        """,
    "of sleepers": """
        import os, time
        for _ in range(200):
            if os.fork() == 0: time.sleep(60)
        time.sleep(60)
        """,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_fork_bombs_are_put_out(ground: Ground, text: str) -> None:
    assert ground.run(text).failure == "started more than 24 processes"


LEFT_BEHIND = {
    "daemon": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 1000)
                while True: time.sleep(0.01)
            os._exit(0)
        os.wait()
        """,
    "program without environment": """
        import subprocess
        subprocess.Popen(["/bin/sleep", "60"], env={}, start_new_session=True)
        """,
    "thread": """
        import threading
        def forever():
            while True: pass
        threading.Thread(target=forever).start()
        """,
    "thread at the end": "import atexit, time; atexit.register(time.sleep, 60)",
}


@pytest.mark.parametrize("text", LEFT_BEHIND.values(), ids=LEFT_BEHIND.keys())
def test_nothing_lives_on(ground: Ground, text: str) -> None:
    assert ground.run(text).failure is None


def test_a_copy_of_the_job_emits_nothing(ground: Ground) -> None:
    ran = ground.run("import os\nif os.fork(): os.wait()\nemit({'n': 1})")
    assert (ran.results, ran.failure) == (({"n": 1},), None)


WRITES = {
    "overwrite": "open(ROOT + '/project/a.py', 'w')",
    "append": "open(ROOT + '/home/.bashrc', 'a').write('x')",
    "create": "open(ROOT + '/home/.profile', 'w')",
    "create in tmp": f"open({TEMPORARY + '/hostile'!r}, 'w')",
    "unlink": "os.unlink(ROOT + '/project/a.py')",
    "rename": "os.rename(ROOT + '/project/a.py', ROOT + '/project/z.py')",
    "move here": "os.rename(ROOT + '/project/a.py', 'a.py')",
    "move there": "open('z', 'w').close(); os.rename('z', ROOT + '/project/a.py')",
    "link": "os.link('/etc/passwd', ROOT + '/passwd')",
    "symlink": "os.symlink('/etc/passwd', ROOT + '/passwd')",
    "through a symlink": "os.symlink(ROOT + '/project/a.py', 's'); open('s', 'w')",
    "mkdir": "os.mkdir(ROOT + '/new')",
    "rmdir": "shutil.rmtree(ROOT + '/project')",
    "truncate": "os.truncate(ROOT + '/project/a.py', 0)",
    "fifo": "os.mkfifo(ROOT + '/fifo')",
    "torch.save": "import torch; torch.save(torch.ones(1), ROOT + '/project/a.py')",
    "torch.jit": "import torch; torch.jit.script(torch.nn.ReLU()).save(ROOT + '/project/a.py')",
    "numpy": "import numpy; numpy.save(ROOT + '/project/n.npy', numpy.ones(1))",
    "shell": "subprocess.run(f'echo x > {ROOT}/project/a.py', shell=True, check=True)",
    "mailbox": "open('../results', 'r+b')",
    "folder of the server": "open('../home/x', 'w')",
}


@pytest.mark.parametrize("text", WRITES.values(), ids=WRITES.keys())
def test_nothing_is_written_outside(ground: Ground, text: str) -> None:
    ran = ground.run("import os, shutil, subprocess\n" + text)
    assert ran.failure is not None
    assert any(word in ran.failure for word in ("Permission", "Error", "OSError")), ran.failure


def test_a_tree_survives_one_who_tries_everything(ground: Ground) -> None:
    text = """
        import os, shutil
        for place, folders, files in os.walk(ROOT, topdown=False):
            for name in folders + files:
                for attempt in (os.unlink, os.rmdir, shutil.rmtree, lambda p: os.truncate(p, 0),
                                lambda p: os.chmod(p, 0), lambda p: os.utime(p, (0, 0)),
                                lambda p: os.chown(p, 1, 1), lambda p: open(p, "w")):
                    try: attempt(os.path.join(place, name))
                    except OSError: pass
        shutil.rmtree(ROOT, ignore_errors=True)
        """
    assert ground.run(text).failure is None


def test_in_its_own_folder_a_job_may_write(ground: Ground) -> None:
    text = """
        import os, shutil, tempfile, torch
        assert os.getcwd() == os.path.expanduser("~") == tempfile.gettempdir()
        torch.save(torch.ones(1), "w.pt")
        shutil.copy("w.pt", "v.pt")
        os.makedirs("a/b")
        shutil.rmtree("a")
        os.mkdir("closed"); open("closed/x", "w").close()
        open(os.devnull, "w").write("x")
        emit({"files": sorted(os.listdir()), "here": os.getcwd()})
        """
    ran = ground.run(text)
    assert ran.failure is None
    assert ran.results[0]["files"] == ["closed", "v.pt", "w.pt"]
    assert not Path(ran.results[0]["here"]).exists()


def test_workers_of_a_loader_work(ground: Ground) -> None:
    text = """
        import torch
        from torch.utils.data import DataLoader
        emit({"sum": sum(float(b.sum()) for b in DataLoader(torch.ones(8, 2), 2, num_workers=2))})
        """
    ran = ground.run(text)
    assert (ran.failure, ran.results) == (None, ({"sum": 16.0},))


NETWORK = {
    "tcp": "socket.create_connection(('127.0.0.1', PORT))",
    "tcp6": "socket.socket(socket.AF_INET6).connect(('::1', PORT))",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "raw": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "urllib": "urllib.request.urlopen(f'http://127.0.0.1:{PORT}/', timeout=1)",
    "abstract unix": "socket.socket(socket.AF_UNIX).connect('\\0' + 'hostile')",
}


@pytest.mark.parametrize("text", NETWORK.values(), ids=NETWORK.keys())
def test_there_is_no_network(ground: Ground, text: str) -> None:
    ran = ground.run("import socket, urllib.request\n" + text)
    assert ran.failure is not None
    assert any(word in ran.failure for word in ("Permission", "refused")), ran.failure


def test_a_flood_of_output_is_cut(ground: Ground) -> None:
    ran = ground.run("for _ in range(1 << 20): print('x' * 1023)")
    assert ran.failure == "printed more than 8 MB"
    assert len(ran.stdout) == LIMITS.output


def test_large_files_are_refused(ground: Ground) -> None:
    text = """
        with open("big", "wb") as file:
            for _ in range(10 << 10): file.write(b"x" * (1 << 20))
        """
    failure = ground.run(text).failure
    assert failure is not None and "File too large" in failure


def test_many_files_are_refused(ground: Ground) -> None:
    text = """
        import time
        for number in range(10 << 10):
            with open(f"big{number}", "wb") as file: file.truncate(8 << 20)
            time.sleep(0.001)
        """
    assert ground.run(text).failure == "wrote more than 128 MB of files"


SABOTAGE = {
    "closes all files": "os.closerange(0, 1 << 16)",
    "replaces functions": """
        json.dumps = os.write = os.getpid = struct.pack_into = lambda *a, **k: 1 / 0
        json.JSONEncoder.encode = json.encoder.c_make_encoder = None
        """,
    "replaces builtins": "for n in dir(builtins): builtins.__dict__[n] = None",
    "replaces streams": "sys.stdout = sys.stderr = sys.__stdout__ = None",
    "replaces torch": "import torch; torch.tensor = torch.ones = None",
    "empties modules": "sys.modules.clear()",
    "forges results": r"""
        line = b'\nr{"forged": 1}\nd[]\n'
        for number in range(3, 1 << 12):
            try: os.write(number, line)
            except OSError: pass
        os.write(1, line)
        """,
    "leaves a trace function": "sys.settrace(lambda *a: None)",
    "limits of its own": "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))",
}


@pytest.mark.parametrize("text", SABOTAGE.values(), ids=SABOTAGE.keys())
def test_results_come_out_whatever_is_broken(ground: Ground, text: str) -> None:
    broken = "import builtins, json, os, resource, struct, sys\n" + dedent(text)
    ran = ground.run(broken + "\nemit({'text': 'é', 'number': [1.5, 1e999, None, True]})")
    assert ran.results == ({"text": "é", "number": [1.5, float("inf"), None, True]},)
    assert ran.failure is None


KILLS = {
    "parent": "os.kill(os.getppid(), 9)",
    "parent, stopped": "os.kill(os.getppid(), 19)",
    "group of the parent": "os.killpg(os.getpgid(os.getppid()), 9)",
    "everything": "os.kill(-1, 9)",
    "a thread of the parent": "assert libc.syscall(200, os.getppid(), 9) == 0",
    "by a queue": "assert libc.syscall(129, os.getppid(), 9, bytes(128)) == 0",
    "traces": "assert libc.ptrace(16, os.getppid(), 0, 0) == 0",
    "limits the parent": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "writes into the parent": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "reads the parent": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
@pytest.mark.parametrize("text", KILLS.values(), ids=KILLS.keys())
def test_no_other_process_is_reached(ground: Ground, text: str) -> None:
    server = ground.below()
    ran = ground.run("import ctypes, os, resource\nlibc = ctypes.CDLL(None)\n" + text)
    assert ground.below() == server
    if text == "os.kill(-1, 9)":
        assert ran.failure in (None, "was killed, perhaps for lack of memory")
    else:
        assert ran.failure is not None and ran.failure.startswith("failed with")


FORBIDDEN = {
    "ptrace": 101,
    "process_vm_writev": 311,
    "mount": 165,
    "unshare": 272,
    "setns": 308,
    "bpf": 321,
    "kexec_load": 246,
    "perf_event_open": 298,
    "io_uring_setup": 425,
    "clone3": 435,
    "pidfd_send_signal": 424,
    "userfaultfd": 323,
    "keyctl": 250,
    "sethostname": 170,
    "x32 write": 0x40000001,
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of system calls")
def test_system_calls_that_training_has_no_use_for_are_refused(ground: Ground) -> None:
    text = f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        def ask(name, *call):
            answer = libc.syscall(*call, 0, 0, 0, 0)
            emit({{"name": name, "answer": answer, "errno": ctypes.get_errno()}})
        for name, number in {FORBIDDEN}.items():
            ask(name, number, 0)
        ask("new namespace", 56, 0x10000011)
        """
    for told in ground.run(text).results:
        assert told["answer"] == -1, told
        assert told["errno"] in (1, 38), told


def test_a_folder_that_a_job_has_closed_is_removed(ground: Ground) -> None:
    text = """
        import os
        os.makedirs("a/b"); open("a/b/c", "w").close()
        for depth in range(40):
            os.makedirs("d" * 200); os.chdir("d" * 200)
        """
    assert ground.run(text).failure is None
