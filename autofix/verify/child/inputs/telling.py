"""Whether a call says anything: a result that depends on nothing cannot tell two versions apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .. import tensors

if TYPE_CHECKING:
    from .building import Built

_NOTHING = 1e-12


def tells(built: Built, result: Any) -> bool:
    """False for an empty result, and for one that is the same whatever goes in."""
    found = list(tensors.results(result, torch.Tensor))
    if found and not any(one.numel() for one in found):
        return False
    sources = _sources(built)
    roots = [one for one in found if one.requires_grad and one.numel()]
    if not roots or not sources:
        return True
    try:
        slopes = torch.autograd.grad(tensors.scalar(roots), sources, allow_unused=True)
    except RuntimeError:  # the pass that follows says what is wrong
        return True
    known = [slope for slope in slopes if slope is not None]
    return not known or any(bool((tensors.plain(s).abs() > _NOTHING).any()) for s in known)


def _sources(built: Built) -> list[torch.Tensor]:
    modules = [module for _, module in built.modules]
    parameters = [p for module in modules for p in module.parameters()]
    found = [*(leaf for _, leaf in built.inputs), *parameters]
    return list({id(one): one for one in found if one.requires_grad}.values())
