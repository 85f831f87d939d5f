"""What is asked of a change that a run has confirmed: two more runs tell what is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import verdict_copies
from verdict_case import HEAD
from verdict_run import said

from autofix.verify.compare import compare
from autofix.verify.outcome import Settings
from autofix.verify.sides import of_paths, side
from autofix.verify.verify import verify
from autofix.verify.zygote import Zygote

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


TAPPED = """\
import torch
from torch import nn

torch.manual_seed(0)
net, blocks = nn.Linear(3, 3), [nn.Linear(3, 3), nn.Linear(3, 3)]
for one in blocks:
    one.requires_grad_(False)
opt = torch.optim.SGD(net.parameters(), lr=0.1)

def features(x):
    found = []
    with torch.no_grad():
        for block in blocks:
            x = torch.tanh(block(x))
            found.append(x)
    return found

for _ in range(3):
    x = torch.ones(2, 3)
    made = net(x)
    pairs = zip(features(made), features(x))
    loss = (made - x).abs().mean() + sum((a - b).pow(2).mean() for a, b in pairs)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_line_of_a_block_that_had_nothing_to_stop(tmp_path: Path, zygote: Zygote) -> None:
    head, block, tail = TAPPED.partition("    with torch.no_grad():\n")
    for_loop, rest = tail.split("    return found", 1)
    freed = head + for_loop.replace("        for", "    for").replace("    " * 3, "    " * 2)
    assert block and said(TAPPED, f"{freed}    return found{rest}", tmp_path, zygote).startswith(
        "confirmed: "
    )


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


LOGGED = """\
import sys

import torch
from torch import nn

def train():
    net, total = nn.Linear(3, 1), 0.0
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(6):
        opt.zero_grad()
        loss = net(torch.randn(4, 3)).pow(2).mean()
        loss.backward()
        opt.step()
        total += loss
    print(float(total), file=sys.stderr)

torch.manual_seed(0)
train()
"""


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("total += loss.item()", "confirmed: "),
        ("total = loss.item()", "refuted: the change shows no effect, and a repair of line 14"),
    ],
)
def test_a_change_without_effect_where_a_repair_has_one(
    line: str, verdict: str, tmp_path: Path, zygote: Zygote
) -> None:
    after = LOGGED.replace("total += loss", line)
    assert said(LOGGED, after, tmp_path, zygote).startswith(verdict)


def test_a_copy_without_effect_where_copies_have_one(tmp_path: Path, zygote: Zygote) -> None:
    whole = HEAD + verdict_copies.SECANT
    half = whole.replace("= p.grad\n", "= p.grad.clone()\n")
    assert said(whole, half, tmp_path, zygote).startswith("refuted: ")
    both = half.replace("= p\n", "= p.clone()\n")
    assert said(whole, both, tmp_path, zygote).startswith("confirmed: ")


HOPS = """\
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    h = torch.tanh(net(torch.ones(2, 3)))
    hops = [h.new_tensor(h)]
    for _ in range(2):
        h = torch.tanh(net(h))
        hops.append(h.new_tensor(h))
    hops[-1] = h
    loss = torch.cat(hops, dim=-1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_part_whose_rest_the_rules_cannot_repair(tmp_path: Path, zygote: Zygote) -> None:
    half = HOPS.replace("append(h.new_tensor(h))", "append(h.clone())")
    found = said(HOPS, half, tmp_path, zygote)
    assert found.startswith("inconclusive: line 9 is still wrong (AG102: ")
    whole = half.replace("[h.new_tensor(h)]", "[h]")
    assert said(HOPS, whole, tmp_path, zygote).startswith("confirmed: ")


LATE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        self.weigh = nn.Linear(3, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        return self.out(self.weigh(x))


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net(torch.ones(2, 3)).sum().backward()
opt.step()
"""


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("self.weigh", "confirmed: "),
        ("self.out = ", "refuted: line 7 is still wrong (AG506: "),
    ],
)
def test_a_crash_in_front_of_the_change(
    line: str, verdict: str, tmp_path: Path, zygote: Zygote
) -> None:
    after = LATE.replace(f"        {line}", f"        super().__init__()\n        {line}", 1)
    assert said(LATE, after, tmp_path, zygote).startswith(verdict)


def test_a_script_that_imports_a_package(tmp_path: Path) -> None:
    package = tmp_path / "pack/parts"
    package.mkdir(parents=True)
    (tmp_path / "train.py").write_text("from pack import Net\n\nnet = Net()\nnet.fit()\n")
    (tmp_path / "pack/__init__.py").write_text("from .parts.nets import Net\n")
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("from .mixed import Mixed\n\nclass Net(Mixed): ...\n")
    (package / "mixed.py").write_text("class Mixed: ...\n")
    assert side(b"class Mixed: ...\n", package / "mixed.py").version.host == str(
        tmp_path / "train.py"
    )


def test_a_script_that_imports_a_module_with_a_log(tmp_path: Path) -> None:
    text = "import logging\n\nlog = logging.getLogger(__name__)\n\nclass Trainer: ...\n"
    (tmp_path / "main.py").write_text("from trainer import Trainer\n\nTrainer().fit()\n")
    path = tmp_path / "trainer.py"
    assert side(text.encode(), path).version.host == str(tmp_path / "main.py")


CRITERION = """\
import torch.nn.functional as F

class Criterion:
    def __call__(self, found, wanted):
        squares = F.mse_loss(found, wanted).item()
        total = (found.sum() - wanted.sum()).abs().item()
        return squares + 0.1 * total
"""
ENGINE = """\
import torch

def train(net, criterion, opt):
    x, y = torch.ones(4, 2), torch.zeros(4, 1)
    for _ in range(3):
        loss = criterion(net(x), y)
        loss = torch.tensor(loss, requires_grad=True)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
WRAP = "        loss = torch.tensor(loss, requires_grad=True)\n"
MAIN = """\
import torch
from parts.criterion import Criterion
from parts.engine import train

torch.manual_seed(0)
net = torch.nn.Linear(2, 1)
train(net, Criterion(), torch.optim.SGD(net.parameters(), lr=0.1))
"""


def test_a_rest_that_shows_by_another_file(tmp_path: Path, zygote: Zygote) -> None:
    repaired = CRITERION.replace(".item()", "")
    half = CRITERION.replace("wanted).item()", "wanted)")
    assert _trees(half, tmp_path / "half", zygote).startswith("refuted: ")
    assert _trees(repaired, tmp_path / "whole", zygote).startswith("confirmed: ")


def _trees(criterion: str, folder: Path, zygote: Zygote) -> str:
    sides = {"before": (CRITERION, ENGINE), "after": (criterion, ENGINE.replace(WRAP, ""))}
    for name, texts in sides.items():
        (folder / name / "parts").mkdir(parents=True)
        (folder / name / "main.py").write_text(MAIN)
        for file, text in zip(("criterion.py", "engine.py"), texts, strict=True):
            (folder / name / "parts" / file).write_text(text)
    found = compare(
        of_paths(folder / "before", folder / "after"),
        lambda asked: verify(asked, Settings(sys.executable), zygote),
    )
    return f"{found.verification.verdict.value}: {found.verification.reason}"
