"""The user's interpreter: which one it is, and whether it can run what is to be verified."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_OLDEST_PYTHON = (3, 9)
_OLDEST_TORCH = (2, 2)
_ASKING_SECONDS = 60.0
_INSTALL = "pip install -U torch"

# torch is not imported, which takes seconds: the metadata of what is installed say its version,
# and where there are none, the package's own file does.
_QUESTION = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]  # Nothing from the working directory.
import json
def version():
    try:
        from importlib.metadata import version
        return version("torch")
    except Exception:
        pass
    try:
        from importlib.util import find_spec
        folder = find_spec("torch").submodule_search_locations[0]
        names = {}
        exec(open(folder + "/version.py").read(), names)
        return str(names["__version__"])
    except Exception:
        return None
print("\\n" + json.dumps([list(sys.version_info[:2]), version()]))
"""


class InterpreterError(Exception):
    """Why an interpreter cannot be used, in one line for the user."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can run what is to be verified."""

    path: str
    version: tuple[int, int]
    torch: str


def find(
    explicit: str | None, near: Path, environment: Mapping[str, str] | None = None
) -> Interpreter:
    """The interpreter to use for the file or folder `near`. Raises InterpreterError.

    A named one is taken or refused. Else it is that of the active environment, of one beside
    or above the file, or our own, which also stands in when the one found has no torch.
    """
    if explicit is not None:
        return examine(explicit)
    environment = os.environ if environment is None else environment
    candidate = next(_candidates(near, environment), sys.executable)
    try:
        return examine(candidate)
    except InterpreterError:
        if candidate == sys.executable:
            raise
        try:
            return examine(sys.executable)
        except InterpreterError:
            pass
        raise


def _candidates(near: Path, environment: Mapping[str, str]) -> Iterator[str]:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environment.get(name):
            yield from _inside(Path(environment[name]))
    for start in (near.absolute(), Path.cwd()):
        for folder in (start, *start.parents):
            for name in (".venv", "venv"):
                yield from _inside(folder / name)


def _inside(environment: Path) -> Iterator[str]:
    """The interpreter of a virtual environment, if it is one."""
    for name in ("bin/python", "Scripts/python.exe", "python.exe"):
        if (environment / name).is_file():
            yield str(environment / name)
            return


def examine(python: str) -> Interpreter:
    """Look at one interpreter: a path, a name on the search path, or a virtual environment."""
    return _examine(_located(python))


def _located(python: str) -> str:
    path = Path(python).expanduser()
    if path.is_dir():
        found = next(_inside(path), None)
        if found is None:
            raise InterpreterError(f"`{python}` is a folder without an interpreter")
        return found
    if path.parent == Path() and not path.exists():
        on_path = shutil.which(python)
        if on_path is not None:
            return on_path
    if not path.exists():
        raise InterpreterError(f"there is no interpreter `{python}`")
    if not os.access(path, os.X_OK):
        raise InterpreterError(f"`{python}` is not executable")
    # Not resolved: a link into a virtual environment is what makes it that environment's.
    return str(path.absolute())


@functools.cache
def _examine(path: str) -> Interpreter:
    version, torch = _ask(path)
    if version < _OLDEST_PYTHON:
        told, wanted = _dotted(version), _dotted(_OLDEST_PYTHON)
        raise InterpreterError(f"`{path}` is Python {told}; autofix needs {wanted} or newer")
    if torch is None:
        raise InterpreterError(f"`{path}` has no torch: `{path} -m {_INSTALL}`")
    numbers = re.match(r"(\d+)\.(\d+)", torch)
    if numbers is None or tuple(map(int, numbers.groups())) < _OLDEST_TORCH:
        wanted = _dotted(_OLDEST_TORCH)
        raise InterpreterError(
            f"`{path}` has torch {torch}; autofix needs {wanted} or newer: `{path} -m {_INSTALL}`"
        )
    return Interpreter(path, version, torch)


def _ask(path: str) -> tuple[tuple[int, int], str | None]:
    refused = InterpreterError(f"`{path}` does not answer as a Python interpreter")
    try:
        answer = subprocess.run(
            [path, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASKING_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise InterpreterError(f"`{path}` cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise refused from None
    lines = answer.stdout.strip().splitlines()
    try:
        version, torch = json.loads(lines[-1])
        return (int(version[0]), int(version[1])), None if torch is None else str(torch)
    except (IndexError, ValueError, TypeError):
        raise refused from None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
