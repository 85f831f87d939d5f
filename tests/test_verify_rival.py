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
