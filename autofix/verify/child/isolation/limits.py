"""What a job may use of the machine, and which of the user's settings it gets to see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import processes

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_MB = 1 << 20
# Files beside the folders of the jobs, that their standard output and standard error go to.
OUTPUTS = ("stdout", "stderr")

# A job is stopped when it has printed this much, filled its folder with so many full files, or
# made so many files there.
_PRINTED = 64 * _MB
_FULL_FILES = 16
_ENTRIES = 20_000

_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|PRIVATE|(^|_)(KEY|PAT|DSN|AUTH)(_|$)|APIKEY"
    r"|^(AWS|AZURE|SSH|GPG|GH|GITHUB|GITLAB|DOCKER|KUBE|VAULT|CI)(_|$)|KUBECONFIG",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]*@")
# Ways to the user's other programs.
_CONNECTIONS = {"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"}
_PYTHON_KEPT = {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE"}
_FIXED = {
    "MPLBACKEND": "Agg",
    "WANDB_MODE": "disabled",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TORCHDYNAMO_DISABLE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
    # A fork is only safe, and sums only come out bit-equal, with one thread.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Limits:
    """What one job may use. Sizes are in bytes."""

    seconds: float = 20.0
    # Beyond what the process has at its start.
    memory: int = 4096 * _MB
    # So much of standard output, and of standard error, is kept.
    output: int = _MB
    file_size: int = 64 * _MB
    processes: int = 64
    # Whether graphics cards are hidden.
    cpu: bool = True


def environment(own: Mapping[str, str], cpu: bool) -> dict[str, str]:
    """What of the user's environment a job may see: no secrets, and nothing that changes runs."""
    kept = {name: value for name, value in own.items() if not _is_hidden(name, value)}
    if "PYTHONPATH" in kept:
        folders = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(f).absolute()) for f in folders if f)
    kept.update(_FIXED)
    kept.update(_caches(own))
    if cpu:
        kept["CUDA_VISIBLE_DEVICES"] = ""
    return kept


def _is_hidden(name: str, value: str) -> bool:
    if name.startswith("PYTHON"):
        return name not in _PYTHON_KEPT
    return bool(
        _SECRET.search(name)
        or _URL_WITH_PASSWORD.search(value)
        or name in _CONNECTIONS
        or name.startswith("COV_")
    )


def _caches(own: Mapping[str, str]) -> dict[str, str]:
    """Where downloaded weights lie: they may be read, and cannot be downloaded again."""
    home = own.get("HOME") or own.get("USERPROFILE") or os.sep
    cache = Path(own.get("XDG_CACHE_HOME") or Path(home, ".cache"))
    places = {"TORCH_HOME": cache / "torch", "HF_HOME": cache / "huggingface"}
    return {
        name: own.get(name, str(place))
        for name, place in places.items()
        if name in own or place.is_dir()
    }


def at_home_in(folder: str) -> dict[str, str]:
    """The variables by which programs find a place for their files."""
    names = "HOME USERPROFILE TMPDIR TEMP TMP MPLCONFIGDIR"
    names += " XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_RUNTIME_DIR"
    return dict.fromkeys(names.split(), folder)


LATE = "took longer than"
"""What is said of a job that has used up its time."""
MOST_WAITING = 4
"""For how many times its own time a job may wait for a processor."""


def available() -> bool:
    return resource is not None


def restrict(limits: Limits, seconds: float, occupied: int, others: int) -> bool:
    """Ask the system to hold this process to its limits.

    `occupied` is the address space that the process has already, `others` how many processes
    and threads the user had running when the verifier started.
    """
    if resource is None:
        return False
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits.file_size,
        "RLIMIT_NOFILE": 4096,
        # The clock on the wall stops a job. This stops what is left when that clock is gone.
        "RLIMIT_CPU": int(seconds * 8) + 10,
    }
    # CUDA reserves far more address space than memory. macOS does not keep to this limit.
    if limits.cpu and sys.platform.startswith("linux"):
        wanted["RLIMIT_AS"] = occupied + limits.memory
    if others:
        wanted["RLIMIT_NPROC"] = others + limits.processes
    held = [_lower(getattr(resource, name), value) for name, value in wanted.items()]
    return all(held)


def _lower(kind: int, wanted: int) -> bool:
    _soft, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        return False
    return True


def volunteer_for_killing() -> None:
    """When memory runs out, the kernel shall take a job before anything else of the user's."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def excess(limits: Limits, root: str, running: list[int], shared: int) -> str | None:
    """What the running processes of a job have too much of, in words.

    `shared` is the memory that each of them may have in common with the server.
    """
    if len(running) > limits.processes:
        return too_many_processes(limits)
    used = sum(max(0, processes.resident(str(process)) - shared) for process in running)
    if used > limits.memory:
        return too_much_memory(limits)
    for name in OUTPUTS:
        if _length(Path(root, name)) >= printable(limits):
            return too_much_printed(limits)
    return None


def too_many_processes(limits: Limits) -> str:
    return f"started more than {limits.processes} processes"


def printable(limits: Limits) -> int:
    """How much a job may print; beyond it, the system takes no more."""
    return min(_PRINTED, limits.file_size)


def too_much_printed(limits: Limits) -> str:
    return f"printed more than {size(printable(limits))}"


def too_much_memory(limits: Limits) -> str:
    return f"used more than {size(limits.memory)} of memory"


def excess_of_files(limits: Limits, folder: str) -> str | None:
    """Whether a job has written too much in all."""
    allowed = _FULL_FILES * limits.file_size
    used = entries = 0
    for place, folders, files in os.walk(folder):
        entries += len(folders) + len(files)
        used += sum(_length(Path(place, name)) for name in files)
        if used > allowed:
            return f"wrote more than {size(allowed)} of files"
        if entries > _ENTRIES:
            return f"made more than {_ENTRIES} files"
    return None


def _length(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def size(number: int) -> str:
    """A number of bytes as a user reads it: `64 MB`, `4 GiB`."""
    if number >= 1 << 30:
        return f"{number / (1 << 30):.3g} GiB"
    if number >= _MB:
        return f"{number / _MB:.3g} MB"
    return f"{number} bytes"
