"""Check that a repair puts weights within reach of the optimizer that ought to move them.

Beside, or instead of, ``probe`` (see :mod:`gradient_probe`) a file ``<case>.probe.py`` defines::

    def trained(module):
        ...
        return model, forward

``model`` makes an ``nn.Module`` of the program, ``forward(model)`` a tensor that depends on its
weights. An optimizer is made of ``model().parameters()``, and then ``forward`` is called twice.
Before the repair the program raises, or a leaf behind the result is not one that the optimizer
has, or the model lists fewer parameters than after it. After the repair every leaf behind the
result is listed and moves with one step; and where the original runs, the first result is the
same, unless the probe says ``VALUES_CHANGE = True`` (weights that are drawn at another time).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradient_probe as gp
import torch
from torch import nn


def has_model(probe: Path) -> bool:
    return probe.exists() and "trained" in _scope(probe)


def bugs(program: Path | str, probe: Path | str) -> list[str]:
    """What keeps the weights behind the result from being trained."""
    with gp.precision(torch.float32):
        return _run(Path(program), Path(probe))[0]


def compare(before: Path | str, after: Path | str, probe: Path | str) -> list[str]:
    """Problems of the repair from ``before`` to ``after``; an empty list is a proven repair."""
    with gp.precision(torch.float32):
        wrong, old, old_count = _run(Path(before), Path(probe))
        problems, new, new_count = _run(Path(after), Path(probe))
    problems = [f"after: {problem}" for problem in problems]
    if not wrong and old_count == new_count:
        problems.append("before: nothing is wrong")
    if new_count < old_count:
        problems.append(f"after: {new_count} parameters, {old_count} before")
    if old is not None and new is not None and not _scope(Path(probe)).get("VALUES_CHANGE"):
        problems += gp._unequal((old,), (new,), exact=True)
    return problems


def _scope(probe: Path) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "probe"}
    exec(compile(probe.read_text(encoding="utf-8"), str(probe), "exec"), scope)
    return scope


def _run(program: Path, probe: Path) -> tuple[list[str], torch.Tensor | None, int]:
    """Problems, the first result, and how many numbers the parameters are."""
    first: torch.Tensor | None = None
    count = 0
    try:
        module = gp.Program(program)
        if module.failure:
            return [module.failure], None, 0
        make, forward = _scope(probe)["trained"](module)
        torch.manual_seed(0)
        model = make()
        known = list(model.parameters())
        count = sum(p.numel() for p in known if not isinstance(p, nn.UninitializedParameter))
        optimizer = torch.optim.SGD(known, lr=0.1)
        problems: list[str] = []
        for _ in range(2):  # a graph that is built only once would not survive a second step
            torch.manual_seed(1)
            result = forward(model)
            first = result.detach().clone() if first is None else first
            problems += _step(result, known, optimizer)
    except Exception as error:
        return [f"{type(error).__name__}: {error}".splitlines()[0]], first, count
    return problems, first, count


def _step(result: torch.Tensor, known: list[Any], optimizer: torch.optim.Optimizer) -> list[str]:
    leaves = _leaves(result)
    if not leaves:
        return ["there is no leaf behind the result"]
    start = [leaf.detach().clone() for leaf in leaves]
    optimizer.zero_grad()
    gp._scalar((result,)).backward()
    optimizer.step()
    ids = {id(p) for p in known}
    found = [f"a leaf {list(x.shape)} is not listed" for x in leaves if id(x) not in ids]
    listed = [(leaf, s) for leaf, s in zip(leaves, start, strict=True) if id(leaf) in ids]
    return found + [f"{list(x.shape)} does not move" for x, s in listed if torch.equal(x, s)]


def _leaves(result: torch.Tensor) -> list[torch.Tensor]:
    """The leaves of the graph behind a tensor."""
    found: dict[int, torch.Tensor] = {}
    todo, seen = [result.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = node.variable
        todo += [below for below, _ in node.next_functions]
    return list(found.values())
