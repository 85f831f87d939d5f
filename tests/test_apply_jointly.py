"""`apply --verify` where repairs of several files are right only together."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autofix.cli._app import app
from autofix.model import Verdict, Verification
from autofix.verify import compare
from autofix.verify.outcome import Judged, Outcome, Settings
from autofix.verify.pair import Pair

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
CASE = Path(__file__).parent.parent / "fixtures/rewrapped_loss/flag_set_by_another_file"
FILES = ("fit", "losses")
NUMBER = (
    "import torch\n\nw = torch.nn.Parameter(torch.ones(2))\n"
    "loss = torch.tensor((w * w).sum().item(), requires_grad=True)\nloss.backward()\n"
)


class Judge:
    """What is said of a file in its own place, and of one in a tree of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.alone = {"losses.py": INCONCLUSIVE, "fit.py": REFUTED}
        self.joint: dict[str, Verdict] = {}
        self.pairs: list[Pair] = []
        self.beside: list[tuple[str, str]] = []

    def judge(self, pair: Pair) -> Outcome:
        self.pairs.append(pair)
        path = Path(pair.after.path)
        verdicts = self.alone
        if not path.is_relative_to(self.home):
            verdicts = self.joint
            olds, news = (Path(one.path).parent for one in (pair.before, pair.after))
            self.beside.append(((olds / "data.txt").read_text(), (news / "losses.py").read_text()))
            assert (olds / "losses.py").read_text() == read("losses.py", CASE)
        verdict = verdicts.get(path.name, CONFIRMED)
        said = Verification(verdict, f"{verdict.value} {path.name}", {"inputs": "a run"})
        return Outcome(said, tuple(Judged(change, said) for change in pair.changes))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data.txt").write_text("1")
    for name in FILES:
        shutil.copy(CASE / f"{name}.py", f"{name}.py")
    return tmp_path


@pytest.fixture
def judge(home: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    found = Judge(home)

    @contextmanager
    def judging(settings: Settings) -> Iterator[compare.Judge]:
        yield found.judge

    monkeypatch.setattr(compare, "judging", judging)
    monkeypatch.setattr(compare, "interpreter", lambda asked, folder: sys.executable)
    return found


def autofix(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["apply", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read(name: str, folder: Path = Path()) -> str:
    return (folder / name).read_text()


def written() -> list[str]:
    """The files that are as they ought to be; the others are as they were."""
    found = []
    for name in FILES:
        if read(f"{name}.py") == read(f"{name}.fixed.py", CASE):
            found.append(name)
        else:
            assert read(f"{name}.py") == read(f"{name}.py", CASE)
    return found


def test_confirmed_together_is_written_together(judge: Judge) -> None:
    result = autofix("--only-verified", "--output-format", "json")
    assert (result.exit_code, written()) == (0, [*FILES])
    found = json.loads(result.stdout)["findings"]
    assert {(one["path"], one["applied"], one["verification"]["reason"]) for one in found} == {
        ("fit.py", True, "together with losses.py: confirmed fit.py"),
        ("losses.py", True, "together with fit.py: confirmed losses.py"),
    }
    # The trees hold everything that lies around the files, and the other file of the same side.
    assert judge.beside == [("1", read("losses.fixed.py", CASE))] * 2
    assert result.stderr.endswith("wrote 3 fixes in 2 files (3 confirmed), nothing left\n")


def test_a_patch_of_both(judge: Judge) -> None:
    result = autofix("--verify", "--diff")
    assert (result.exit_code, written()) == (1, [])
    assert [line for line in result.stdout.splitlines() if line.startswith("+++")] == [
        "+++ b/fit.py",
        "+++ b/losses.py",
    ]
    assert "fit.py:16:9: AG103 confirmed: together with losses.py: confirmed" in result.stderr
    assert result.stderr.endswith("would write 3 fixes in 2 files (3 confirmed)\n")


@pytest.mark.parametrize("verdict", [REFUTED, INCONCLUSIVE])
def test_what_is_not_confirmed_together_stays(judge: Judge, verdict: Verdict) -> None:
    judge.joint = {"fit.py": verdict}
    result = autofix("--verify")
    assert (result.exit_code, written()) == (1, [])
    assert result.stderr.endswith("wrote nothing, 2 findings left (2 fixable)\n")
    assert "together" not in result.stdout


def test_a_file_of_which_the_run_is_not(judge: Judge) -> None:
    assert autofix("--verify", "losses.py").exit_code == 1
    assert (written(), judge.beside) == ([], [])


def test_files_that_have_nothing_to_do_with_them(judge: Judge) -> None:
    Path("other.py").write_text(NUMBER)
    judge.alone["other.py"] = REFUTED
    result = autofix("--verify")
    assert (result.exit_code, written(), read("other.py")) == (1, [*FILES], NUMBER)
    assert {Path(pair.after.path).name for pair in judge.pairs[-2:]} == {"fit.py", "losses.py"}
    assert "refuted: refuted other.py" in result.stdout
    assert result.stderr.endswith(
        "wrote 3 fixes in 2 files (3 confirmed), 1 finding left (1 shown only), 1 fix refuted\n"
    )


def test_what_is_written_already_is_not_run_again(judge: Judge) -> None:
    Path("other.py").write_text(NUMBER)
    for name in FILES:
        Path(f"{name}.py").unlink()
    judge.alone["other.py"] = CONFIRMED
    assert autofix("--verify").exit_code == 0
    assert len(judge.pairs) == 1


def test_a_command_takes_back_both(judge: Judge) -> None:
    Path("other.py").write_text(NUMBER)
    # Importing torch for real would take as long as all the rest.
    Path("stub").mkdir()
    Path("stub/torch.py").write_text("")
    code = (
        "import sys; sys.path.insert(0, 'stub'); import losses, inspect; "
        "assert 'fit.item' in inspect.getsource(losses)"
    )
    result = autofix("--verify", "--verify-command", f'"{sys.executable}" -c "{code}"')
    assert (result.exit_code, written()) == (1, [])
    assert "exits with 0 before and exits with 1 after" in result.stdout
    assert ".item()" not in read("other.py")


def test_for_real() -> None:
    pytest.importorskip("torch")
    result = autofix("--verify", "--python", sys.executable)
    assert (result.exit_code, written()) == (0, [*FILES])
    assert result.stdout.count("confirmed: together with ") == 3
    assert "finite differences agree" in result.stdout
