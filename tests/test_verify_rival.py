"""A repair beside that of the rules: what else it does is seen by what follows."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from verdict_run import said

from autofix.verify.zygote import Zygote

STEPLESS = """\
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(4):
    opt.zero_grad()
    loss = net(torch.randn(8, 3)).sub(2).pow(2).mean()
    loss.backward()
    opt.step
print(round(loss.item(), 4))
"""


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ("    opt.step()\n", "confirmed: "),
        ("    if loss > 0:\n        opt.step()\n", "confirmed: "),
        (
            "    opt.step()\n    net.bias.data.clamp_(-0.1, 0.1)\n",
            "inconclusive: there may be another repair, and beside that the loss in line 10 is ",
        ),
    ],
)
def test_what_a_repair_does_beside(
    lines: str, verdict: str, tmp_path: Path, zygote: Zygote
) -> None:
    after = STEPLESS.replace("    opt.step\n", lines)
    assert said(STEPLESS, after, tmp_path, zygote).startswith(verdict)


WHOLE = """\
import torch

torch.manual_seed(0)
x, z = torch.randn(8, 3), torch.randn(8)
plane = torch.tensor([0, 0, 1], requires_grad=True)
opt = torch.optim.Adam([plane], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = ((plane * x).sum(1) - z).abs().mean()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    ("values", "verdict", "words"),
    [
        ("[0.0, 0.0, 1.0]", "confirmed: ", ""),
        ("[0, 0, 1], dtype=torch.float32", "confirmed: ", ""),
        (
            "[0, 0, 1], dtype=torch.float64",
            "refuted: ",
            "and beside the repair of the rules the loss was",
        ),
    ],
)
def test_a_doubt_that_the_repair_of_the_rules_settles(
    values: str, verdict: str, words: str, tmp_path: Path, zygote: Zygote
) -> None:
    found = said(WHOLE, WHOLE.replace("[0, 0, 1]", values), tmp_path, zygote)
    assert found.startswith(verdict)
    assert words in found


FILLED = "    loss.backward()\n"
STEP = "    opt.step()\n"
EMPTY = "    opt.zero_grad()\n"
CLIP = "    nn.utils.clip_grad_norm_(net.parameters(), 0.1)\n"
CLIPPED = STEPLESS.replace(FILLED + "    opt.step\n", FILLED + CLIP + EMPTY + STEP)


@pytest.mark.parametrize(
    ("left", "verdict", "words"),
    [
        (CLIP + STEP, "confirmed: ", ""),
        (STEP, "refuted: ", "`clip_grad_norm_` is no longer called"),
    ],
)
def test_something_with_an_effect_is_no_longer_done(
    left: str, verdict: str, words: str, tmp_path: Path, zygote: Zygote
) -> None:
    found = said(CLIPPED, CLIPPED.replace(CLIP + EMPTY + STEP, left), tmp_path, zygote)
    assert found.startswith(verdict)
    assert words in found


LOOSE = """\
import torch
from torch import nn


class Strings(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = torch.empty(3)
        self.bias = nn.Parameter(torch.zeros(3))
        nn.init.uniform_(self.level)
        self.order = torch.arange(1, 4).float()

    def forward(self, x):
        return (x * self.order) @ self.level + self.bias.sum()


torch.manual_seed(0)
net = Strings()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(3):
    loss = net(torch.ones(4, 3)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_constant_that_is_made_a_weight(tmp_path: Path, zygote: Zygote) -> None:
    after = LOOSE.replace("torch.empty(3)", "nn.Parameter(torch.empty(3))")
    assert said(LOOSE, after, tmp_path, zygote).startswith("confirmed: ")
    beside = after.replace("torch.arange(1, 4).float()", "nn.Parameter(torch.arange(1, 4).float())")
    found = said(LOOSE, beside, tmp_path, zygote)
    assert found.startswith("inconclusive: line 11 ")
    assert "only its author knows" in found


RATES = """\
import torch
from torch import nn


class Rates(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.rates = {name: nn.Parameter(torch.tensor(k)) for k, name in enumerate_rates()}

    def forward(self, x):
        return self.rates["slow"] * x + self.rates["fast"] * x**2 + self.bias

    def report(self):
        return {name: round(one.item(), 3) for name, one in self.rates.items()}


def enumerate_rates():
    return [(0.3, "slow"), (0.7, "fast")]


torch.manual_seed(0)
net = Rates()
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(3):
    loss = net(torch.rand(4)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(net.report())
"""


def test_a_container_in_another_order(tmp_path: Path, zygote: Zygote) -> None:
    old = "{name: nn.Parameter(torch.tensor(k)) for k, name in enumerate_rates()}"
    after = RATES.replace(old, f"nn.ParameterDict({old})")
    assert said(RATES, after, tmp_path, zygote).startswith("confirmed: ")
