"""Patches: whatever the bytes and the path, `git apply` makes them what the tool would write."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autofix.report.patch import patch, relative

BASE = b"import torch\nx = None\nif x == None:\n    print(1)\nend = 1\n"
NOTEBOOK = json.dumps({"cells": [{"source": ["x == None\n", "é"]}], "é": None}, indent=1).encode()

BEFORE = {
    "plain": BASE,
    "no final newline": BASE.rstrip(b"\n"),
    "change in a last line without end": b"x = 1\nx == None",
    "one line": b"x == None",
    "crlf": BASE.replace(b"\n", b"\r\n"),
    "lone cr": BASE.replace(b"\n", b"\r"),
    "mixed": b"a = 1\r\n" + BASE,
    "form feed": b"a = 1\n\x0c\n" + BASE,
    "u2028": "s = 'p\u2028q\x85\x1c'\n".encode() + BASE,
    "mark": b"\xef\xbb\xbf" + BASE,
    "cr in a string": b"s = '''p\rq'''\n" + BASE,
    "latin-1": b"# coding: latin-1\ns = '\xe9'\n" + BASE,
    "notebook": NOTEBOOK,
    "notebook of one line": json.dumps(json.loads(NOTEBOOK)).encode(),
    "far apart": BASE + b"y\n" * 50 + BASE,
    "trailing blanks": BASE.replace(b"1", b"1 \t"),
    "looks like a patch": b"--- a\n+++ b\n@@ -1 +1 @@\n-- x == None\n" + BASE,
}
PATHS = [
    "a.py",
    "my dir/a b.py",
    "d/é😀.py",
    'a"b.py',
    "a\\b.py",
    "tab\there.py",
    "new\nline.py",
    "--- a.py",
    "trailing .py ",
    "a b é.py",
    "\x01\x7f.py",
    "b/a/b.py",
]


def apply_patch(folder: Path, path: str, before: bytes, after: bytes, *command: str) -> bytes:
    """What `git apply`, or another command, makes of the old file."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(before)
    subprocess.run(
        command or ("git", "apply", "--whitespace=nowarn"),
        input=patch(path, before, after),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return target.read_bytes()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
def test_git_takes_any_bytes(repository: Path, before: bytes) -> None:
    after = before.replace(b"== None", b"is None")
    assert before != after
    assert apply_patch(repository, "pkg/a.py", before, after) == after


@pytest.mark.parametrize("path", PATHS)
def test_git_takes_any_path(repository: Path, path: str) -> None:
    assert apply_patch(repository, path, b"a\nb", b"a\nc") == b"a\nc"


def test_git_takes_a_path_that_is_no_text(repository: Path) -> None:
    path = os.fsdecode(b"d/\xe9.py")
    assert apply_patch(repository, path, b"a\n", b"b\n") == b"b\n"


@pytest.mark.skipif(shutil.which("patch") is None, reason="no patch program")
@pytest.mark.parametrize("path", [path for path in PATHS if "\n" not in path])
def test_gnu_patch_takes_it_too(tmp_path: Path, path: str) -> None:
    command = ("patch", "-p1", "--binary", "-s")
    assert apply_patch(tmp_path, path, b"a\r\nb", b"a\r\nc", *command) == b"a\r\nc"


@pytest.mark.parametrize(("before", "after"), [(b"", b"x\n"), (b"x\n", b""), (b"", b"x")])
def test_empty_files_stay_files(repository: Path, before: bytes, after: bytes) -> None:
    assert apply_patch(repository, "a.py", before, after) == after


def test_several_files_in_one_patch(repository: Path) -> None:
    both = b""
    for name, end in (("a.py", b""), ("b c.py", b"\n")):
        (repository / name).write_bytes(b"x" + end)
        both += patch(name, b"x" + end, b"y" + end)
    subprocess.run(["git", "apply"], input=both, cwd=repository, check=True)
    assert (repository / "a.py").read_bytes() == b"y"
    assert (repository / "b c.py").read_bytes() == b"y\n"


def test_the_patch_of_nothing_is_nothing() -> None:
    assert patch("a.py", BASE, BASE) == b""


def test_what_it_looks_like() -> None:
    assert patch("a.py", b"x\ny", b"x\nz") == (
        b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x\n"
        b"-y\n\\ No newline at end of file\n+z\n\\ No newline at end of file\n"
    )
    assert b'--- "a/d/\\303\\251 b.py"\n' in patch("d/é b.py", b"x", b"y")
    assert b"--- a/d/a b.py\t\n" in patch("d/a b.py", b"x", b"y")


SOME_LINES = st.lists(st.sampled_from([b"a\n", b"b\r\n", b"c\n", b"\n"]), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(SOME_LINES, SOME_LINES, st.sampled_from([b"", b"end"]))
def test_git_takes_any_lines(
    repository: Path, old: list[bytes], new: list[bytes], end: bytes
) -> None:
    before, after = b"".join([*old, end]), b"".join([*new, b"a\n"])
    if before != after:
        assert apply_patch(repository, "a.py", before, after) == after


def test_hunks_are_those_of_difflib() -> None:
    before = b"".join(b"%d\n" % n for n in range(60))
    after = before.replace(b"10\n", b"x\n").replace(b"17\n", b"y\nz\n").replace(b"40\n", b"")
    expected = difflib.diff_bytes(
        difflib.unified_diff, before.splitlines(True), after.splitlines(True), b"a/a", b"b/a"
    )
    assert patch("a", before, after) == b"diff --git a/a b/a\n" + b"".join(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.binary(max_size=60).filter(lambda data: b"\0" not in data),
    st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\\", b"\xe9", b" "])).map(b"".join),
)
def test_git_takes_anything(repository: Path, before: bytes, after: bytes) -> None:
    if before != after:
        assert apply_patch(repository, "a.py", before, after) == after


def test_paths_count_from_the_top_of_the_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "src" / "pkg"
    inner.mkdir(parents=True)
    file = inner / "a.py"
    file.write_bytes(b"x\n")
    for folder in (repository, repository / "src", inner):
        monkeypatch.chdir(folder)
        assert relative(file) == "src/pkg/a.py"
        assert relative(Path(os.path.relpath(file))) == "src/pkg/a.py"
    diff = patch(relative(Path("a.py")), b"x\n", b"y\n")
    subprocess.run(["git", "apply"], input=diff, cwd=inner, check=True)
    assert file.read_bytes() == b"y\n"


def test_paths_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    assert relative(here / "b" / "a.py") == "b/a.py"
    assert relative(there / "a.py") == str(there.resolve() / "a.py").lstrip("/")


def test_a_link_is_patched_where_it_leads(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "real.py").write_bytes(b"x\n")
    (repository / "link.py").symlink_to("real.py")
    monkeypatch.chdir(repository)
    assert relative(Path("link.py")) == "real.py"
