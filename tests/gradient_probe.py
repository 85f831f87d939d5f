"""Run a fixture program before and after a repair, and say what is wrong with the repair.

A probe is a file ``<case>.probe.py`` that stands beside the program ``<case>.py`` (or
``<case>.ipynb``) and defines::

    def probe(module):
        ...
        return forward, leaves

``module`` is the loaded program. ``forward()`` returns a tensor, or a tuple of tensors, that the
program's own code computed; it is called many times and must not depend on the calls before.
``leaves`` are the tensors that ought to receive a gradient. The probe builds both itself, so
they follow the default dtype that is in force when it is called.

``module.replay(result, **pinned)`` re-executes a flat script or notebook with some top-level
names pinned to given values, as far as the statement that binds ``result``, and returns that.

Without leaves no gradient is claimed: the bug is then a warning of torch's, which a repair has
to silence while values and gradients stay.

What a cut does not change is the forward value. So the derivative that the repaired program
ought to have is the finite difference of the ORIGINAL program, in double precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from fixture_program import Program, precision, source_of

__all__ = ["Forward", "Program", "bugs", "compare", "precision", "runs", "source_of"]

Forward = Callable[[], Any]
_precision = precision  # the name by which registration_probe knows it

STEP = 1e-6
DIRECTIONS = 2
SAME = 1e-5
"""An analytic and a numerical slope that are closer than this are the same."""
OTHER = 1e-3
"""Slopes that are further apart than this are different; in between is noise."""


def _open(program: Path, probe: Path) -> tuple[Program, Forward, list[torch.Tensor]]:
    module = Program(program)
    scope: dict[str, Any] = {"__name__": "probe"}
    exec(compile(probe.read_text(encoding="utf-8"), str(probe), "exec"), scope)
    torch.manual_seed(0)
    forward, leaves = scope["probe"](module)
    return module, forward, list(leaves)


def _outputs(forward: Forward) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    result = forward()
    return result if isinstance(result, tuple) else (result,)


def _values(forward: Forward) -> tuple[torch.Tensor, ...]:
    """The outputs as values only: where autograd forbids the program, without autograd."""
    try:
        return _outputs(forward)
    except RuntimeError:
        with torch.no_grad():
            return _outputs(forward)


def _scalar(outputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """One number of all outputs. Random weights, because a softmax's plain sum is constant."""
    total = torch.zeros((), dtype=torch.float64)
    for seed, out in enumerate(outputs):
        real = torch.view_as_real(out) if out.is_complex() else out
        if real.is_floating_point():
            generator = torch.Generator().manual_seed(seed)
            weights = torch.rand(real.shape, generator=generator, dtype=torch.float64) + 0.5
            total = total + (real.double() * weights).sum()
    return total


@dataclass
class Slopes:
    """Directional derivatives, one list a leaf; None where the leaf got no gradient."""

    values: list[list[float] | None]
    failure: str | None = None


def _directions(leaf: torch.Tensor) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(leaf.numel())
    shape = (DIRECTIONS, *leaf.shape)
    noise = torch.rand(shape, generator=generator, dtype=torch.float64)
    return list((noise + 0.5).to(leaf.dtype))


def _analytic(forward: Forward, leaves: list[torch.Tensor]) -> Slopes:
    for leaf in leaves:
        leaf.grad = None
    try:
        _scalar(_outputs(forward)).backward()
    except Exception as error:
        return Slopes([None] * len(leaves), f"{type(error).__name__}: {error}".splitlines()[0])
    found: list[list[float] | None] = []
    for leaf in leaves:
        grad = leaf.grad
        found.append(None if grad is None else [_dot(grad, d) for d in _directions(leaf)])
    return Slopes(found)


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.detach().to_dense() * b.conj()).sum().real)


def _numerical(forward: Forward, leaves: list[torch.Tensor]) -> list[list[float]]:
    start = [leaf.detach().clone() for leaf in leaves]

    def value(index: int, step: torch.Tensor) -> float:
        for position, (leaf, kept) in enumerate(zip(leaves, start, strict=True)):
            leaf.data.copy_(kept + step if position == index else kept)
        return float(_scalar(_values(forward)).detach())

    found = []
    for index, leaf in enumerate(leaves):
        pairs = [(value(index, STEP * d), value(index, -STEP * d)) for d in _directions(leaf)]
        found.append([(above - below) / (2 * STEP) for above, below in pairs])
    return found


