"""What a change leaves out or computes for nothing, from the text of both versions."""

from __future__ import annotations

import pytest

from autofix.flow.facts import Facts
from autofix.source import Source, parse
from autofix.verify.forgotten import forgotten


def said(before: str, after: str) -> str:
    old, new = (Facts(Source(text), parse(text)) for text in (before, after))
    return "; ".join(forgotten(old, new))


FREEZES = """
def encode(net, ids, frozen=False):
    if frozen:
        with torch.no_grad():
            return net(ids)
    with torch.no_grad():
        return net(ids)
"""
BASES = """
class Base(nn.Module):
    def __init__(self, dim=4):
        super().__init__()
        self.dim = dim

class Deep(Base):
    def __init__(self, width, dim=3):
        self.net = nn.Linear(width, dim)
"""
CLIPPED = """
for step in range(9):
    loss = critic(x).mean()
    for p in critic.parameters():
        p.data.clamp_(-1, 1)
    loss.backward()
"""
TABLE = """
def fill(table):
    table[:, 0] = 1.0
    return table

fill(net.weight)
"""
CAPPED = """
class Scale:
    def __init__(self, scale, cap):
        self.scale, self.rate = scale, 0.5
        self.cap = cap

    def forward(self, x):
        return x * min(self.scale.exp().item(), self.cap)
"""
LATER = """
for part in (w, h):
    part.clamp(min=0)
"""
CLOSURE = """
def parts(x):
    w = torch.exp(x)
    total = lambda: w.sum()
    for i in range(2):
        w[i] = w[i] / w[i].sum()
    return total()
"""


@pytest.mark.parametrize(
    ("before", "old", "new", "words"),
    [
        (FREEZES, FREEZES, "def encode(net, ids, frozen=False):\n    return net(ids)\n", "frozen"),
        (BASES, "        self.net", "        super().__init__()\n        self.net", "dim"),
        (
            CLIPPED,
            "    for p in critic.parameters():\n        p.data.clamp_(-1, 1)\n",
            "",
            "clamp_",
        ),
        (TABLE, "    table[:", "    table = table.clone()\n    table[:", "copy"),
        (LATER, "part.clamp", "part = part.clamp", "nothing reads `part`"),
        (CAPPED, "min(self.scale.exp().item(), self.cap)", "self.scale.exp()", "reads `cap`"),
        (
            CLOSURE,
            "        w[i] = w[i] / w[i].sum()",
            "        w[i].div(w[i].sum())",
            "thrown away",
        ),
    ],
)
def test_what_is_left_out_is_said(before: str, old: str, new: str, words: str) -> None:
    assert words in said(before, before.replace(old, new))


@pytest.mark.parametrize(
    ("before", "old", "new"),
    [
        (FREEZES, "    with torch.no_grad():\n        return net(ids)\n", "    return net(ids)\n"),
        (BASES, "        self.net", "        super().__init__(dim)\n        self.net"),
        (CLIPPED, "        p.data.clamp_(-1, 1)", "        p.data = p.data.clamp(-1, 1)"),
        (TABLE, "    table[:, 0] = 1.0", "    with torch.no_grad():\n        table[:, 0] = 1.0"),
        (TABLE + "x = fill(b)\n", "    table[:", "    table = table.clone()\n    table[:"),
        (LATER, "part.clamp", "part.clamp_"),
        (CLOSURE, "w[i] = w[i] / w[i].sum()", "w[i].div_(w[i].sum())"),
        (CAPPED, "min(self.scale.exp().item(), self.cap)", "self.scale.exp().clamp(max=self.cap)"),
        (LATER + "    total = part.sum()\n    print(total)\n", "part.clamp", "part = part.clamp"),
        ("n = len(x)\nfor i in range(n):\n    x[i] = 0\n", "for i in range(n):\n    x[i]", "x[:]"),
        (
            CLOSURE,
            "    for i in range(2):\n        w[i] = w[i] / w[i].sum()\n",
            "    w = torch.stack([row / row.sum() for row in w])\n",
        ),
        ("y = x\n", "y = x\n", "y = x\nwidth = 2 * y.size(0)\n"),
    ],
)
def test_a_repair_leaves_nothing_out(before: str, old: str, new: str) -> None:
    assert not said(before, before.replace(old, new))
