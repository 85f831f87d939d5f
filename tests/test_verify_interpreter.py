"""Which interpreter runs the user's code, and what is said of one that cannot."""

import os
import sys
from pathlib import Path

import pytest

from autofix.verify import interpreter
from autofix.verify.interpreter import Interpreter, InterpreterError, examine, find


def fake(folder: Path, says: str, status: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "python"
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="shell scripts play the interpreters")
@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("[[3, 8], null]", "is Python 3.8; autofix needs 3.9 or newer"),
        ("[[3, 11], null]", "has no torch: `{path} -m pip install -U torch`"),
        (
            '[[3, 11], "1.13.1+cu117"]',
            "has torch 1.13.1+cu117; autofix needs 2.2 or newer: `{path} -m pip install -U torch`",
        ),
        ('[[3, 11], "2.1.2"]', "has torch 2.1.2; autofix needs 2.2 or newer"),
        ("hello", "does not answer as a Python interpreter"),
        ("[3]", "does not answer as a Python interpreter"),
    ],
)
def test_an_interpreter_that_will_not_do_says_why(tmp_path: Path, says: str, message: str) -> None:
    path = fake(tmp_path, says)
    with pytest.raises(InterpreterError) as raised:
        examine(str(path))
    assert f"`{path}` " + message.format(path=path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_interpreter_that_is_not_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    for name, message in {
        str(tmp_path / "none"): "there is no interpreter",
        str(tmp_path / "text"): "is not executable",
        str(tmp_path): "is a folder without an interpreter",
        "no-such-python": "there is no interpreter",
    }.items():
        with pytest.raises(InterpreterError, match=message):
            examine(name)


@pytest.mark.skipif(os.name == "nt", reason="shell scripts play the interpreters")
def test_which_interpreter_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = '[[3, 12], "2.9.0"]'
    beside = fake(tmp_path / "p" / ".venv" / "bin", good)
    active = fake(tmp_path / "active" / "bin", good)
    old = fake(tmp_path / "old" / "bin", '[[3, 12], "1.9"]')
    near = tmp_path / "p" / "src" / "a.py"
    near.parent.mkdir()
    near.write_text("")
    assert find(None, near, {}) == Interpreter(str(beside), (3, 12), "2.9.0")
    assert find(None, near, {"VIRTUAL_ENV": str(tmp_path / "active")}).path == str(active)
    assert find(str(tmp_path / "active"), near, {}).path == str(active)
    ours = find(None, tmp_path, {})
    assert ours.path == sys.executable
    assert find(None, near, {"VIRTUAL_ENV": str(tmp_path / "old")}) == ours
    with pytest.raises(InterpreterError, match=r"has torch 1\.9"):
        find(str(old), near, {})


def test_code_of_the_project_does_not_pass_for_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    interpreter._examine.cache_clear()
    assert examine(sys.executable).version == sys.version_info[:2]
