"""Who imports a file, in folders that nothing marks as a project or as a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from autofix.config import Resolver, command_line
from autofix.run import run

CRITERION = """\
class Criterion:
    def __call__(self, found, wanted):
        return (found - wanted).pow(2).mean().item()
"""
ENGINE = """\
import torch

def train(net, criterion, opt, x, y):
    for _ in range(3):
        loss = torch.tensor(criterion(net(x), y), requires_grad=True)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
MAIN = """\
import torch
from {parts}.criterion import Criterion
from {parts}.engine import train

net = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
train(net, Criterion(), opt, torch.ones(4, 2), torch.zeros(4, 1))
"""


def found(paths: list[str]) -> set[tuple[str, str]]:
    report = run(paths, Resolver(command_line({}, ())))
    return {(Path(one.path).name, one.finding.rule) for one in report.findings}


@pytest.fixture(params=["parts", "parts/inner"])
def parts(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(request.param)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "criterion.py").write_text(CRITERION)
    (tmp_path / folder / "engine.py").write_text(ENGINE)
    (tmp_path / "main.py").write_text(MAIN.format(parts=".".join(folder.parts)))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_program_above_the_folders_that_it_imports_from(parts: Path) -> None:
    assert ("criterion.py", "AG105") in found(["."])


def test_a_file_alone_is_looked_at_with_the_program_above_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name, text in (("criterion", CRITERION), ("engine", ENGINE)):
        (tmp_path / "parts" / f"{name}.py").write_text(text)
    assert found([str(tmp_path / "parts/criterion.py")]) == set()
    (tmp_path / "main.py").write_text(MAIN.format(parts="parts"))
    assert found([str(tmp_path / "parts/criterion.py")]) == {("criterion.py", "AG105")}
