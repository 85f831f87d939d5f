"""Ways by which a tensor with a graph gets into a name that looks as if it held a constant.

Code that is not seen, and Python's less travelled roads, put values into lists, dicts, objects and
the memory of tensors. Where one of them may have been at work, what a loss is made of is no proof
that it has no graph, and nothing is repaired at tier safe for that.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from autofix import engine, registry
from autofix.document import load
from autofix.model import Applicability

TEXT = (Path(__file__).parent / "unseen_roads.txt").read_text("utf-8")
ROADS = dict(section.split("\n", 1) for section in f"\n{TEXT}".split("\n== ")[1:])
"""Code that brings `feat` to the name `h`; what stands above `---` goes to the top of the file."""

STOPS = {
    "no_grad": "with torch.no_grad():\n    t = net(x2)\nloss = (h * t).mean()",
    "detach": "t = net(x2).detach()\nloss = (h / t).mean()",
}
PROGRAM = """\
import torch
from torch import nn
{top}


def train(steps=2):
    net = nn.Linear(5, 3)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(steps):
        x, x2 = torch.randn(4, 5), torch.randn(4, 5)
        opt.zero_grad()
        feat = net(x)
{body}
        loss.backward()
        opt.step()
    return net


train()
"""


def safe_findings(road: str, stop: str) -> list[str]:
    top, _, body = road.rpartition("---\n")
    body = textwrap.indent(f"{body.strip()}\n{stop}", " " * 8)
    text = PROGRAM.format(top=top.strip(), body=body)
    compile(text, "program.py", "exec")
    outcome = engine.find(load(text.encode(), "program.py").source, registry.load())
    assert outcome.crashes == ()
    return [f.rule for f in outcome.findings if f.applicability == Applicability.SAFE]


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
def test_right_stop_is_not_opened_at_tier_safe(road: str, stop: str) -> None:
    assert safe_findings(road, stop) == []


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_stop_of_all_there_is_to_learn_is_opened(stop: str) -> None:
    assert len(safe_findings("h = torch.ones(4, 3)", stop)) == 1
