"""Two folders of fixture programs, held to more than their golden repairs.

A parameter that a program loses is missing from its model and listed after the repair; a
program that is left alone is right, or has the bug that it is declined for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import gradient_probe as gp
import outcome_probe as op
import registration_probe as rp
import test_fixture_programs as programs
import torch

FOLDERS = {"in_place_row_loop", "reshaped_parameter"}
OURS = [p for p in programs.INPUTS if p.parent.name in FOLDERS]
REPAIRED = [p for p in OURS if programs.is_repaired(p)]
LEFT = [p for p in OURS if not programs.is_repaired(p)]
LOST = [p for p in REPAIRED if p.parent.name == "reshaped_parameter"]
PROBED = [p for p in LEFT if programs.probe_of(p).exists()]
BARE = [p for p in LEFT if not programs.probe_of(p).exists()]


@pytest.mark.parametrize("path", LOST, ids=programs.title)
def test_a_marked_program_loses_its_parameter(path: Path) -> None:
    probe = programs.probe_of(path)
    if rp.has_model(probe):
        assert rp.missing(path, probe)
    else:
        assert rp.compare(path, path, probe)


@pytest.mark.parametrize(
    "path", [p for p in LOST if programs.fixed_of(p).exists()], ids=programs.title
)
def test_the_golden_repair_registers_it(path: Path) -> None:
    assert rp.compare(path, programs.fixed_of(path), programs.probe_of(path)) == []


@pytest.mark.parametrize("path", PROBED, ids=programs.title)
def test_only_what_is_declined_is_wrong(path: Path) -> None:
    probe = programs.probe_of(path)
    shown = op.wrong(path, probe) if op.tells_outcome(probe) else gp.bugs(path, probe)
    assert bool(shown) == bool(programs.tiers(path))


@pytest.mark.parametrize("path", BARE, ids=programs.title)
def test_a_program_without_a_probe_loads(path: Path) -> None:
    with gp._precision(torch.float32):
        failure = gp.Program(path).failure
    if failure and failure.startswith("ModuleNotFoundError"):
        pytest.skip(failure)
    assert failure is None


REPAIRS = {
    "nn.Parameter(torch.randn(12).view(3, 4))": [],
    "nn.Parameter(torch.randn(12)).reshape(3, 4)": ["after: w is still missing"],
    "torch.randn(12).view(3, 4)": ["after: w is not a parameter"],
    "nn.Parameter(torch.randn(12))": ["after: w is torch.float32[12], was torch.float32[3, 4]"],
    "nn.Parameter(torch.randn(12).view(3, 4).double())": [
        "after: w is torch.float64[3, 4], was torch.float32[3, 4]"
    ],
    "nn.Parameter(torch.zeros(3, 4))": ["after: w has other values"],
    "nn.Parameter(torch.randn(12).view(3, 4), requires_grad=False)": ["after: w does not move"],
}


@pytest.mark.parametrize("repair", REPAIRS)
def test_a_wrong_registration_is_refused(repair: str, tmp_path: Path) -> None:
    before = programs.FIXTURES / "reshaped_parameter" / "view_grid.py"
    text = before.read_text(encoding="utf-8")
    wrong = "nn.Parameter(torch.randn(12)).view(3, 4)"
    assert wrong in text
    after = tmp_path / "view_grid.py"
    after.write_text(text.replace(wrong, repair), encoding="utf-8")
    assert rp.compare(before, after, programs.probe_of(before)) == REPAIRS[repair]


def test_a_parameter_that_gets_lost_is_noticed(tmp_path: Path) -> None:
    before = programs.FIXTURES / "reshaped_parameter" / "view_grid.py"
    text = before.read_text(encoding="utf-8")
    text = text.replace("nn.Parameter(torch.randn(12)).view", "nn.Parameter(torch.randn(12).view")
    after = tmp_path / "view_grid.py"
    after.write_text(
        text.replace("(3, 4)", "(3, 4))").replace("nn.Parameter(torch.zeros(4))", "torch.zeros(4)")
    )
    problems = rp.compare(before, after, programs.probe_of(before))
    assert problems == ["after: b is no longer a parameter"]
