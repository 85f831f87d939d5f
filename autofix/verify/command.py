"""The user's own command, run on both versions of some files without touching them.

A `sitecustomize` on PYTHONPATH serves the other sources while files are imported, in every Python
process that the command starts. The command itself is run as the user would run it: with the
user's rights, in the working directory, and not confined.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HOOK = Path(__file__).parent / "hook"
_PATIENCE = 1800.0
_NAMED = 3
_TAIL = 2_000


@dataclass(frozen=True, slots=True)
class Swap:
    """One file: where it may be imported from, and both versions."""

    paths: tuple[str, ...]
    before: bytes
    after: bytes

    @property
    def importable(self) -> bool:
        return self.paths[0].endswith(".py")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came of running the command on both versions."""

    refuted: bool
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command."""

    status: int | None
    """None if it took too long."""
    tests: Mapping[str, str] | None
    """For pytest: `passed`, `failed` or `skipped` by test."""
    loaded: frozenset[str]
    output: str
    seconds: float

    def tests_that(self, result: str) -> frozenset[str]:
        return frozenset(test for test, said in (self.tests or {}).items() if said == result)


def run_command(
    command: str, swaps: Sequence[Swap], python: str | None = None, seconds: float = _PATIENCE
) -> CommandResult:
    """Run a command line on both versions. Tests that seem to have been broken get a second
    chance on both sides, as tests can be fickle."""
    runs = {after: _run(command, swaps, after, python, seconds) for after in (False, True)}
    broken = _broken(runs[False], runs[True])
    if broken:
        again = {after: _run(command, swaps, after, python, seconds) for after in (False, True)}
        broken &= _broken(again[False], again[True])
    return _result(command, swaps, runs[False], runs[True], broken)


def _broken(before: Run, after: Run) -> frozenset[str]:
    """What passed and does not any more: tests, or `""` for the command itself."""
    worse = before.status == 0 and after.status != 0
    # Pytest ends with 1 if tests fail, and with more if it could not run them.
    ended = before.tests and before.status in (0, 1) and after.status not in (0, 1)
    if before.tests and after.tests:
        lost = before.tests_that("passed") & after.tests_that("failed")
        if worse or ended:
            lost |= before.tests_that("passed") - after.tests.keys()
        return lost
    return frozenset([""] if worse or ended else [])


def _result(
    command: str, swaps: Sequence[Swap], before: Run, after: Run, broken: frozenset[str]
) -> CommandResult:
    loaded = before.loaded & after.loaded
    unseen = [swap.paths[-1] for swap in swaps if not loaded.intersection(swap.paths)]
    mended = before.tests_that("failed") & after.tests_that("passed")
    evidence: dict[str, Any] = {
        "line": command,
        "exit before": before.status,
        "exit after": after.status,
        "seconds": round(before.seconds + after.seconds, 1),
        "not exercised": [_shown(path) for path in unseen],
    }
    if before.tests is not None and after.tests is not None:
        evidence["tests"] = len(after.tests)
        evidence["from fail to pass"] = sorted(mended)
        evidence["from pass to fail"] = sorted(broken - {""})
    reason = f"`{command}`: {_said(before, after, broken, mended)}"
    if broken and unseen and len(unseen) == len(swaps):
        # It failed, but not because of sources that it never saw.
        names = _list([_shown(path) for path in unseen])
        return CommandResult(False, f"`{command}` did not load {names}", evidence)
    if broken:
        return CommandResult(True, reason, {**evidence, "output": after.output})
    if unseen:
        names = _list([_shown(path) for path in unseen])
        return CommandResult(False, f"{reason}, but did not load {names}: not exercised", evidence)
    return CommandResult(False, reason, evidence)


def _said(before: Run, after: Run, broken: frozenset[str], mended: frozenset[str]) -> str:
    if broken - {""}:
        return f"from pass to fail: {_list(sorted(broken))}"
    if broken:
        how = "takes too long" if after.status is None else f"exits with {after.status}"
        return f"exits with {before.status} before and {how} after"
    if mended:
        return f"from fail to pass: {_list(sorted(mended))}"
    if before.tests and after.tests is not None:
        return f"no test goes from pass to fail or back ({len(after.tests):,} in all)"
    if after.status == 0:
        return "succeeds on both sides" if before.status == 0 else "fails before, succeeds after"
    return "fails on both sides"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMED]) + more


def _run(
    command: str, swaps: Sequence[Swap], after: bool, python: str | None, seconds: float
) -> Run:
    with tempfile.TemporaryDirectory(prefix="autofix-") as scratch:
        folder = Path(scratch)
        _store(folder, swaps, after)
        begun = time.monotonic()
        with (folder / "output").open("w+b") as output:
            status = _wait(command, _environment(folder, swaps, python), output.fileno(), seconds)
            output.seek(0, os.SEEK_END)
            output.seek(max(0, output.tell() - _TAIL))
            said = output.read().decode("utf-8", "replace")
        return Run(
            status,
            _tests(folder / "junit.xml"),
            _loaded(folder / "loaded"),
            said,
            time.monotonic() - begun,
        )


def _store(folder: Path, swaps: Sequence[Swap], after: bool) -> None:
    """The sources to serve, and which file each stands in for."""
    places: dict[str, str] = {}
    for number, swap in enumerate(swaps):
        source = folder / f"{number}.source"
        source.write_bytes(swap.after if after else swap.before)
        if swap.importable:
            places |= {os.path.realpath(path): str(source) for path in swap.paths}
    (folder / "map.json").write_text(json.dumps(places), encoding="utf-8")


def _environment(folder: Path, swaps: Sequence[Swap], python: str | None) -> dict[str, str]:
    environment = dict(os.environ)
    environment["AUTOFIX_SWAP"] = str(folder)
    _prepend(environment, "PYTHONPATH", str(HOOK))
    if python:
        _prepend(environment, "PATH", str(Path(python).absolute().parent))
    options = ["--junitxml", str(folder / "junit.xml"), "-o", f"cache_dir={folder / 'cache'}"]
    if any(_is_test(path) for swap in swaps for path in swap.paths):
        # Pytest rewrites the files of tests by a loader of its own.
        options.append("--assert=plain")
    given = environment.get("PYTEST_ADDOPTS", "")
    environment["PYTEST_ADDOPTS"] = f"{given} {shlex.join(options)}".strip()
    return environment


def _prepend(environment: dict[str, str], name: str, value: str) -> None:
    given = environment.get(name)
    environment[name] = f"{value}{os.pathsep}{given}" if given else value


def _is_test(path: str) -> bool:
    name = Path(path).stem
    return name == "conftest" or name.startswith("test_") or name.endswith("_test")


def _wait(command: str, environment: Mapping[str, str], output: int, seconds: float) -> int | None:
    """The exit status, or None if it took too long; then all of it is ended."""
    with subprocess.Popen(
        command,
        shell=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as running:
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the command, and what it left running."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
    else:
        running.kill()


def _loaded(log: Path) -> frozenset[str]:
    if not log.exists():
        return frozenset()
    return frozenset(log.read_text(encoding="utf-8", errors="surrogateescape").splitlines())


def _tests(report: Path) -> dict[str, str] | None:
    """What pytest says of each test, or None if it was not pytest."""
    try:
        tree = ElementTree.parse(report)
    except (OSError, ElementTree.ParseError):
        return None
    found: dict[str, str] = {}
    for case in tree.iter("testcase"):
        name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
        kinds = {part.tag for part in case}
        result = "failed" if kinds & {"failure", "error"} else "passed"
        result = "skipped" if "skipped" in kinds and result == "passed" else result
        # An error while a test is torn down is a case of its own.
        found[name] = "failed" if found.get(name) == "failed" else result
    return found


def _shown(path: str) -> str:
    here = str(Path.cwd()) + os.sep
    return path.removeprefix(here)
