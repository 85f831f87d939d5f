"""Which mutants of a function are bugs: runs in a job of the verifier's server.

It shares with the verifier how inputs are made, and nothing else. What a variant computes and its
gradient by autograd, in float64, are compared with those of the function as it was published.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

SEEDS = (11, 12, 13)
SAME = 1e-6
OTHER = 1e-3


def handle(job: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """For each variant: does its value differ, and by how much does its gradient?"""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    for root in job["roots"]:
        if root not in sys.path:
            sys.path.insert(0, root)
    with _silence():
        space = vars(importlib.import_module(job["module"]))
        inputs = importlib.import_module("_autofix_child.inputs")
        try:
            recipes = inputs.search(space, job["target"], job["hints"], 3, _attempt)
        except inputs.Failed as error:
            emit({"failed": f"no inputs: {error}", "variants": []})
            return
        clean = [*_seen(inputs, space, recipes)]
    if not any(one is not None for one in clean):
        emit({"failed": "no gradient", "variants": []})
        return
    emit({"failed": None, "variants": []})
    for text in job["variants"]:
        with _silence():
            emit({"variant": _judged(inputs, space, text, recipes, clean)})


def _attempt(built: Any) -> None:
    built.function(*built.args, **built.kwargs)


def _judged(inputs: Any, space: Any, text: str, recipes: Any, clean: Any) -> Any:
    """Null for a variant that does not run; else whether values differ, and gradients."""
    changed = dict(space)
    try:
        exec(compile(text, "<variant>", "exec", dont_inherit=True), changed)
        seen = [*_seen(inputs, changed, recipes)]
    except BaseException:
        return None
    values = gradients = 0.0
    for old, new in zip(clean, seen, strict=True):
        if old is None:
            continue
        if new is None or new[0].shape != old[0].shape or new[1].shape != old[1].shape:
            return None
        values = max(values, _gap(old[0], new[0]))
        gradients = max(gradients, _gap(old[1], new[1]))
    return [values, gradients]


def _gap(old: torch.Tensor, new: torch.Tensor) -> float:
    """The largest difference, relative to the largest number."""
    size = max(float(old.abs().max()), float(new.abs().max()), 1e-12) if old.numel() else 1.0
    gap = float((old - new).abs().max()) / size if old.numel() else 0.0
    return gap if gap == gap else float("inf")


def _seen(inputs: Any, space: Any, recipes: Any) -> Iterator[Any]:
    """Value and gradient for each input; None where the function has no usable gradient."""
    for recipe in recipes:
        for seed in SEEDS:
            yield _run(inputs, space, {**recipe, "style": "graph"}, seed)


def _run(inputs: Any, space: Any, recipe: Any, seed: int) -> Any:
    torch.manual_seed(seed)
    try:
        built = inputs.build(space, recipe, seed)
        leaves = [leaf for _, leaf in built.inputs if leaf.requires_grad]
        leaves += [p for _, module in built.modules for p in module.parameters()]
        if isinstance(built.instance, torch.nn.Module):
            leaves += built.instance.parameters()
        leaves = [*{id(leaf): leaf for leaf in leaves if leaf.requires_grad}.values()]
        torch.manual_seed(seed)
        result = built.function(*built.args, **built.kwargs)
        tensors = importlib.import_module("_autofix_child.tensors")
        outputs = [
            one
            for one in tensors.results(result)
            if isinstance(one, torch.Tensor) and (one.is_floating_point() or one.is_complex())
        ]
        values = torch.cat([tensors.plain(one).reshape(-1) for one in outputs])
        loss = tensors.scalar(outputs)
        if not leaves or not loss.requires_grad:
            return (values, torch.zeros(sum(leaf.numel() for leaf in leaves)))
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
    except Exception:
        return None
    gradient = torch.cat(
        [
            (torch.zeros_like(leaf) if grad is None else grad).detach().double().reshape(-1)
            for leaf, grad in zip(leaves, found, strict=True)
        ]
    )
    usable = bool(values.isfinite().all()) and bool(gradient.isfinite().all())
    return (values, gradient) if usable else None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with (
        Path(os.devnull).open("w") as sink,
        contextlib.redirect_stdout(sink),
        contextlib.redirect_stderr(sink),
    ):
        yield
