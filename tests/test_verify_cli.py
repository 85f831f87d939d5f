"""`autofix verify`: what it compares and what it says. The last tests run code for real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autofix.cli._app import app
from autofix.model import Verdict, Verification
from autofix.verified import VerifierError
from autofix.verify import compare
from autofix.verify.outcome import Judged, Outcome, Settings
from autofix.verify.pair import Pair

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
OLD = "import torch\n\n\ndef f(x):\n    return torch.tensor([x])\n"
NEW = OLD.replace("tensor([x])", "stack([x])")
EVIDENCE = {
    "inputs": "a call of `f`",
    "seeds": [0, 1],
    "directions": 3,
    "worst_error": 1.234e-10,
    "signs": [
        {"weight": "gain", "kind": "gradient", "text": "it works"},
        {"weight": "loss", "kind": "value", "text": "a value moved", "before": 1.5, "after": 2.0},
    ],
    "tried": [
        {"drive": "a call of `f`", "verdict": "confirmed", "reason": "it works"},
        {"drive": "a run", "verdict": "inconclusive", "reason": "it stopped"},
    ],
    "torch": "2.0",
    "isolation": ["fork", "seccomp"],
}


class Fake:
    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.pairs: list[Pair] = []
        self.settings: list[Settings] = []

    def judge(self, pair: Pair) -> Outcome:
        self.pairs.append(pair)
        name = Path(pair.after.path).name
        said = Verification(self.verdicts.get(name, CONFIRMED), f"it works in {name}", EVIDENCE)
        return Outcome(said, tuple(Judged(change, said) for change in pair.changes))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    found = Fake()

    @contextmanager
    def judging(settings: Settings) -> Iterator[compare.Judge]:
        found.settings.append(settings)
        yield found.judge

    monkeypatch.setattr(compare, "judging", judging)
    monkeypatch.setattr(compare, "interpreter", lambda asked, folder: asked or sys.executable)
    return found


def autofix(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["verify", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def save(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def git(*words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


# --- output


def test_text(fake: Fake) -> None:
    save("a.py", OLD)
    save("b.py", NEW)
    result = autofix("a.py", "b.py")
    assert result.exit_code == 0
    assert result.stdout == (
        "confirmed: it works in b.py\n"
        "\n"
        "--> b.py:5 in `f`\n"
        "    5 -     return torch.tensor([x])\n"
        "    5 +     return torch.stack([x])\n"
        "  inputs         a call of `f`\n"
        "  runs           seeds 0, 1; directions 3\n"
        "  worst error    1.23e-10\n"
        "  seen           a value moved (before 1.5, after 2)\n"
        "  also tried     a run: it stopped\n"
        "  torch          2.0\n"
        "  isolation      fork, seccomp\n"
    )
    assert result.stderr.count("\n") == 1
    assert "against accidents, not against hostile code" in result.stderr
    assert autofix("a.py", "b.py", "-q").stderr == ""
    assert "\x1b[32;1mconfirmed" in autofix("a.py", "b.py", "--color", "always").stdout


def test_json(fake: Fake) -> None:
    save("a.py", OLD)
    save("b.py", "# new\n" + NEW)
    result = autofix("a.py", "b.py", "--output-format", "json", "-o", "out.json")
    assert (result.exit_code, result.stdout) == (0, "")
    document = json.loads(Path("out.json").read_text())
    assert (document["version"], document["verdict"]) == (1, "confirmed")
    (change,) = document["changes"]
    assert {name: change[name] for name in ("path", "cell", "line", "end_line", "unit")} == {
        "path": "b.py",
        "cell": None,
        "line": 5,
        "end_line": 5,
        "unit": "f",
    }
    assert (change["after_line"], change["after_end_line"]) == (6, 6)
    assert change["evidence"] == EVIDENCE
    assert (change["verdict"], change["reason"]) == ("confirmed", "it works in b.py")


@pytest.mark.parametrize(("verdict", "status"), [(CONFIRMED, 0), (REFUTED, 1), (INCONCLUSIVE, 3)])
def test_exit_status(fake: Fake, verdict: Verdict, status: int) -> None:
    save("a.py", OLD)
    save("b.py", NEW)
    fake.verdicts = {"b.py": verdict}
    result = autofix("a.py", "b.py")
    assert result.exit_code == status
    assert result.stdout.startswith(f"{verdict.value}: it works in b.py\n")


def test_the_same_program_is_not_run(fake: Fake) -> None:
    save("a.py", OLD)
    save("b.py", OLD.replace("([x])", "( [x] )  # one"))
    result = autofix("a.py", "b.py")
    assert (result.exit_code, fake.pairs) == (3, [])
    assert result.stdout.startswith(
        "not-run: nothing to confirm: both versions are the same program"
    )
    assert "confirmed" not in result.stdout


def test_a_repair_of_a_part_is_refuted(fake: Fake) -> None:
    broken = (
        "import torch\n\nw = torch.nn.Parameter(torch.ones(2))\n"
        "a = torch.tensor([w[0] * 2, w[1]])\nb = torch.tensor([w[0], w[1] * 3])\n"
        "(a.sum() + b.sum()).backward()\n"
    )
    half = broken.replace("a = torch.tensor", "a = torch.stack")
    save("a.py", broken)
    save("half.py", half)
    save("whole.py", half.replace("b = torch.tensor", "b = torch.stack"))
    result = autofix("a.py", "half.py")
    assert result.exit_code == 1
    assert result.stdout.startswith("refuted: line 5 is still wrong (AG101: ")
    assert "of the changes: it works in half.py" in result.stdout
    assert autofix("a.py", "whole.py").exit_code == 0


BROKEN = (
    "import torch\n\nw = torch.nn.Parameter(torch.ones(2))\n"
    "a = torch.tensor([w[0] * 2, w[1]])\nb = (w * 3).detach()\n"
    "(w.sin() + a - b).pow(2).sum().backward()\n"
)


def test_a_change_that_leaves_its_own_bug_is_refuted(fake: Fake) -> None:
    save("a.py", BROKEN)
    save("b.py", BROKEN.replace("w[0] * 2", "2 * w[0]"))
    result = autofix("a.py", "b.py")
    assert result.exit_code == 1
    assert result.stdout.startswith("refuted: line 4 is still wrong (AG101: ")


def test_a_stop_that_the_repair_does_without(fake: Fake) -> None:
    """The change of line 4 is a repair by itself; nothing says that line 5 is wrong."""
    save("a.py", BROKEN)
    repaired = BROKEN.replace("torch.tensor", "torch.stack")
    save("b.py", repaired)
    assert autofix("a.py", "b.py").exit_code == 0
    save("b.py", repaired.replace("(w * 3).detach()", "w * 3"))
    result = autofix("a.py", "b.py")
    assert result.exit_code == 3
    assert result.stdout.startswith("inconclusive: line 5 lets a gradient through")


BLOCK = (
    "import torch\n\nw = torch.nn.Parameter(torch.ones(2))\nwith torch.no_grad():\n"
    "    a = w.sin()\n    b = w * 3\n(w + a - b).pow(2).sum().backward()\n"
)


def test_a_statement_that_leaves_a_block_without_need(fake: Fake) -> None:
    save("a.py", BLOCK)
    head, _, tail = BLOCK.partition("with torch.no_grad():\n")
    save("b.py", head + tail.replace("    ", ""))
    result = autofix("a.py", "b.py")
    assert result.exit_code == 3
    assert result.stdout.startswith("inconclusive: line 4 lets a gradient through")


def test_options(fake: Fake) -> None:
    save("a.py", OLD)
    save("b.py", NEW)
    given = ["--python", "p", "--seed", "7", "--timeout", "3", "--argv", "--epochs '1 2'"]
    autofix("a.py", "b.py", *given)
    (settings,) = fake.settings
    assert (settings.python, settings.seed, settings.limits.seconds) == ("p", 7, 3.0)
    assert fake.pairs[0].after.argv == ("--epochs", "1 2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.py"], "give two files or folders"),
        (["a.py", "b.py", "c.py"], "give two files or folders"),
        (["a.py", "missing.py"], "missing.py: no such file or directory"),
        (["a.py", "."], "compare two files, or two folders"),
        (["a.py", "broken.py"], "broken.py: line 1: "),
        (["a.py", "binary.py"], "binary file"),
        (["a.py", "b.ipynb"], "b.ipynb: broken notebook"),
        (["--git", "HEAD"], "not a git repository"),
    ],
)
def test_what_cannot_be_compared_is_2(fake: Fake, arguments: list[str], said: str) -> None:
    save("a.py", OLD)
    save("b.py", NEW)
    save("broken.py", "def f(:\n")
    save("binary.py", "\0")
    save("b.ipynb", "{")
    result = autofix(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_useless_interpreter_is_2(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    save("a.py", OLD)
    save("b.py", NEW)

    def interpreter(asked: str | None, folder: Path) -> str:
        raise VerifierError("it has no torch")

    monkeypatch.setattr(compare, "interpreter", interpreter)
    result = autofix("a.py", "b.py")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == "error: it has no torch"


# --- what is compared


def test_a_copy_of_a_module_imports_what_the_module_does(fake: Fake) -> None:
    save("project/pyproject.toml", "")
    save("project/src/pack/__init__.py", "")
    save("project/src/pack/m.py", OLD)
    save("copy/m.py", NEW)
    autofix("project/src/pack/m.py", "copy/m.py")
    before, after = fake.pairs[0].before, fake.pairs[0].after
    home = Path("project").absolute()
    assert before.path == after.path == str(home / "src/pack/m.py")
    assert before.roots[:2] == (str(home / "src"), str(home))
    assert before.roots[2] == str(home / "src/pack")
    assert str(Path("copy").absolute()) in after.roots


def test_trees(fake: Fake) -> None:
    for tree, text in (("old", OLD), ("new", NEW)):
        save(f"{tree}/a.py", text)
        save(f"{tree}/sub/b.py", text)
        save(f"{tree}/same.py", "x = 1\n")
        save(f"{tree}/.venv/c.py", text)
    save("new/more.py", "")
    save("old/less.py", "")
    fake.verdicts = {"b.py": INCONCLUSIVE}
    result = autofix("old", "new")
    assert result.exit_code == 3
    assert [Path(pair.after.path).name for pair in fake.pairs] == ["a.py", "b.py"]
    assert fake.pairs[1].before.path == str(Path("old/sub/b.py").absolute())
    assert str(Path("old").absolute()) in fake.pairs[1].before.roots
    assert str(Path("new").absolute()) not in fake.pairs[1].before.roots
    assert result.stdout.startswith("inconclusive: 1 of 2; the first: it works in b.py\n")
    assert "\na.py: confirmed: it works in a.py\n" in result.stdout
    assert "\nsub/b.py: inconclusive: it works in b.py\n" in result.stdout
    assert "note: more.py: new, so there is nothing to compare it with" in result.stderr
    assert "note: less.py: gone" in result.stderr
    fake.verdicts = {"a.py": REFUTED, "b.py": INCONCLUSIVE}
    assert autofix("old", "new").exit_code == 1
    fake.verdicts = {}
    assert autofix("old", "new").stdout.startswith("confirmed: 2 of 2; the first: it works in a.py")


def test_trees_that_share_nothing(fake: Fake) -> None:
    save("old/a.py", OLD)
    save("new/b.py", NEW)
    result = autofix("old", "new")
    assert result.exit_code == 3
    assert result.stdout == "inconclusive: no file is on both sides\n"
    assert autofix("old", "old").stdout == "not-run: nothing to confirm: nothing differs\n"


def test_notebooks(fake: Fake) -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    sources = [["%matplotlib inline\n", "import torch"], [], ["x = 1\n", "y = torch.tensor([x])"]]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["# a"]}]
    cells += [{**cell, "source": source} for source in sources]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    save("a.ipynb", text)
    save("b.ipynb", text.replace("tensor", "stack"))
    result = autofix("a.ipynb", "b.ipynb")
    assert "--> b.ipynb:cell 4:2\n" in result.stdout
    assert "    2 - y = torch.tensor([x])\n    2 + y = torch.stack([x])\n" in result.stdout
    version = fake.pairs[0].after
    assert version.cells == ((1, 2), (3, 3), (4, 5))
    lines = version.text.splitlines()
    assert lines[version.cells[2][0] - 1 : version.cells[2][1]] == ["x = 1", "y = torch.stack([x])"]
    document = json.loads(autofix("a.ipynb", "b.ipynb", "--output-format", "json").stdout)
    assert (document["changes"][0]["cell"], document["changes"][0]["line"]) == (4, 2)


def test_notebooks_that_differ_in_magics_alone(fake: Fake) -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    body = {"metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    cells = [{**cell, "source": source} for source in ("x = 1\n%cd a\n", ["%%bash\n", "ls a"])]
    text = json.dumps({"cells": cells, **body})
    save("a.ipynb", text)
    for old, new in (("%cd a", "%cd b"), ("ls a", "ls b")):
        save("b.ipynb", text.replace(old, new))
        result = autofix("a.ipynb", "b.ipynb")
        assert result.exit_code == 3
        assert result.stdout.startswith("inconclusive: only magics or shell lines differ")
    save("b.ipynb", text.replace("x = 1", "x  = 1"))
    assert autofix("a.ipynb", "b.ipynb").exit_code == 3
    assert fake.pairs == []


def test_a_notebook_cell_that_is_not_python_is_2(fake: Fake) -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    body = {"metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    save("a.ipynb", json.dumps({"cells": [{**cell, "source": ["x = 1"]}], **body}))
    save("b.ipynb", json.dumps({"cells": [{**cell, "source": ["x = = 1"]}], **body}))
    result = autofix("a.ipynb", "b.ipynb")
    assert result.exit_code == 2
    assert "b.ipynb: cell 1 line 1: " in result.stderr


def test_a_revision(fake: Fake, project: Path) -> None:
    git("init", "-q")
    save("src/a.py", OLD)
    save("src/b.py", "x = 1\n")
    save("data.txt", "1")
    git("add", ".")
    git("commit", "-qm", "one")
    assert autofix("--git", "HEAD").stdout == "not-run: nothing to confirm: nothing differs\n"
    save("src/a.py", NEW)
    save("data.txt", "2")
    result = autofix("--git", "HEAD")
    assert result.exit_code == 0
    assert "--> src/a.py:5 in `f`" in result.stdout
    (pair,) = fake.pairs
    assert (pair.before.text, pair.after.text) == (OLD, NEW)
    assert pair.before.path == pair.after.path == str(project / "src/a.py")
    assert pair.before.roots == pair.after.roots
    result = autofix("--git", "nope")
    assert (result.exit_code, result.stderr) == (2, "error: git knows no revision `nope`\n")
    assert autofix("--git", "--upload-pack=x").exit_code == 2
    assert Path("src/a.py").read_text() == NEW


def test_a_revision_brings_what_its_files_import(fake: Fake, project: Path) -> None:
    git("init", "-q")
    save("src/a.py", OLD)
    save("src/b.py", "x = 1\n")
    git("add", ".")
    git("commit", "-qm", "one")
    save("src/a.py", NEW)
    save("src/b.py", "x = 2\n")
    save("src/c.py", "x = 3\n")
    git("add", "-N", "src/c.py")
    seen: list[str] = []

    def judge(pair: Pair) -> Outcome:
        found = (Path(root, "b.py") for root in pair.before.roots)
        seen.append(next(path.read_text() for path in found if path.exists()))
        return Outcome(Verification(CONFIRMED, "yes"))

    fake.judge = judge  # type: ignore[method-assign]
    assert autofix("--git", "HEAD", "src/a.py").exit_code == 0
    result = autofix("--git", "HEAD")
    assert result.exit_code == 0
    # With one file the work tree itself is the rest of the program.
    assert seen == ["x = 2\n", "x = 1\n", "x = 1\n"]
    assert "note: src/c.py: new" in result.stderr


# --- the user's own command


def test_a_command_can_refute(fake: Fake) -> None:
    save("a.py", "def f():\n    return 1\n")
    save("b.py", "def f():\n    return 2\n")
    command = f'"{sys.executable}" -c "import a; assert a.f() == 1"'
    result = autofix("a.py", "b.py", "--verify-command", command)
    assert result.exit_code == 1
    assert result.stdout.startswith("refuted: `")
    assert "AssertionError" in result.stdout
    result = autofix("a.py", "b.py", "--verify-command", command.replace("== 1", "== 2"))
    assert result.exit_code == 0
    assert "fails before, succeeds after" in result.stdout
    result = autofix(
        *("a.py", "b.py", "--output-format", "json"),
        *("--verify-command", f'"{sys.executable}" -c 1'),
    )
    document = json.loads(result.stdout)
    assert document["command"]["evidence"]["not exercised"] == ["b.py"]
    assert (document["verdict"], document["command"]["refuted"]) == ("confirmed", False)


# --- for real

BEFORE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        c, s = torch.cos(self.angle), torch.sin(self.angle)
        return x @ torch.tensor([c, s])
"""


