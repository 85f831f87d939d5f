"""Check a repair of what a program *does*, where the bug is not in a gradient.

Instead of ``probe`` (see :mod:`gradient_probe`) a file ``<case>.probe.py`` may define::

    def wrong(module):
        ...
        return "what went wrong", or None

    def same(module):        # optional
        ...
        return tensors and numbers that a repair must leave as they are

``wrong`` runs the program's own code and looks at what becomes of it: does a weight move, is a
tensor still what it was, does memory grow. An exception counts as what went wrong. The program
as written has to be wrong, and its repair must not be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradient_probe as gp
import torch


def tells_outcome(probe: Path) -> bool:
    return "wrong" in _scope(probe)


def wrong(program: Path, probe: Path) -> str | None:
    """What is wrong with what the program does."""
    with gp.precision(torch.float32):
        module = gp.Program(program)
        torch.manual_seed(0)
        try:
            told = _scope(probe)["wrong"](module)
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0]
    return None if told is None else str(told)


def compare(before: Path, after: Path, probe: Path) -> list[str]:
    """Problems of the repair from ``before`` to ``after``; an empty list is a proven repair."""
    problems = [] if wrong(before, probe) else ["before: nothing is wrong"]
    if told := wrong(after, probe):
        problems.append(f"after: {told}")
    if "same" in _scope(probe):
        problems += gp._unequal(_values(before, probe), _values(after, probe), exact=True)
    return problems


def _values(program: Path, probe: Path) -> tuple[torch.Tensor, ...]:
    with gp.precision(torch.float32):
        module = gp.Program(program)
        torch.manual_seed(0)
        found = _scope(probe)["same"](module)
        values = found if isinstance(found, (tuple, list)) else (found,)
        return tuple(torch.as_tensor(value).detach().clone() for value in values)


def _scope(probe: Path) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "probe"}
    exec(compile(probe.read_text(encoding="utf-8"), str(probe), "exec"), scope)
    return scope
