from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest
import toy_pack

from autofix import AutofixError, batch, check_bytes, fix_bytes, registry
from autofix.config import ConfigError, Resolver, command_line
from autofix.model import Position
from autofix.pipeline import Plan, examine
from autofix.results import FileResult, Report
from autofix.run import Mode, apply_status, check_status, run, run_on_text

BAD = "import torch\ny = torch.bad(x)\n"
GOOD = "import torch\ny = torch.good(x)\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "load", toy_pack.rules)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def look(*paths: str, mode: Mode = Mode.CHECK, **given: object) -> Report:
    return run(paths or (".",), Resolver(command_line(given, ())), mode)


def rules(report: Report) -> list[tuple[str, str]]:
    return [(found.path, found.finding.rule) for found in report.findings]


def save(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


def test_finds_below_a_folder_in_order() -> None:
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/z.py").write_text(BAD)
    save(b=BAD, a=BAD + "torch.choice(1)\n", c="import numpy\n")
    report = look()
    assert rules(report) == [
        ("a.py", "TY101"),
        ("a.py", "TY103"),
        ("b.py", "TY101"),
        ("deep/er/z.py", "TY101"),
    ]
    assert report.files == 4
    assert report.problems == ()
    assert check_status(report) == 1


def test_a_path_below_the_working_directory_is_shown_relative(tmp_path: Path) -> None:
    save(a=BAD)
    assert rules(look(str(tmp_path / "a.py"))) == [("a.py", "TY101")]
    assert rules(look("./a.py")) == [("a.py", "TY101")]


def test_a_path_elsewhere_is_shown_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(a=BAD)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert rules(look("../a.py")) == [("../a.py", "TY101")]


def test_apply_writes_safe_fixes_and_tells_both_kinds() -> None:
    save(a="import torch\ny = torch.bad(x)\ntorch.risky(y)\ntorch.choice(y)\ntorch.hopeless(y)\n")
    report = look(mode=Mode.APPLY)
    assert Path("a.py").read_text() == (
        "import torch\ny = torch.good(x)\ntorch.risky(y)\ntorch.choice(y)\ntorch.hopeless(y)\n"
    )
    assert [(found.finding.rule, found.applied) for found in report.findings] == [
        ("TY101", True),
        ("TY102", False),
        ("TY103", False),
        ("TY104", False),
    ]
    assert report.written == 1
    assert apply_status(report) == 1


def test_unsafe_fixes_on_request_but_never_a_choice() -> None:
    save(a="import torch\ntorch.risky(y)\ntorch.choice(y)\n")
    look(mode=Mode.APPLY, unsafe_fixes=True)
    assert Path("a.py").read_text() == "import torch\ntorch.sound(y)\ntorch.choice(y)\n"


def test_tiers_can_be_moved_by_settings() -> None:
    save(a="import torch\ntorch.risky(y)\ntorch.bad(y)\n")
    moved = {"extend_safe_fixes": ("TY102",), "extend_unsafe_fixes": ("TY101",)}
    tiers = {f.finding.rule: (f.finding.applicability, f.fixable) for f in look(**moved).findings}
    assert tiers == {"TY102": ("safe", True), "TY101": ("unsafe", False)}


def test_diff_writes_nothing() -> None:
    save(a=BAD)
    report = look(mode=Mode.DIFF)
    assert Path("a.py").read_text() == BAD
    assert report.patch.splitlines()[-2:] == [b"-y = torch.bad(x)", b"+y = torch.good(x)"]


def test_what_is_found_in_a_later_round_is_placed_in_the_file_as_it_was() -> None:
    save(a="import torch\r\nx = 1\r\nf(1); torch.steps(x)\r\n")
    report = look(mode=Mode.APPLY)
    assert Path("a.py").read_bytes() == (
        b"import math\r\nimport torch\r\nx = 1\r\nf(1); torch.good(x)\r\n"
    )
    assert [(f.finding.rule, f.start, f.applied) for f in report.findings] == [
        ("TY109", Position(3, 7), True),
        ("TY101", Position(3, 7), True),
    ]
    assert report.findings[1].end.line == 3


def test_a_finding_left_is_placed_in_the_file_as_it_is_now() -> None:
    save(a="import torch\ntorch.steps(x)\ntorch.choice(y)\n")
    left = look(mode=Mode.APPLY).remaining
    assert [(f.finding.rule, f.start.line) for f in left] == [("TY103", 4)]


def test_a_syntax_error_is_a_finding_where_cpython_sees_it() -> None:
    save(a="import torch\ntorch.bad(1)\ndef f(:\n", b=BAD)
    for mode in Mode:
        report = look(mode=mode)
        assert [f.finding.rule for f in report.findings if f.path == "a.py"] == ["syntax-error"]
        assert report.findings[0].start == Position(3, 7)
        assert report.problems == ()
    assert Path("b.py").read_text() == GOOD


def test_a_syntax_error_counts_even_if_no_rule_would_look() -> None:
    save(a="import torch\ndef f(:\n")
    assert rules(look()) == [("a.py", "syntax-error")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"import torch\n\xff\xfe\n", "not utf-8"),
        (b"import torch\0\n", "binary file"),
        (b"# coding: nonsense\nimport torch\n", "unknown encoding"),
        (
            b"import torch\nx = " + b"(" * 90 + b"1" + b")" * 90 + b"\n" + b"-" * 200_000 + b"1\n",
            "nested",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_an_error_and_stops_nothing(data: bytes, said: str) -> None:
    Path("a.py").write_bytes(data)
    save(b=BAD)
    report = look()
    assert [problem.path for problem in report.problems] == ["a.py"]
    assert said in report.problems[0].message
    assert "\n" not in report.problems[0].message
    assert rules(report) == [("b.py", "TY101")]
    assert report.files == 1
    assert check_status(report) == 2


def test_a_broken_notebook_is_an_error() -> None:
    Path("a.ipynb").write_text('{"cells": [ "torch"')
    report = look()
    assert [problem.path for problem in report.problems] == ["a.ipynb"]


def notebook(*cells: str) -> str:
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": cell.splitlines(keepends=True),
                }
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    )


