"""The programs of examples/ have the bugs that they are there for, and learn after the repair."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FINDINGS = {
    "calibrate.py": ["AG102"],
    "match_joints.ipynb": ["AG201"],
    "pose/body.py": ["AG301"],
    "pose/camera.py": ["AG101"],
    "pose/clip.py": ["AG102"],
}

sys.path.insert(0, str(ROOT / "tools"))

import demo  # noqa: E402


def autofix(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autofix", *arguments],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=ignored))


def test_all_four_bugs_are_found_and_their_fixes_are_safe() -> None:
    done = autofix("check", "--output-format", "json", "examples")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["errors"] == []
    found: dict[str, list[str]] = {}
    for finding in report["findings"]:
        assert finding["applicability"] == "safe"
        found.setdefault(finding["path"].removeprefix("examples/"), []).append(finding["rule"])
    assert found == FINDINGS


def test_nothing_is_left_after_apply(copy: Path) -> None:
    assert autofix("apply", "examples", cwd=copy.parent).returncode == 0
    assert autofix("check", "examples", cwd=copy.parent).returncode == 0
    changed = {
        str(path.relative_to(copy))
        for path in copy.rglob("*.*")
        if path.is_file() and path.read_bytes() != (EXAMPLES / path.relative_to(copy)).read_bytes()
    }
    assert changed == set(FINDINGS)


def test_the_patch_is_what_apply_writes(copy: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    done = autofix("apply", "--diff", "examples", cwd=copy.parent)
    assert done.returncode == 1
    patched = copy.parent / "patched"
    shutil.copytree(copy, patched / "examples")
    subprocess.run(
        ["git", "apply", "-"], input=done.stdout, cwd=patched, encoding="utf-8", check=True
    )
    autofix("apply", "examples", cwd=copy.parent)
    for path in FINDINGS:
        assert (patched / "examples" / path).read_bytes() == (copy / path).read_bytes()


def test_the_programs_learn_after_the_repair_only(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    autofix("apply", "examples", cwd=copy.parent)
    before, after = demo.watch(EXAMPLES), demo.watch(copy)

    assert set(before) == set(after) == set(demo.PROGRAMS)
    check_silent(before["train.py"], after["train.py"])
    for name in ("calibrate.py", "match_joints.ipynb"):
        assert before[name]["where"] == "`backward()`"
    for outcome in after.values():
        assert all(outcome["parameters"].values())
        first, last = outcome["losses"]
        assert last < first / 100
        assert outcome["warnings"] == 0


def check_silent(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Without an error: the same first loss, but parameters are missing or get no gradient."""
    assert before["losses"][0] == pytest.approx(after["losses"][0], rel=1e-6)
    assert before["losses"][1] > before["losses"][0] / 2
    assert "shape" not in before["parameters"]
    assert "shape" in after["parameters"]
    assert not before["parameters"]["cameras.0.angle"]
    assert before["parameters"]["cameras.0.shift"]


def test_the_table_says_what_came_of_each_program() -> None:
    crashed = {"error": "RuntimeError: no", "where": "`backward()`", "warnings": 1}
    silent = {"losses": (2.0, 1.0), "parameters": {"a.0.w": False}, "warnings": 0}
    learnt = {"losses": (2.0, 0.0), "parameters": {"a.0.w": True, "b": True}, "warnings": 0}
    before = dict.fromkeys(demo.PROGRAMS, silent) | {"calibrate.py": crashed}
    lines = list(demo.table(before, dict.fromkeys(demo.PROGRAMS, learnt)))
    words = [line.split() for line in lines]
    assert ["a.*.w", "no", "gradient", "gets", "a", "gradient"] in words
    assert ["b", "not", "in", "`model.parameters()`", "gets", "a", "gradient"] in words
    assert ["loss", "2.0000", "->", "1.0000", "2.0000", "->", "0.0000"] in words
    assert "calibrate.py        crashes in `backward()`           runs" in lines
    assert lines[-1] == "calibrate.py, as written:\n  RuntimeError: no"
