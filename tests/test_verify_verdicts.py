"""The verdict on pairs of small programs, each of which is really run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import verdict_beside
import verdict_calls
import verdict_caught
import verdict_copies
import verdict_dtypes
import verdict_follow
import verdict_gradients
import verdict_handed
import verdict_later
import verdict_leaves
import verdict_moved
import verdict_others
import verdict_points
import verdict_starts
import verdict_steps
import verdict_training
import verdict_used
import verdict_whole
from verdict_case import HEAD, Expected
from verdict_run import compared

from autofix.model import Verdict
from autofix.verify.jobs import side
from autofix.verify.outcome import Outcome, Settings
from autofix.verify.pair import Version, pair
from autofix.verify.sides import of_paths
from autofix.verify.verify import verify
from autofix.verify.zygote import Zygote

PAIRS: list[Expected] = [
    *verdict_gradients.CUTS,
    *verdict_gradients.MEANT,
    *verdict_gradients.CRASHES,
    *verdict_gradients.STOPS,
    *verdict_training.REGISTRATION,
    *verdict_training.STEPS,
    *verdict_training.STATEMENTS,
    *verdict_training.MEMORY,
    *verdict_training.PASSES,
    *verdict_steps.IN_PART,
    *verdict_beside.BESIDE,
    *verdict_calls.CALLS,
    *verdict_caught.CAUGHT_ERRORS,
    *verdict_copies.COPIES,
    *verdict_dtypes.DTYPES,
    *verdict_handed.HANDED,
    *verdict_used.USED,
    *verdict_moved.MOVES,
    *verdict_starts.STARTS,
    *verdict_later.LATER,
    *verdict_follow.FOLLOW,
    *verdict_leaves.LEAVES,
    *verdict_leaves.ONE_WAY,
    *verdict_whole.WHOLE,
    *verdict_points.POINTS,
    *verdict_others.CLEAN,
    *verdict_others.UNCERTAIN,
    *verdict_others.SAME,
    *verdict_others.BROKEN,
]


def judged(before: str, after: str, folder: Path, zygote: Zygote) -> Outcome:
    path = folder / "program.py"
    path.write_text(before)
    old, new = (Version(text, str(path), (str(folder),)) for text in (before, after))
    return verify(pair(old, new), Settings(sys.executable), zygote)


@pytest.mark.parametrize("expected", PAIRS, ids=str)
def test_verdict(expected: Expected, tmp_path: Path, zygote: Zygote) -> None:
    outcome = judged(expected.before, expected.after, tmp_path, zygote)
    found = outcome.verification
    assert (found.verdict.value, found.reason) == (expected.verdict, found.reason)
    for words in expected.words:
        assert words in found.reason


def test_swapping_the_sides_of_a_repair_is_never_confirmed(tmp_path: Path, zygote: Zygote) -> None:
    confirmed = [one for one in PAIRS if one.verdict == "confirmed"]
    confirmed = [one for one in confirmed if one not in verdict_leaves.ONE_WAY]
    wrong = []
    for expected in confirmed[::4]:
        found = judged(expected.after, expected.before, tmp_path, zygote).verification
        if found.verdict is Verdict.CONFIRMED:  # the rules have a say as well
            found = compared(expected.after, expected.before, tmp_path, zygote)
        if found.verdict is Verdict.CONFIRMED:
            wrong.append((expected.name, found.reason))
    assert not wrong


NOTEBOOK = [
    HEAD + "torch.manual_seed(0)\nnet, head = nn.Linear(3, 4), nn.Linear(4, 1)\n",
    "%matplotlib inline\nx = torch.randn(8, 3)\nh = torch.tensor(net(x).tolist())\n",
    "loss = head(h).pow(2).mean()\nloss.backward()\n",
]


def notebook(path: Path, cells: list[str]) -> Path:
    made = [
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": 1}
        for text in cells
    ]
    content = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 2}
    path.write_text(json.dumps(content))
    return path


def test_a_notebook(tmp_path: Path, zygote: Zygote) -> None:
    cells = [text.replace("torch.tensor(net(x).tolist())", "net(x)") for text in NOTEBOOK]
    before = notebook(tmp_path / "a.ipynb", NOTEBOOK)
    after = notebook(tmp_path / "b.ipynb", cells)
    (both,) = of_paths(before, after).files
    compared = pair(both.before.version, both.after.version)
    outcome = verify(compared, Settings(sys.executable), zygote)
    assert outcome.verification.verdict is Verdict.CONFIRMED
    assert "2 of 4 parameters" in outcome.verification.reason


ENGINE = """
import logging