def test_a_notebook_counts_lines_by_cell() -> None:
    Path("a.ipynb").write_text(
        notebook("import torch", "%matplotlib inline\nx = 1", "y = 2\ntorch.bad(y)")
    )
    found = look().findings
    assert [f.start for f in found] == [Position(2, 1, 3)]
    assert [line.number for line in found[0].snippet] == [1, 2]
    look(mode=Mode.APPLY)
    assert json.loads(Path("a.ipynb").read_text())["cells"][2]["source"] == [
        "y = 2\n",
        "torch.good(y)",
    ]


def test_a_snippet_does_not_reach_into_another_cell() -> None:
    Path("a.ipynb").write_text(notebook("import torch", "torch.bad(1)"))
    assert [line.text for line in look().findings[0].snippet] == ["torch.bad(1)"]


def test_a_fix_in_a_magic_of_another_cell_is_declined() -> None:
    Path("a.ipynb").write_text(notebook("%%time\nx = 1", "import torch\ntorch.steps(1)"))
    found = look(mode=Mode.APPLY).findings
    assert [f.finding.declined for f in found] == [
        "the fix would touch a notebook magic, or cross from one cell to another"
    ]
    assert found[0].finding.fix is None


def test_a_fix_may_have_edits_in_several_cells() -> None:
    text = notebook("# first", "import torch\ntorch.steps(1)")
    Path("a.ipynb").write_text(text)
    (found,) = look().findings
    assert found.finding.declined is None
    assert found.start.cell == 2
    assert {change.start.cell for change in found.changes} == {1, 2}
    look(mode=Mode.APPLY)
    cells = json.loads(Path("a.ipynb").read_text())["cells"]
    old = json.loads(text)["cells"]
    assert all(cell["source"] != before["source"] for cell, before in zip(cells, old, strict=True))


def test_a_cell_that_is_not_python_is_a_finding_and_the_others_are_analysed() -> None:
    Path("a.ipynb").write_text(notebook("import torch", "def f(:", "torch.bad(1)"))
    found = look().findings
    assert [(f.finding.rule, f.start.cell) for f in found] == [("syntax-error", 2), ("TY101", 3)]


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.APPLY])
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("crash", "rule `TY105` crashed"),
        ("deep", "rule `TY111` crashed"),
        ("overlap", "rule `TY110` crashed"),
    ],
)
def test_a_rule_that_crashes_loses_nothing_else(mode: Mode, call: str, said: str) -> None:
    save(a=f"import torch\ntorch.{call}(1)\ntorch.bad(1)\n", b=BAD)
    report = look(mode=mode)
    assert [problem.path for problem in report.problems] == ["a.py"]
    assert said in report.problems[0].message
    assert ("a.py", "TY101") in rules(report)
    assert ("b.py", "TY101") in rules(report)
    assert report.files == 2
    if mode is Mode.APPLY:
        assert Path("a.py").read_text() == f"import torch\ntorch.{call}(1)\ntorch.good(1)\n"


