"""What is asked of a change that a run has confirmed: two more runs tell what is left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

from autofix.verify.compare import compare
from autofix.verify.outcome import Settings
from autofix.verify.sides import of_paths
from autofix.verify.verify import verify
from autofix.verify.zygote import Limits, Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(sys.executable, Limits(seconds=60)) as started:
        yield started


def said(before: str, after: str, folder: Path, zygote: Zygote) -> str:
    for name, text in (("before.py", before), ("after.py", after)):
        (folder / name).write_text(text)
    sides = of_paths(folder / "before.py", folder / "after.py")
    found = compare(sides, lambda asked: verify(asked, Settings(sys.executable), zygote))
    return f"{found.verification.verdict.value}: {found.verification.reason}"


TOWERS = """\
import torch
from torch import nn

torch.manual_seed(0)
net, scale, head = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 1)
opt = torch.optim.SGD([*net.parameters(), *scale.parameters(), *head.parameters()], lr=0.1)
for _ in range(3):
    with torch.no_grad():
        h = torch.tanh(net(torch.ones(2, 3)))
        g = torch.tanh(net(torch.zeros(2, 3)))
    loss = (head(g + h) - 1).pow(2).mean() + scale(h).mean().sin()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
FROZEN = "for parameter in net.parameters():\n    parameter.requires_grad_(False)\n"


def test_a_block_that_lets_a_part_go(tmp_path: Path, zygote: Zygote) -> None:
    after = TOWERS.replace("        g = ", "    g = ")
    found = said(TOWERS, after, tmp_path, zygote)
    assert found.startswith("inconclusive: of what line 8 stops a part is let through")


def test_a_block_that_keeps_what_is_frozen(tmp_path: Path, zygote: Zygote) -> None:
    before = TOWERS.replace("net(torch.zeros(2, 3))", "scale(h)")
    before = before.replace("opt = ", FROZEN + "opt = ").replace("*net.parameters(), ", "")
    after = before.replace("        g = ", "    g = ")
    assert said(before, after, tmp_path, zygote).startswith("confirmed: ")


WEIGHTED = """\
import torch
from torch import nn

torch.manual_seed(0)
net, seen = nn.Linear(3, 2), []
criterion = nn.CrossEntropyLoss(reduction="none")
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = criterion(net(torch.ones(4, 3)), torch.tensor([0, 1, 1, 0]))
    loss.backward()
    opt.step()
    seen.append(loss.detach().sum().item())
"""


@pytest.mark.parametrize(
    ("reduced", "verdict"), [("mean", "inconclusive: there may be another"), ("sum", "confirmed: ")]
)
def test_a_loss_that_is_reduced_in_another_way_than_elsewhere(
    reduced: str, verdict: str, tmp_path: Path, zygote: Zygote
) -> None:
    after = WEIGHTED.replace("loss.backward()", f"loss.{reduced}().backward()")
    assert said(WEIGHTED, after, tmp_path, zygote).startswith(verdict)
