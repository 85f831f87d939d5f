"""`apply --verify` with a judge that goes by words; what is run for real is in test_verify_cli."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toy_pack
from click.testing import CliRunner, Result

from autofix import registry
from autofix.cli._app import app
from autofix.model import Verdict, Verification
from autofix.verified import VerifierError
from autofix.verify import compare
from autofix.verify.outcome import Judged, Outcome, Settings
from autofix.verify.pair import Pair

BAD = "import torch\ny = torch.bad(x)\n"
GOOD = "import torch\ny = torch.good(x)\n"
CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


class Bench:
    """What the verifier is to say of a line, by a word in it; and what it was asked."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.all_at_once: Verdict | None = None
        self.pairs: list[Pair] = []
        self.pythons: list[str | None] = []

    def judge(self, pair: Pair) -> Outcome:
        self.pairs.append(pair)
        lines = pair.after.text.splitlines()
        judged = []
        for change in pair.changes:
            text = "\n".join(lines[change.after[0] - 1 : change.after[1]])
            for word, verdict in self.verdicts.items():
                if word in text:
                    said = Verification(verdict, f"because of {word}", {"inputs": "a call"})
                    judged.append(Judged(change, said))
        whole = compare.together([one.verification for one in judged])
        if len(judged) > 1 and self.all_at_once:
            whole = Verification(self.all_at_once, "all at once")
        return Outcome(whole, tuple(judged))


@pytest.fixture(autouse=True)
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench()

    @contextmanager
    def judging(settings: Settings) -> Iterator[compare.Judge]:
        yield found.judge

    def interpreter(asked: str | None, folder: Path) -> str:
        found.pythons.append(asked)
        return sys.executable

    monkeypatch.setattr(compare, "judging", judging)
    monkeypatch.setattr(compare, "interpreter", interpreter)
    monkeypatch.setattr(registry, "load", toy_pack.rules)
    monkeypatch.chdir(tmp_path)
    return found