@pytest.mark.parametrize(
    ("call", "said"), [("breaks", "TY106: the fixed file does not parse"), ("grow", "TY107: still")]
)
def test_a_fix_gone_wrong_leaves_the_file_as_it_was(call: str, said: str) -> None:
    text = f"import torch\nfrom torch import f\ntorch.{call}(1)\ntorch.bad(1)\n"
    save(a=text, b=BAD)
    report = look(mode=Mode.APPLY)
    assert Path("a.py").read_text() == text
    assert Path("b.py").read_text() == GOOD
    assert said in report.problems[0].message
    assert [f.applied for f in report.findings] == [False, False, True]
    assert apply_status(report) == 2


def test_a_file_that_cannot_be_written_keeps_its_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    save(a="import torch\ntorch.steps(x)\n")
    Path("a.py").chmod(0o444)
    report = look(mode=Mode.APPLY)
    assert [problem.message for problem in report.problems] == ["read-only, not written"]
    assert [(f.finding.rule, f.applied, f.start.line) for f in report.findings] == [
        ("TY109", False, 2)
    ]
    assert report.written == 0


def test_odd_paths_are_errors_or_folders_and_never_hang() -> None:
    os.mkfifo("pipe.py")
    Path("link.py").symlink_to("nowhere.py")
    Path("folder.py").mkdir()
    Path("folder.py/a.py").write_text(BAD)
    report = look("pipe.py", "link.py", "missing.py", "folder.py")
    assert sorted(problem.path for problem in report.problems) == [
        "link.py",
        "missing.py",
        "pipe.py",
    ]
    assert rules(report) == [("folder.py/a.py", "TY101")]
    assert look().problems == ()


def test_a_file_that_vanishes_after_discovery_is_an_error() -> None:
    task = batch.Task("gone.py", "gone.py", 0)
    [result] = batch.run(batch.Batch((task,), (Plan(()),)), 1)
    assert result.problems[0].message == "cannot be read: no such file or directory"
    assert not result.looked_at


def test_ignore_comments_and_unused_ones() -> None:
    save(
        a="import torch\ntorch.bad(1)  # autofix: ignore[bad-call]\n"
        "torch.good(1)  # autofix: ignore[TY101]\n"
    )
    assert rules(look()) == [("a.py", "AG901")]
    assert rules(look(ignore=("AG901",))) == []
    look(mode=Mode.APPLY)
    assert Path("a.py").read_text() == (
        "import torch\ntorch.bad(1)  # autofix: ignore[bad-call]\ntorch.good(1)\n"
    )


def test_a_crashed_rule_leaves_its_ignore_comments_alone() -> None:
    save(a="import torch\ntorch.crash(1)  # autofix: ignore[TY105]\n")
    assert rules(look()) == []


def test_an_ignore_comment_for_an_unselected_rule_is_not_unused() -> None:
    save(a="import torch\nx = 1  # autofix: ignore[TY101]\n")
    assert rules(look(select=("TY102", "AG901"))) == []


def test_per_file_ignores() -> None:
    Path("tests").mkdir()
    Path("tests/a.py").write_text(BAD + "torch.choice(1)\n")
    save(a=BAD)
    Path("pyproject.toml").write_text(
        '[tool.autofix.per-file-ignores]\n"tests/*" = ["bad-call"]\n"!tests/*" = ["TY103"]\n'
    )
    assert rules(look()) == [("a.py", "TY101"), ("tests/a.py", "TY103")]


def test_each_project_below_has_settings_and_excludes_of_its_own() -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        for name in ("a", "gen"):
            Path(folder, f"{name}.py").write_text(BAD + "torch.choice(1)\n")
    Path("two/pyproject.toml").write_text(
        '[tool.autofix]\nselect = ["TY103"]\nextend-exclude = ["gen.py"]\n'
    )
    expected = [
        ("one/a.py", "TY101"),
        ("one/a.py", "TY103"),
        ("one/gen.py", "TY101"),
        ("one/gen.py", "TY103"),
        ("two/a.py", "TY103"),
    ]
    assert rules(look()) == expected
    assert rules(look("one", "two")) == expected
    assert ("two/gen.py", "TY103") in rules(look("one", "two/gen.py"))