@pytest.mark.parametrize(
    ("after", "verdict", "status"),
    [
        (BEFORE.replace("torch.tensor([c, s])", "torch.stack([c, s])"), "confirmed", 0),
        (BEFORE.replace("torch.tensor([c, s])", "torch.stack([s, c])"), "refuted", 1),
        (BEFORE.replace("torch.tensor([c, s])", "torch.stack([c.detach(), s])"), "refuted", 1),
        (BEFORE.replace("torch.tensor([c, s])", "stack([c, s])"), "refuted", 1),
    ],
)
def test_for_real(after: str, verdict: str, status: int) -> None:
    pytest.importorskip("torch")
    save("a.py", BEFORE)
    save("b.py", after)
    result = autofix("a.py", "b.py", "--python", sys.executable, "--output-format", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["verdict"]) == (status, verdict), document["reason"]
    assert document["changes"][0]["line"] == 12


def test_apply_for_real() -> None:
    pytest.importorskip("torch")
    save("a.py", BEFORE)
    arguments = ["apply", "--only-verified", "a.py", "--python", sys.executable]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "torch.stack([c, s])" in Path("a.py").read_text()
    assert "(1 confirmed), nothing left" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["a.py"]


def test_an_interpreter_without_torch_for_real(project: Path) -> None:
    save("a.py", BEFORE)
    save("b.py", BEFORE.replace("tensor([c", "stack([c"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "bare"], check=True)
    result = autofix("a.py", "b.py", "--python", "bare/bin/python")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has no torch" in result.stderr
    result = CliRunner().invoke(app, ["apply", "--verify", "a.py", "--python", "bare/bin/python"])
    assert result.exit_code == 2
    assert Path("a.py").read_text() == BEFORE


@pytest.mark.parametrize("arguments", [["--help"], ["check", "a.py"], ["verify", "--help"]])
def test_the_verifier_is_not_imported_unless_needed(arguments: list[str]) -> None:
    save("a.py", "import torch\nx = torch.tensor(1)\n")
    code = (
        "import sys; sys.argv[0] = 'autofix'\n"
        "from autofix.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([name for name in sys.modules if 'autofix.verify.' in name], file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert result.stderr.splitlines()[-1] == "[]"
