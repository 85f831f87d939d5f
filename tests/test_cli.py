from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_pack
from click.testing import CliRunner, Result

from autofix import __version__, registry
from autofix.cli._app import app
from autofix.cli._output import style_for

LOAD = registry.load
BAD = "import torch\ny = torch.bad(x)\n"
GOOD = "import torch\ny = torch.good(x)\n"
BROKEN = "import torch\ndef f(:\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "load", toy_pack.rules)
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def autofix(*arguments: str, stdin: bytes | str = "") -> Result:
    result = CliRunner().invoke(app, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def save(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


def process(
    *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """A run of its own, in the working directory, with the toy rules as an installed pack."""
    pack = Path(".pack").absolute()
    env = toy_pack.install(pack) if not pack.exists() else toy_pack.environment(pack)
    return subprocess.run(
        [sys.executable, "-m", "autofix", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **env, **environment},
        check=False,
        timeout=60,
    )


# --- exit status and streams


def test_check_of_clean_code() -> None:
    save(a=GOOD)
    result = autofix("check")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "all clean: 1 file looked at\n"


def test_check_with_findings() -> None:
    save(a=BAD)
    result = autofix("check", "a.py")
    assert result.exit_code == 1
    assert result.stdout.startswith("TY101 [*] `torch.bad` is bad   (bad-call)\n --> a.py:2:5\n")
    assert result.stderr.startswith("1 finding in 1 file (1 fixable). `autofix apply a.py` fixes 1")
    assert Path("a.py").read_text() == BAD


@pytest.mark.parametrize("call", ["risky", "choice", "hopeless"])
@pytest.mark.parametrize("command", ["check", "apply"])
def test_a_finding_of_any_tier_counts(command: str, call: str) -> None:
    save(a=f"import torch\ntorch.{call}(1)\n")
    result = autofix(command)
    assert result.exit_code == 1
    assert "--> a.py:2:1" in result.stdout


def test_a_syntax_error_is_a_finding() -> None:
    save(a=BROKEN)
    for command in ("check", "apply"):
        result = autofix(command)
        assert result.exit_code == 1
        assert result.stdout == "syntax-error invalid syntax\n --> a.py:2:7\n\n"


@pytest.mark.parametrize("command", ["check", "apply", "apply --diff"])
def test_what_cannot_be_looked_at_is_2_and_never_all_clean(command: str) -> None:
    save(a=GOOD)
    Path("b.py").write_bytes(b"import torch\n\xff")
    result = autofix(*command.split(), ".", "missing.py")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "all clean" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines[0] == "error: missing.py: no such file or directory"
    assert lines[1].startswith("error: b.py: not utf-8")
    assert lines[2] == "nothing found in 1 file, but not everything could be looked at (2 errors)"


def test_a_crash_does_not_hide_findings_but_is_2() -> None:
    save(a="import torch\ntorch.crash(1)\ntorch.bad(1)\n")
    result = autofix("check")
    assert result.exit_code == 2
    assert "TY101" in result.stdout
    assert "error: a.py: rule `TY105` crashed" in result.stderr


def test_apply_fixes() -> None:
    save(a=BAD)
    result = autofix("apply")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wrote 1 fix in 1 file (not verified), nothing left\n"
    assert Path("a.py").read_text() == GOOD
    assert autofix("apply").stderr == "all clean: 1 file looked at\n"


def test_apply_tells_what_is_left() -> None:
    save(a=BAD + "torch.risky(1)\n")
    result = autofix("apply")
    assert result.exit_code == 1
    assert "TY102" in result.stdout
    assert "TY101" not in result.stdout
    assert autofix("apply", "--unsafe-fixes").exit_code == 0
    assert Path("a.py").read_text() == GOOD + "torch.sound(1)\n"


def test_exit_non_zero_on_fix() -> None:
    save(a=BAD)
    assert autofix("apply", "--exit-non-zero-on-fix").exit_code == 1
    assert autofix("apply", "--exit-non-zero-on-fix").exit_code == 0


def test_a_fix_gone_wrong_is_2_and_writes_nothing() -> None:
    save(a="import torch\ntorch.breaks(1)\n")
    result = autofix("apply")
    assert result.exit_code == 2
    assert "TY106" in result.stderr
    assert Path("a.py").read_text() == "import torch\ntorch.breaks(1)\n"


@pytest.mark.parametrize("flag", ["--diff", "--dry-run"])
def test_diff_prints_a_patch_alone(flag: str) -> None:
    save(a=BAD + "torch.hopeless(1)\n", b=GOOD)
    result = autofix("apply", flag, "--show-fixes")
    assert result.exit_code == 1
    assert result.stdout.startswith("diff --git a/a.py b/a.py\n")
    assert "1 x TY101 (bad-call)" in result.stderr
    assert "would write 1 fix in 1 file, 1 finding left" in result.stderr
    assert Path("a.py").read_text() == BAD + "torch.hopeless(1)\n"


def test_an_empty_diff_is_0_whatever_is_left() -> None:
    save(a="import torch\ntorch.hopeless(1)\n")
    result = autofix("apply", "--diff")
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_patch_applies(project: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    Path("a b.py").write_bytes(b"# coding: latin-1\r\nimport torch\r\nx = '\xe9'; torch.bad(x)")
    Path("sub").mkdir()
    Path("sub/c.py").write_text(BAD)
    patch = process("apply", "--diff", "--exclude", ".pack")
    assert patch.returncode == 1
    subprocess.run(["git", "apply"], input=patch.stdout, check=True)
    assert Path("a b.py").read_bytes().endswith(b"x = '\xe9'; torch.good(x)")
    assert Path("sub/c.py").read_text() == GOOD


# --- what to look at, and for what


def test_no_files() -> None:
    result = autofix("check")
    assert (result.exit_code, result.stderr) == (0, "no Python files or notebooks found\n")


def test_selecting() -> None:
    save(a="import torch\ntorch.bad(1)\ntorch.risky(1)\ntorch.choice(1)\n")

    def found(*arguments: str) -> list[str]:
        text = autofix("check", "--output-format", "concise", *arguments).stdout
        return re.findall(r"TY\d+", text)

    assert found() == ["TY101", "TY102", "TY103"]
    assert found("--select", "TY101,open-choice") == ["TY101", "TY103"]
    assert found("--select", "TY101", "--select", "TY102") == ["TY101", "TY102"]
    assert found("--ignore", "TY10") == []
    assert found("--ignore", "TY10", "--extend-select", "risky-call") == ["TY102"]
    assert found("--config", 'select=["TY103"]') == ["TY103"]
    Path("pyproject.toml").write_text('[tool.autofix]\nselect = ["TY102"]\n')
    assert found() == ["TY102"]
    assert found("--isolated") == ["TY101", "TY102", "TY103"]
    assert found("--select", "TY101") == ["TY101"]


def test_excluding() -> None:
    for folder in ("build", "gen", "src"):
        Path(folder).mkdir()
        Path(folder, "a.py").write_text(BAD)

    def found(*arguments: str) -> list[str]:
        text = autofix("check", "--output-format", "concise", *arguments).stdout
        return re.findall(r"^\w+(?=/a\.py)", text, re.MULTILINE)

    assert found() == ["gen", "src"]
    assert found("--extend-exclude", "gen") == ["src"]
    assert found("--exclude", "gen") == ["build", "src"]
    assert found("gen/a.py", "--exclude", "gen") == ["gen"]
    assert found("gen/a.py", "--exclude", "gen", "--force-exclude") == []


@pytest.mark.parametrize("command", ["check --select", "apply --ignore", "check --extend-select"])
def test_an_unknown_rule_is_2_with_close_matches(command: str) -> None:
    save(a=BAD)
    result = autofix(*command.split(), "bad-cal")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown rule `bad-cal`; did you mean `bad-call`?" in result.stderr
    assert "command line" in result.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("selct = []", "unknown setting `selct`; did you mean `select`?"),
        ("jobs = 'two'", "`jobs` must be a whole number above 0"),
        ("select = [", "pyproject.toml: "),
        ('select = ["nope"]', "unknown rule `nope`"),
        ('exclude = ["!"]', "exclude"),
    ],
)
def test_a_bad_settings_file_is_2(body: str, said: str) -> None:
    save(a=BAD)
    Path("pyproject.toml").write_text(f"[tool.autofix]\n{body}\n")
    for command in ("check", "apply"):
        result = autofix(command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert re.fullmatch(r"error: .+\n", result.stderr)
        assert said in result.stderr
    assert Path("a.py").read_text() == BAD


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nope"],
        ["--output-format", "xml"],
        ["--jobs", "0"],
        ["--config", "nope"],
        ["--config", "nope=1"],
        ["-", "a.py"],
    ],
)
def test_bad_usage_is_2(arguments: list[str]) -> None:
    assert autofix("check", *arguments).exit_code == 2


def test_an_unknown_command_is_2() -> None:
    assert autofix("chekc").exit_code == 2


# --- output


def test_json_holds_findings_errors_and_summary() -> None:
    save(a=BAD)
    result = autofix("check", ".", "missing.py", "--output-format", "json")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert [(found["path"], found["rule"]) for found in report["findings"]] == [("a.py", "TY101")]
    assert report["errors"] == [{"path": "missing.py", "message": "no such file or directory"}]
    assert report["summary"] == {"files": 1, "findings": 1, "fixed": 0}
    report = json.loads(autofix("apply", "--output-format", "json").stdout)
    assert report["findings"][0]["applied"] is True
    assert report["summary"] == {"files": 1, "findings": 1, "fixed": 1}
    clean = json.loads(autofix("check", "--output-format", "json").stdout)
    assert clean["findings"] == []


def test_the_format_can_be_a_setting() -> None:
    save(a=BAD)
    Path("pyproject.toml").write_text('[tool.autofix]\noutput-format = "concise"\n')
    assert autofix("check").stdout == "a.py:2:5: TY101 [*] `torch.bad` is bad\n"
    assert autofix("check", "--output-format", "json").stdout.startswith("{")


def test_results_go_to_a_file_on_request() -> None:
    save(a=BAD)
    result = autofix("check", "-o", "out.txt", "--output-format", "concise")
    assert (result.exit_code, result.stdout) == (1, "")
    assert Path("out.txt").read_text() == "a.py:2:5: TY101 [*] `torch.bad` is bad\n"
    assert autofix("apply", "--diff", "-o", "p.patch").stdout == ""
    assert Path("p.patch").read_bytes().startswith(b"diff --git")
    result = autofix("check", "-o", "missing/out.txt")
    assert result.exit_code == 2
    assert "missing/out.txt: no such file or directory" in result.stderr


def test_statistics_and_show_fixes() -> None:
    save(a=BAD * 2 + "torch.risky(1)\n")
    result = autofix("check", "--statistics")
    assert result.exit_code == 1
    assert result.stdout == "2  TY101  [*] bad-call\n1  TY102  [ ] risky-call\n"
    report = json.loads(autofix("check", "--statistics", "--output-format", "json").stdout)
    assert report["statistics"][0] == {
        "rule": "TY101",
        "name": "bad-call",
        "count": 2,
        "fixable": 2,
    }
    result = autofix("apply", "--show-fixes", "--output-format", "concise")
    assert result.stdout == (
        "a.py:5:1: TY102 `torch.risky` is risky\na.py:\n    2 x TY101 (bad-call)\n"
    )


def test_quiet_and_verbose() -> None:
    save(a=BAD)
    result = autofix("check", "-q")
    assert "TY101" in result.stdout
    assert result.stderr == ""
    assert autofix("check", "-q", "missing.py").stderr.startswith("error: missing.py")
    assert "1 file in" in autofix("check", "-v").stderr


def test_verbose_tells_what_was_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    save(a="import torch\ndef f(w):\n    return torch.tensor([w[0], w[1]])\n", b="import torch\n")
    monkeypatch.setattr(registry, "load", LOAD)
    monkeypatch.setattr("autofix.flow.program.STATEMENTS", 1)
    said = autofix("check", "-v").stderr
    assert "too large to follow, 1 file: a.py\n" in said
    assert "too large" not in autofix("check").stderr
    monkeypatch.setattr("autofix.flow.program.STATEMENTS", 100)
    assert "too large" not in autofix("check", "-v").stderr


def test_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    save(a=BAD)
    assert "\x1b[" not in autofix("check").stdout
    assert "\x1b[" in autofix("check", "--color", "always").stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in autofix("check").stdout
    assert "\x1b[" not in autofix("check", "--color", "never").stdout
    assert autofix("check", "-o", "out.txt").stdout == ""
    assert "\x1b[" not in Path("out.txt").read_text()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in autofix("check").stdout


@pytest.mark.parametrize(
    ("environment", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_to_colour(
    environment: dict[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert style_for(sys.stdout).color is expected


def test_the_summary_names_the_command_that_fixes() -> None:
    save(**{"a b": BAD + "torch.risky(1)\n"})
    assert "`autofix apply` fixes 1;" in autofix("check").stderr
    said = autofix("check", "a b.py", "--unsafe-fixes", "--select", "TY1", "--isolated").stderr
    assert "`autofix apply --select TY1 --unsafe-fixes --isolated 'a b.py'` fixes 2;" in said


# --- stdin


def test_check_of_stdin() -> None:
    result = autofix("check", "-", "--output-format", "concise", stdin=BAD)
    assert (result.exit_code, result.stdout) == (1, "-:2:5: TY101 [*] `torch.bad` is bad\n")
    result = autofix("check", "-", "--stdin-filename", "s/x.py", stdin=BAD)
    assert "--> s/x.py:2:5" in result.stdout
    assert "autofix apply" not in result.stderr


def test_apply_to_stdin_prints_the_text_alone() -> None:
    save(x=BAD)
    result = autofix("apply", "-", "--stdin-filename", "x.py", stdin=BAD + "torch.hopeless(1)\n")
    assert result.exit_code == 1
    assert result.stdout == GOOD + "torch.hopeless(1)\n"
    assert "TY104" in result.stderr
    assert Path("x.py").read_text() == BAD
    assert autofix("apply", "-", stdin=GOOD).stdout == GOOD


@pytest.mark.parametrize(
    ("data", "status"),
    [(BROKEN.encode(), 1), (b"import torch\n\xff", 2), (b"x\r\n\xff\0", 0), (b"", 0)],
)
def test_what_cannot_be_read_is_echoed(data: bytes, status: int) -> None:
    result = process("apply", "-", stdin=data)
    assert result.stdout == data
    assert result.returncode == status


def test_a_notebook_from_stdin() -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**cell, "source": ["import torch\n", "torch.bad(1)"]}]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    result = autofix("apply", "-", "--stdin-filename", "n.ipynb", stdin=text)
    assert result.exit_code == 0
    assert result.stdout == text.replace("torch.bad", "torch.good")


def test_diff_of_stdin() -> None:
    result = autofix("apply", "-", "--diff", "--stdin-filename", "x.py", stdin=BAD)
    assert result.exit_code == 1
    assert result.stdout.startswith("diff --git a/x.py b/x.py\n")


# --- the other commands


def test_help_names_every_command() -> None:
    result = autofix("--help")
    assert result.exit_code == 0
    names = re.findall(r"^  (\w+) {2,}\S", result.stdout, re.MULTILINE)
    assert names[:2] == ["check", "apply"]
    for name in names:
        assert autofix(name, "--help").exit_code == 0
    assert __version__ in autofix("--version").stdout


def test_rules() -> None:
    lines = autofix("rules").stdout.splitlines()
    assert lines[0].split("  ")[0] == "AG901"
    assert "TY102  risky-call         unsafe  A risky call" in lines
    listed = json.loads(autofix("rules", "--output-format", "json").stdout)
    assert {
        "code": "TY102",
        "name": "risky-call",
        "tiers": ["unsafe"],
        "summary": "A risky call",
    } in listed


def test_explain() -> None:
    by_code = autofix("explain", "ty101")
    assert by_code.exit_code == 0
    assert by_code.stdout.startswith("# bad-call (TY101)\n\nA bad call.\n")
    assert autofix("explain", "bad-call").stdout == by_code.stdout
    assert "\x1b[1m# bad-call" in autofix("explain", "bad-call", "--color", "always").stdout
    body = json.loads(autofix("explain", "bad-call", "--output-format", "json").stdout)
    assert body["sections"]["What it does"] == "Reports `torch.bad`."
    everything = autofix("explain", "--all")
    assert everything.stdout.count("## What it does") == len(toy_pack.rules())
    assert len(json.loads(autofix("explain", "--all", "--output-format", "json").stdout)) == len(
        toy_pack.rules()
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bad-cal"], "did you mean `bad-call`?"),
        (["TY"], "unknown rule `TY`"),
        ([], "give one of"),
        (["bad-call", "--all"], "give one of"),
        (["--at", "a.py"], "FILE:LINE:COL"),
        (["--at", "a.py:1:1"], "no such file"),
    ],
)
def test_explain_of_nothing(arguments: list[str], said: str) -> None:
    result = autofix("explain", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_explain_at() -> None:
    save(a="import torch\nx = torch.ones(3, requires_grad=True)\n")
    result = autofix("explain", "--at", "a.py:2:5")
    assert result.exit_code == 0
    assert result.stdout.strip()
    body = json.loads(autofix("explain", "--at", "a.py:2:5", "--output-format", "json").stdout)
    assert "\n".join(body["facts"]) == result.stdout.strip()


def test_config() -> None:
    Path("sub").mkdir()
    file = Path("sub/pyproject.toml").absolute()
    body = '[tool.autofix]\nselect = ["TY1"]\nper-file-ignores = { "a*" = ["TY101"] }\n'
    file.write_text(body)
    text = autofix("config", "sub", "--config", "jobs=3").stdout
    assert re.search(rf'^select = \["TY1"\] +# {re.escape(str(file))}$', text, re.MULTILINE)
    assert re.search(r"^jobs = 3 +# command line$", text, re.MULTILINE)
    assert re.search(r"^unsafe-fixes = false +# default$", text, re.MULTILINE)
    body = json.loads(autofix("config", "sub", "--output-format", "json").stdout)
    assert body["settings"]["per-file-ignores"]["value"] == {"a*": ["TY101"]}
    assert body["settings"]["select"]["origin"] == str(file)
    assert autofix("config", "missing").exit_code == 2
    # What is printed can be pasted.
    Path("pyproject.toml").write_text(text)
    assert re.search(r'^select = \["TY1"\]', autofix("config").stdout, re.MULTILINE)


# --- processes


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "--help"], ["check", "a.py"], ["rules"]]
)
def test_what_is_not_needed_is_not_imported(arguments: list[str]) -> None:
    save(a=GOOD)
    code = (
        "import sys; sys.argv[0] = 'autofix'\n"
        "from autofix.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'libcst._nodes', 'rich', 'torch', 'numpy', 'tomllib', 'multiprocessing'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    # LibCST stays unloaded as long as no module of a rule uses an attribute of it while imported.
    assert result.stderr.splitlines()[-1] == "[]"


def test_a_working_directory_that_is_gone(project: Path) -> None:
    env = toy_pack.install(project / ".pack")
    (project / "gone").mkdir()
    code = (
        "import os, sys; os.chdir('gone'); os.rmdir('../gone')\n"
        "from autofix.cli import main; sys.argv = ['autofix', 'check']; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
    )
    assert (result.returncode, result.stderr) == (2, "error: no such file or directory\n")


def test_an_internal_error_is_2(project: Path) -> None:
    code = (
        "import sys, autofix.run\n"
        "autofix.run.run = None\n"
        "from autofix.cli import main; sys.argv = ['autofix', 'check']; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.endswith("error: internal error of autofix, please report it\n")


def test_installed_packs_are_used() -> None:
    save(a=BAD)
    result = process("check", "a.py", "--output-format", "concise")
    assert result.returncode == 1
    assert result.stdout == b"a.py:2:5: TY101 [*] `torch.bad` is bad\n"


def test_a_stream_that_lacks_letters() -> None:
    save(a="import torch\ny = torch.bad('漢字')\n")
    result = process("check", "a.py", PYTHONIOENCODING="ascii")
    assert result.returncode == 1
    assert rb"torch.bad('\u6f22\u5b57')" in result.stdout
    assert b"Traceback" not in result.stderr


def test_a_reader_that_goes_away() -> None:
    save(a="import torch\n" + "torch.bad(1)\n" * 2_000)
    env = toy_pack.install(Path(".pack").absolute())
    for arguments in (["check", "a.py"], ["apply", "--diff", "a.py"]):
        with subprocess.Popen(
            [sys.executable, "-m", "autofix", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **env},
        ) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.read(10)
            running.stdout.close()
            said = running.stderr.read()
            assert running.wait(60) == 1
        assert b"Traceback" not in said
        assert b"rror" not in said


@pytest.mark.parametrize("size", [0, 2_000_000])
def test_an_interrupt_is_130_and_quiet(size: int) -> None:
    # A rule that never ends; with enough to read it runs in a pool.
    for number in range(4):
        save(**{f"f{number}": "import torch\ntorch.sleep(1)\n" + "# padding\n" * (size // 40)})
    env = toy_pack.install(Path(".pack").absolute())
    running = subprocess.Popen(
        [sys.executable, "-m", "autofix", "check", ".", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
        # A test run in the background inherits an ignored SIGINT, and would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 30
    while not Path("asleep").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == b""
    assert b"Traceback" not in err


def test_the_hooks_are_commands() -> None:
    save(a=BAD)
    hooks = (Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"^  entry: autofix (.+)$", hooks, re.MULTILINE)
    for entry, text in zip(entries[::-1], (BAD, GOOD), strict=True):
        assert autofix(*entry.split(), "a.py").exit_code == 1
        assert Path("a.py").read_text() == text
        assert autofix(*entry.split(), "a.py").exit_code == (1 if text == BAD else 0)