def _distance(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) / max(1.0, abs(x), abs(y)) for x, y in zip(a, b, strict=True))


def bugs(program: Path, probe: Path) -> list[str]:
    """Say how the program's gradient differs from the derivative of its own forward values."""
    with precision(torch.float64):
        _, forward, leaves = _open(program, probe)
        wanted = _numerical(forward, leaves)
        _, forward, leaves = _open(program, probe)
        found = _analytic(forward, leaves)
        problems = _differences(wanted, found, OTHER)
        if found.failure and problems:
            problems.append(f"backward: {found.failure}")
    return problems if leaves else _warnings(program, probe)


def _warnings(program: Path, probe: Path) -> list[str]:
    """What torch warns of while the program is loaded and run."""
    with precision(torch.float32), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        _, forward, _ = _open(program, probe)
        _outputs(forward)
    return [str(w.message) for w in seen if issubclass(w.category, UserWarning)]


def _differences(wanted: list[list[float]], found: Slopes, limit: float) -> list[str]:
    problems = []
    for index, (want, have) in enumerate(zip(wanted, found.values, strict=True)):
        if have is None:
            if max(map(abs, want)) > limit:
                problems.append(f"leaf {index} got no gradient")
        elif not _distance(want, have) <= limit:
            problems.append(f"leaf {index}: slope {have} instead of {want}")
    return problems


def runs(program: Path, probe: Path) -> list[str]:
    """Say what keeps a program and its probe from running, in either precision."""
    problems = []
    for dtype in (torch.float32, torch.float64):
        with precision(dtype):
            try:
                module, forward, _ = _open(program, probe)
                once, again = _outputs(forward), _outputs(forward)
            except Exception as error:
                problems.append(f"{dtype}: {type(error).__name__}: {error}")
                continue
            if module.failure:
                problems.append(f"{dtype}: top level: {module.failure}")
            problems += _unequal(once, again, exact=True)
    return problems


def compare(
    before: Path | str, after: Path | str, probe: Path | str, *, exact: bool = False
) -> list[str]:
    """Problems of the repair from ``before`` to ``after``; an empty list is a proven repair.

    With ``exact`` the forward values must be equal to the last bit.
    """
    before, after, probe = Path(before), Path(after), Path(probe)
    problems = _same_values(before, after, probe, exact)
    if not bugs(before, probe):
        problems.append("before: nothing is wrong")
    with precision(torch.float64):
        _, forward, leaves = _open(before, probe)
        wanted = _numerical(forward, leaves)
        _, forward, leaves = _open(after, probe)
        if len(leaves) != len(wanted):
            return [*problems, f"{len(wanted)} leaves before, {len(leaves)} after"]
        found = _analytic(forward, leaves)
    if not leaves:
        return problems + [f"after: {w}" for w in _warnings(after, probe)]
    if found.failure:
        return [*problems, f"after: backward: {found.failure}"]
    return problems + [f"after: {p}" for p in _differences(wanted, found, SAME)]


def _same_values(before: Path, after: Path, probe: Path, exact: bool) -> list[str]:
    with precision(torch.float32):
        _, forward, _ = _open(before, probe)
        old, again = _values(forward), _values(forward)
        module, forward, leaves = _open(after, probe)
        try:
            new = _outputs(forward)
        except Exception as error:
            return [f"after: forward: {type(error).__name__}: {error}"]
        problems = [f"before is not deterministic: {p}" for p in _unequal(old, again, exact=True)]
        problems += _unequal(old, new, exact)
        if not leaves and [t.requires_grad for t in old] != [t.requires_grad for t in new]:
            problems.append("the outputs require grad no more, or newly")
        if module.failure:
            problems.append(f"after: top level: {module.failure}")
        single = _analytic(forward, leaves)
        if leaves and single.failure:
            problems.append(f"after: backward in single precision: {single.failure}")
    return problems


def _unequal(
    old: tuple[torch.Tensor, ...], new: tuple[torch.Tensor, ...], exact: bool
) -> list[str]:
    problems = []
    if len(old) != len(new):
        return [f"{len(old)} outputs, then {len(new)}"]
    for index, (a, b) in enumerate(zip(old, new, strict=True)):
        tolerance = {"rtol": 0.0, "atol": 0.0} if exact else {}
        try:
            torch.testing.assert_close(b, a, equal_nan=True, **tolerance)
        except AssertionError as error:
            problems.append(f"output {index}: {error}".replace("\n", " "))
    return problems
