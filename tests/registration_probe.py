"""Check that a repair puts a parameter back into the module that ought to own it.

Beside ``probe`` (see :mod:`gradient_probe`) a file ``<case>.probe.py`` may define::

    def registered(module):
        ...
        return model, forward

``model`` is an ``nn.Module`` that the program built, ``forward()`` a tensor computed by it.
Before the repair some parameter is missing from ``model.named_parameters()``. After it the
parameter is listed, with the values, shape and dtype that the plain attribute of that name had,
and one step of SGD moves it.

Programs without such a function keep their parameters by themselves: there the leaves of
``probe`` have to be what an optimizer takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import gradient_probe as gp
import torch
from torch import nn

_BASE = torch._C.TensorBase


@contextlib.contextmanager
def moving() -> Iterator[None]:
    """Inside, every change of device or dtype copies, as it does where there is one to make.

    On a machine without a GPU, or in double precision, ``p.to(device)`` and ``p.double()``
    return ``p`` itself, and a parameter that gets lost elsewhere stays one.
    """

    def to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        kwargs["copy"] = True
        return _BASE.to(tensor, *args, **kwargs)

    def cuda(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return to(tensor)

    def double(tensor: torch.Tensor) -> torch.Tensor:
        return to(tensor, torch.float64)

    def cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return to(tensor, dtype)

    with contextlib.ExitStack() as stack:
        for name, function in {"to": to, "cuda": cuda, "double": double, "type": cast}.items():
            stack.enter_context(mock.patch.object(torch.Tensor, name, function))
        yield


def has_model(probe: Path) -> bool:
    return "registered" in _scope(probe)


def missing(program: Path, probe: Path) -> list[str]:
    """Tensors that require grad and that the model has only as plain attributes."""
    with gp._precision(torch.float32):
        model, _ = _open(program, probe)
        return sorted(_plain(model))


def compare(before: Path | str, after: Path | str, probe: Path | str) -> list[str]:
    """Problems of the repair from ``before`` to ``after``; an empty list is a proven repair."""
    before, after, probe = Path(before), Path(after), Path(probe)
    with gp._precision(torch.float32):
        if not has_model(probe):
            return _kept(after, probe)
        old_model, old_forward = _open(before, probe)
        new_model, new_forward = _open(after, probe)
        lost, still = _plain(old_model), _plain(new_model).keys()
        problems = [] if lost else ["before: no parameter is missing"]
        problems += [f"after: {name} is still missing" for name in still]
        found = dict(new_model.named_parameters())
        gone = dict(old_model.named_parameters()).keys() - found.keys()
        problems += [f"after: {name} is no longer a parameter" for name in sorted(gone)]
        for name in sorted(lost.keys() - still):
            problems += _same(name, lost[name], found.get(name))
        if problems:
            return problems
        problems = gp._unequal(gp._outputs(old_forward), gp._outputs(new_forward), exact=True)
        return problems + _unmoved(new_model, new_forward, lost.keys())


def _scope(probe: Path) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "probe"}
    exec(compile(probe.read_text(encoding="utf-8"), str(probe), "exec"), scope)
    return scope


def _open(program: Path, probe: Path) -> tuple[nn.Module, gp.Forward]:
    module = gp.Program(program)
    torch.manual_seed(0)
    model, forward = _scope(probe)["registered"](module)
    return model, forward


def _plain(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, part in model.named_modules()
        for name, value in vars(part).items()
        if isinstance(value, torch.Tensor) and value.requires_grad
    }


def _same(name: str, old: torch.Tensor, new: torch.Tensor | None) -> list[str]:
    if new is None:
        return [f"after: {name} is not a parameter"]
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return [f"after: {name} is {new.dtype}{list(new.shape)}, was {old.dtype}{list(old.shape)}"]
    return [] if torch.equal(old, new) else [f"after: {name} has other values"]


def _unmoved(model: nn.Module, forward: gp.Forward, names: Any) -> list[str]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = dict(model.named_parameters())
    for _ in range(2):  # a graph that is built only once would not survive a second step
        start = {name: found[name].detach().clone() for name in names}
        optimizer.zero_grad()
        try:
            gp._scalar(gp._outputs(forward)).backward()
            optimizer.step()
        except Exception as error:
            return [f"after: training: {type(error).__name__}: {error}".splitlines()[0]]
        still = [name for name in names if torch.equal(start[name], found[name])]
        if still:
            return [f"after: {name} does not move" for name in still]
    return []


def _kept(after: Path, probe: Path) -> list[str]:
    module = gp.Program(after)
    torch.manual_seed(0)
    _, leaves = _scope(probe)["probe"](module)
    if not all(isinstance(leaf, nn.Parameter) for leaf in leaves):
        return ["after: what the program keeps is not a parameter"]
    try:
        torch.optim.SGD(leaves, lr=0.1)
    except ValueError as error:
        return [f"after: {error}"]
    return []