log = logging.getLogger(__name__)

class Engine:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.stages = [self.step, self.clear, self.backward]

    def step(self, loss):
        self.optimizer.step()

    def clear(self, loss):
        self.optimizer.zero_grad()

    def backward(self, loss):
        loss.backward()

    def run(self, batches, loss_of):
        for batch in batches:
            loss = loss_of(self.model, batch)
            for stage in self.stages:
                stage(loss)
"""
MAIN = (
    HEAD
    + """
from engine import Engine

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
batches = [torch.randn(6, 3) for _ in range(4)]
Engine(net, torch.optim.SGD(net.parameters(), lr=0.1)).run(
    batches, lambda model, x: model(x).pow(2).mean()
)
"""
)


@pytest.mark.parametrize(
    ("stages", "verdict"),
    [
        ("self.clear, self.backward, self.step", Verdict.CONFIRMED),
        ("self.backward, self.clear, self.step", Verdict.REFUTED),
    ],
)
def test_a_script_runs_the_module(
    stages: str, verdict: Verdict, tmp_path: Path, zygote: Zygote
) -> None:
    for name, text in (
        ("before", ENGINE),
        ("after", ENGINE.replace("self.step, self.clear, self.backward", stages)),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "engine.py").write_text(text)
        (folder / "main.py").write_text(MAIN)
    (both,) = of_paths(tmp_path / "before", tmp_path / "after").files
    outcome = verify(
        pair(both.before.version, both.after.version), Settings(sys.executable), zygote
    )
    assert outcome.verification.verdict is verdict, outcome.verification.reason
    assert outcome.verification.evidence["inputs"] == "a run of `main.py`"


def test_the_same_program(tmp_path: Path, zygote: Zygote) -> None:
    text = verdict_gradients.CUTS[0].before
    outcome = judged(text, text, tmp_path, zygote)
    assert outcome.verification.verdict is Verdict.INCONCLUSIVE
    assert outcome.verification.reason.startswith("nothing to confirm")
    assert outcome.changes == ()


def test_each_change_has_its_verdict(tmp_path: Path, zygote: Zygote) -> None:
    """Two functions: one is repaired, the other one is not."""
    before = HEAD + (
        "def one(x: torch.Tensor):\n    return torch.tensor(x.tolist()) * 2\n\n"
        "def two(x: torch.Tensor):\n    return torch.tensor(x.tolist()) * 3\n"
    )
    head, _, tail = before.rpartition("torch.tensor(x.tolist())")
    after = head.replace("torch.tensor(x.tolist())", "x") + "x.detach().clone()" + tail
    outcome = judged(before, after, tmp_path, zygote)
    assert outcome.verification.verdict is Verdict.REFUTED
    assert [one.verification.verdict.value for one in outcome.changes] == ["confirmed", "refuted"]


def test_a_verdict_names_what_it_rests_on(tmp_path: Path, zygote: Zygote) -> None:
    expected = next(one for one in PAIRS if one.name == "cut in a function")
    found = judged(expected.before, expected.after, tmp_path, zygote).verification
    assert found.evidence["inputs"] == "a call of `rotation`"
    assert found.evidence["seeds"] == [0, 1]
    assert 0 <= found.evidence["worst_error"] < 1e-4
    assert found.evidence["torch"] == zygote.torch
    assert list(zygote.layers) == found.evidence["isolation"]
    assert [one["verdict"] for one in found.evidence["tried"]] == ["confirmed"]


def test_one_seed_is_enough_where_time_runs_out() -> None:
    results = [{"mode": "plain", "apart": False}, {"mode": "exact"}]
    late = "took longer than 20 s"
    assert side(results, late).failure is None
    assert side(results[:1], late).failure == late
    assert side(results, "used more than 4 GiB of memory").failure is not None


def test_what_is_right_is_still_right_the_second_time(tmp_path: Path, zygote: Zygote) -> None:
    expected = next(one for one in PAIRS if one.name == "half of a cut")
    first, second = (judged(expected.before, expected.after, tmp_path, zygote) for _ in range(2))
    assert first == second
