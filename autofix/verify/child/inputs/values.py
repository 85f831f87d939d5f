"""Draws the values of tensors: in range, with meaning, the same for the same generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Spec = dict[str, Any]


def draw(spec: Spec, generator: torch.Generator) -> torch.Tensor:
    """The tensor, without a gradient. Floats have the default dtype in force."""
    shape, dtype = tuple(spec["shape"] or ()), spec["dtype"]
    if spec.get("values") == "given":
        return torch.tensor(spec["given"])
    if dtype in ("long", "int"):
        made = _classes(shape, max(1, spec.get("below", 2)), generator)
        return made.to(torch.int32 if dtype == "int" else torch.int64)
    if dtype == "bool":
        return _classes(shape, 5, generator) < 3
    made = torch.rand(shape, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    made = _VALUES.get(spec.get("values", "unit"), _unit)(made)
    if dtype == "complex":
        return torch.complex(made, made.flip(0) if made.dim() else made)
    if dtype in ("double", "single"):
        return made.to(torch.float64 if dtype == "double" else torch.float32)
    return made.to(torch.get_default_dtype())


def _classes(shape: tuple[int, ...], count: int, generator: torch.Generator) -> torch.Tensor:
    """Whole numbers below `count`, each as often as the others: no class is without a row."""
    size = 1
    for side in shape:
        size *= side
    start = int(torch.randint(0, count, (), generator=generator)) if size < count else 0
    return ((torch.randperm(size, generator=generator) + start) % count).reshape(shape)


def _unit(made: torch.Tensor) -> torch.Tensor:
    return made


def _signed(made: torch.Tensor) -> torch.Tensor:
    """Of both signs, and not close to zero, where many functions have a kink."""
    away = (made - 0.5) * 4.6
    return away + 0.15 * torch.where(away < 0, -1.0, 1.0)


def _rows(made: torch.Tensor) -> torch.Tensor:
    return made / made.sum(-1, keepdim=True) if made.dim() else made


def _well(made: torch.Tensor) -> torch.Tensor:
    """Well-conditioned where square, so that inverses and determinants make sense."""
    if made.dim() < 2:
        return made
    return made * 0.2 + torch.eye(made.shape[-2], made.shape[-1], dtype=made.dtype)


def _positive(made: torch.Tensor) -> torch.Tensor:
    if made.dim() < 2 or made.shape[-1] != made.shape[-2]:
        return made
    return made @ made.transpose(-1, -2) + torch.eye(made.shape[-1], dtype=made.dtype)


def _rotation(made: torch.Tensor) -> torch.Tensor:
    if made.dim() < 2 or made.shape[-1] != made.shape[-2]:
        return made
    matrix: torch.Tensor = torch.linalg.qr(_well(made))[0]
    matrix[..., 0] *= torch.linalg.det(matrix)[..., None]
    return matrix


def _sorted(made: torch.Tensor) -> torch.Tensor:
    return made.sort(-1).values if made.dim() else made


_VALUES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "unit": _unit,
    "signed": _signed,
    "rows": _rows,
    "well": _well,
    "positive definite": _positive,
    "rotation": _rotation,
    "sorted": _sorted,
    "large": lambda made: made * 10 + 1,
    "normal": lambda made: torch.nn.functional.normalize(made, dim=-1) if made.dim() else made,
}