def test_one_file_by_two_paths_is_looked_at_once() -> None:
    Path("sub").mkdir()
    Path("sub/pyproject.toml").write_text("[tool.autofix]\n")
    Path("sub/a.py").write_text(BAD)
    assert len(look(".", "sub", "sub/a.py").findings) == 1


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ('select = ["TY999"]', "`select`: unknown rule `TY999`"),
        ('extend-safe-fixes = ["bad-cal"]', "`extend-safe-fixes`: unknown rule `bad-cal`"),
        ('per-file-ignores = { "a" = ["NOPE"] }', "`per-file-ignores`: unknown rule `NOPE`"),
    ],
)
def test_an_unknown_rule_is_told_with_its_place(setting: str, where: str) -> None:
    save(a=BAD)
    Path("pyproject.toml").write_text(f"[tool.autofix]\n{setting}\n")
    with pytest.raises(ConfigError) as caught:
        look("a.py")
    assert where in str(caught.value)
    assert "pyproject.toml" in str(caught.value)


def test_a_pool_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        save(**{f"f{number:02}": BAD * (number % 3) + "# padding\n" * number})
    alone = look(jobs=1)
    monkeypatch.setattr(batch, "POOL_ABOVE", 0)
    monkeypatch.setattr("autofix.pool._CHUNK", 300)
    together = look(jobs=2)
    assert together == alone
    assert len(alone.findings) > 20


def test_a_pool_of_fresh_processes_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on systems that cannot fork.
    monkeypatch.setattr("autofix.pool._context", lambda: multiprocessing.get_context("spawn"))
    monkeypatch.setattr(batch, "POOL_ABOVE", 0)
    save(a=BAD, b=BAD + "torch.crash(1)\n")
    assert look(jobs=2) == look(jobs=1)


def test_a_pool_repairs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "POOL_ABOVE", 0)
    for number in range(4):
        save(**{f"f{number}": BAD})
    report = look(mode=Mode.APPLY, jobs=2)
    assert report.written == 4
    assert {Path(f"f{number}.py").read_text() for number in range(4)} == {GOOD}


def test_a_file_that_kills_its_process_is_the_only_one_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "POOL_ABOVE", 0)
    monkeypatch.setattr("autofix.pool._CHUNK", 200)
    for number in range(20):
        save(**{f"f{number:02}": "import torch\ntorch.kill(1)\n" if number in (3, 11) else BAD})
    report = look(jobs=2)
    assert [problem.path for problem in report.problems] == ["f03.py", "f11.py"]
    assert "died" in report.problems[0].message
    assert len(report.findings) == 18
    assert check_status(report) == 2


def test_a_panic_that_is_no_exception_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicError(BaseException):
        pass

    def panic(*_: object) -> FileResult:
        raise PanicError("at the disco")

    monkeypatch.setattr("autofix.pipeline.load", panic)
    result = examine(b"torch", "a.py", "a.py", Plan(()))
    assert result.problems[0].message.endswith("PanicError: at the disco")


def test_what_does_not_mention_torch_is_not_even_decoded() -> None:
    Path("a.py").write_bytes(b"\xff\xfe not python at all")
    report = look()
    assert (report.files, report.problems, report.findings) == (1, (), ())


def test_text_from_stdin() -> None:
    report, after = run_on_text(BAD.encode(), "-", Resolver(), Mode.APPLY)
    assert after == GOOD.encode()
    assert [(f.path, f.applied) for f in report.findings] == [("-", True)]
    broken = b"import torch\ndef f(:\n"
    report, after = run_on_text(broken, "sub/x.py", Resolver(), Mode.APPLY)
    assert after == broken
    assert rules(report) == [("sub/x.py", "syntax-error")]


def test_text_from_stdin_heeds_forced_excludes() -> None:
    save(a=BAD)
    resolver = Resolver(command_line({"extend_exclude": ("a.py",), "force_exclude": True}, ()))
    report, after = run_on_text(BAD.encode(), "a.py", resolver, Mode.APPLY)
    assert (report.findings, after) == ((), BAD.encode())


def test_the_bytes_api() -> None:
    assert fix_bytes(BAD.encode()) == GOOD.encode()
    assert [found.finding.rule for found in check_bytes(BAD.encode())] == ["TY101"]
    assert check_bytes(BAD.encode(), ignore=["TY1"]) == ()
    assert fix_bytes(b"import torch\ntorch.risky(1)\n", unsafe=True).endswith(b"sound(1)\n")
    with pytest.raises(AutofixError, match="not utf-8"):
        check_bytes(b"torch\xff")