def autofix(*arguments: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def save(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.py").write_text(text)


def test_no_code_is_run_unless_asked(bench: Bench) -> None:
    save(a=BAD)
    autofix("check")
    autofix("apply", "--diff")
    Path("pyproject.toml").write_text("[tool.autofix]\nverify = true\n")
    autofix("check")
    assert autofix("apply", "--no-verify", "--diff").exit_code == 1
    assert (bench.pairs, bench.pythons) == ([], [])
    bench.verdicts = {"good": CONFIRMED}
    assert autofix("apply").exit_code == 0
    assert len(bench.pairs) == 1


def test_the_hooks_run_no_code_whatever_the_settings_say(bench: Bench) -> None:
    Path("pyproject.toml").write_text("[tool.autofix]\nverify = true\n")
    hooks = (Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"^  entry: autofix (.+)$", hooks, re.MULTILINE)
    assert len(entries) == 2
    for entry in entries:
        save(a=BAD)
        assert autofix(*entry.split(), "a.py").exit_code == 1
    assert (bench.pairs, bench.pythons) == ([], [])


def test_nothing_to_fix_starts_nothing(bench: Bench) -> None:
    save(a="import torch\ntorch.hopeless(1)\ntorch.choice(1)\n", b="def f(:\n  torch.bad(1)\n")
    assert autofix("apply", "--verify").exit_code == 1
    assert bench.pythons == []


def test_confirmed_is_written_and_said(bench: Bench) -> None:
    save(a=BAD)
    bench.verdicts = {"good": CONFIRMED}
    result = autofix("apply", "--verify")
    assert result.exit_code == 0
    assert Path("a.py").read_text() == GOOD
    assert result.stdout == (
        "TY101 [written] `torch.bad` is bad   (bad-call)\n --> a.py:2:5\n"
        "confirmed: because of good\n\n"
    )
    note, summary = result.stderr.splitlines()
    assert "guards against accidents, not against hostile code" in note
    assert summary == "wrote 1 fix in 1 file (1 confirmed), nothing left"


def test_refuted_is_not_written_and_shown(bench: Bench) -> None:
    save(a=BAD)
    bench.verdicts = {"good": REFUTED}
    result = autofix("apply", "--verify")
    assert result.exit_code == 1
    assert Path("a.py").read_text() == BAD
    assert "refuted: because of good\n  inputs         a call\n" in result.stdout
    assert "note: not written: running the code speaks against this fix" in result.stdout
    assert "[*]" not in result.stdout
    assert result.stderr.endswith("wrote nothing, 1 finding left (1 shown only), 1 fix refuted\n")


def test_inconclusive_is_written_but_not_called_confirmed(bench: Bench) -> None:
    save(a=BAD)
    bench.verdicts = {"good": INCONCLUSIVE}
    result = autofix("apply", "--verify", "--diff")
    assert "+y = torch.good(x)" in result.stdout
    assert result.stderr.splitlines()[1:] == [
        "a.py:2:5: TY101 inconclusive: because of good",
        "would write 1 fix in 1 file (1 inconclusive)",
    ]
    assert "confirmed" not in result.stderr
    result = autofix("apply", "--only-verified")
    assert Path("a.py").read_text() == BAD
    assert "TY101 [*]" in result.stdout
    assert result.exit_code == 1
    result = autofix("apply", "--verify")
    assert Path("a.py").read_text() == GOOD
    assert result.stderr.endswith("wrote 1 fix in 1 file (1 inconclusive), nothing left\n")


@pytest.mark.parametrize(
    ("verdict", "options", "written"),
    [
        (CONFIRMED, [], True),
        (CONFIRMED, ["--only-verified"], True),
        (INCONCLUSIVE, [], False),
        (INCONCLUSIVE, ["--unsafe-fixes"], True),
        (INCONCLUSIVE, ["--unsafe-fixes", "--only-verified"], False),
        (REFUTED, ["--unsafe-fixes"], False),
    ],
)
def test_unsafe_fixes(bench: Bench, verdict: Verdict, options: list[str], written: bool) -> None:
    text = "import torch\ntorch.risky(1)\n"
    save(a=text)
    bench.verdicts = {"sound": verdict}
    result = autofix("apply", "--verify", *options)
    assert (Path("a.py").read_text() != text) is written
    assert result.exit_code == (0 if written else 1)
    if verdict is REFUTED:
        assert "--unsafe-fixes" not in result.stdout


def test_one_refuted_fix_does_not_take_the_others_along(bench: Bench) -> None:
    save(a=BAD + "\nz = 0\ntorch.risky(1)\nz = 1\ntorch.bad(2)\n")
    bench.verdicts = {"sound": REFUTED, "good": CONFIRMED}
    result = autofix("apply", "--verify", "--output-format", "json")
    assert Path("a.py").read_text() == GOOD + "\nz = 0\ntorch.risky(1)\nz = 1\ntorch.good(2)\n"
    found = json.loads(result.stdout)["findings"]
    assert [(one["line"], one["applied"], one["verification"]["verdict"]) for one in found] == [
        (2, True, "confirmed"),
        (7, True, "confirmed"),
        (5, False, "refuted"),
    ]
    assert found[0]["verification"]["evidence"] == {"inputs": "a call"}
    # All at once, each alone, and what is left once more.
    assert [len(pair.changes) for pair in bench.pairs] == [3, 1, 1, 1, 2]


def test_places_after_a_fix_that_moves_them(bench: Bench) -> None:
    save(a="import torch\ntorch.risky(1)\ntorch.risky(1); torch.bad(2)\n")
    bench.verdicts = {"sound": INCONCLUSIVE, "good": CONFIRMED}
    result = autofix("apply", "--verify", "--output-format", "concise")
    assert (
        Path("a.py").read_text() == "import torch\ntorch.risky(1)\ntorch.risky(1); torch.good(2)\n"
    )
    assert result.stdout == (
        "a.py:2:1: TY102 `torch.risky` is risky (inconclusive: because of sound)\n"
        "a.py:3:1: TY102 `torch.risky` is risky (inconclusive: because of sound)\n"
        "a.py:3:17: TY101 [written] `torch.bad` is bad (confirmed: because of good)\n"
    )


def test_fixes_that_are_wrong_only_together(bench: Bench) -> None:
    save(a=BAD + "\nz = 0\ntorch.risky(1)\n")
    bench.verdicts = {"sound": CONFIRMED, "good": INCONCLUSIVE}
    bench.all_at_once = REFUTED
    autofix("apply", "--verify")
    assert Path("a.py").read_text() == BAD + "\nz = 0\ntorch.sound(1)\n"
    save(a=BAD + "\nz = 0\ntorch.risky(1)\n")
    bench.verdicts = {"sound": CONFIRMED, "good": CONFIRMED}
    result = autofix("apply", "--verify")
    assert Path("a.py").read_text() == BAD + "\nz = 0\ntorch.risky(1)\n"
    assert result.stdout.count("refuted together with the other fixes of this file: all at") == 2


def test_a_comment_alone_is_not_run(bench: Bench) -> None:
    save(a="import torch\nx = torch.ones(1)  # autofix: ignore[TY101]\n")
    result = autofix("apply", "--only-verified")
    assert "ignore" not in Path("a.py").read_text()
    assert bench.pairs == []
    assert "(1 not verified)" in result.stderr


def test_a_crash_of_the_verifier_is_inconclusive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(a=BAD)

    def judge(pair: Pair) -> Outcome:
        raise RuntimeError("oops")

    monkeypatch.setattr(bench, "judge", judge)
    result = autofix("apply", "--only-verified")
    assert Path("a.py").read_text() == BAD
    assert "inconclusive: internal error of the verifier, please report it: Runt" in result.stdout


def test_without_an_interpreter_nothing_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(a=BAD)

    def interpreter(asked: str | None, folder: Path) -> str:
        raise VerifierError(f"`{asked}` has no torch")

    monkeypatch.setattr(compare, "interpreter", interpreter)
    result = autofix("apply", "--verify", "--python", "p")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("error: `p` has no torch\n")
    assert Path("a.py").read_text() == BAD


def test_the_interpreter_of_the_settings(bench: Bench) -> None:
    Path("sub").mkdir()
    Path("sub/a.py").write_text(BAD)
    bench.verdicts = {"good": CONFIRMED}
    settings = Path("sub/pyproject.toml")
    settings.write_text('[tool.autofix]\nverify = true\npython = ".venv/bin/python"\n')
    autofix("apply", "--diff")
    assert bench.pythons[-1] == str(Path("sub/.venv/bin/python").absolute())
    settings.write_text('[tool.autofix]\nverify = true\npython = "python3"\n')
    autofix("apply", "--diff")
    assert bench.pythons[-1] == "python3"
    autofix("apply", "--diff", "--python", "x/p")
    assert bench.pythons[-1] == "x/p"


def test_usage(bench: Bench) -> None:
    save(a=BAD)
    assert autofix("apply", "--no-verify", "--only-verified").exit_code == 2
    assert autofix("apply", "--no-verify", "--verify-command", "true").exit_code == 2
    assert autofix("check", "--verify").exit_code == 2
    assert bench.pairs == []


def test_stdin(bench: Bench) -> None:
    bench.verdicts = {"good": CONFIRMED}
    save(m=BAD)
    result = autofix("apply", "--verify", "-", "--stdin-filename", "m.py", stdin=BAD)
    assert (result.exit_code, result.stdout) == (0, GOOD)
    assert "confirmed: because of good" in result.stderr
    assert bench.pairs[0].before.path == str(Path("m.py").absolute())
    bench.verdicts = {"good": REFUTED}
    assert autofix("apply", "--verify", "-", stdin=BAD).stdout == BAD
    assert Path("m.py").read_text() == BAD


def test_a_notebook(bench: Bench) -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    sources = [["%cd x\n", "import torch"], ["x = 1\n", "torch.bad(1)"], ["torch.risky(2)"]]
    cells = [{**cell, "source": source} for source in sources]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    Path("n.ipynb").write_text(text)
    bench.verdicts = {"good": CONFIRMED, "sound": REFUTED}
    result = autofix("apply", "--verify", "--output-format", "json")
    assert Path("n.ipynb").read_text() == text.replace("torch.bad", "torch.good")
    found = json.loads(result.stdout)["findings"]
    assert [(one["cell"], one["line"], one["verification"]["verdict"]) for one in found] == [
        (2, 2, "confirmed"),
        (3, 1, "refuted"),
    ]
    assert bench.pairs[0].before.cells == ((1, 2), (3, 4), (5, 5))


# --- the user's own command


def test_a_command_that_refutes(bench: Bench) -> None:
    save(a=BAD.replace("import torch", "torch = __import__('fake')\nx = 0"), b="import a\n")
    save(fake="def bad(x): return 1\ndef good(x): return 2\n")
    before = Path("a.py").read_text()
    bench.verdicts = {"good": CONFIRMED}
    command = f'"{sys.executable}" -c "import a; assert a.y == 1"'
    result = autofix("apply", "--verify", "a.py", "--verify-command", command)
    assert result.exit_code == 1
    assert Path("a.py").read_text() == before
    assert "exits with 0 before and exits with 1 after" in result.stdout
    assert "refuted: " in result.stdout
    assert "[written]" not in result.stdout
    command = command.replace("== 1", "== 2")
    result = autofix("apply", "a.py", "--verify-command", command, "--output-format", "json")
    assert "good" in Path("a.py").read_text()
    assert "fails before, succeeds after" in result.stderr
    evidence = json.loads(result.stdout)["findings"][0]["verification"]["evidence"]
    assert evidence["command"]["exit after"] == 0


def test_a_command_refutes_the_file_that_is_to_blame(bench: Bench) -> None:
    text = "torch = __import__('fake')\nx = 0\ny = torch.bad(x)\n"
    save(a=text, b=text, fake="def bad(x): return 1\ndef good(x): return 2\n")
    bench.verdicts = {"good": CONFIRMED}
    command = f'"{sys.executable}" -c "import a, b; assert a.y == 1"'
    result = autofix("apply", "--verify", "a.py", "b.py", "--verify-command", command)
    assert Path("a.py").read_text() == text
    assert Path("b.py").read_text() == text.replace("bad", "good")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "wrote 1 fix in 1 file (1 confirmed), 1 finding left (1 shown only), 1 fix refuted\n"
    )
