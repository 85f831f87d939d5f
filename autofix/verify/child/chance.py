"""Everything random starts alike in both versions, and differs from seed to seed."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from .current import current
from .tensors import Tensor

_offset = [0]


def seed(number: int) -> None:
    """Start all generators alike; `torch.manual_seed(0)` in the program then means this too."""
    _offset[0] = 1009 * number
    _drawn.clear()
    random.seed(number)
    # Not `torch.manual_seed`: for each device that is not there it formats the whole stack.
    torch.default_generator.manual_seed(_offset[0])
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(_offset[0])


def _patch_seeds() -> None:
    original = torch.manual_seed

    def manual_seed(value: Any) -> Any:
        return original(int(value) + _offset[0])

    torch.manual_seed = manual_seed  # type: ignore[assignment]
    torch.random.manual_seed = manual_seed  # type: ignore[assignment]
    python_seed = random.seed

    def shifted_seed(value: Any = None, *args: Any, **kwargs: Any) -> None:
        shifted = value + _offset[0] if isinstance(value, int) else value
        python_seed(shifted, *args, **kwargs)

    random.seed = shifted_seed  # type: ignore[assignment]
    try:
        import numpy
    except ImportError:
        return
    array_seed = numpy.random.seed

    def numpy_seed(value: Any = None) -> None:
        array_seed(value + _offset[0] if isinstance(value, int) else value)

    numpy.random.seed = numpy_seed  # type: ignore[assignment]


_drawn: dict[Any, int] = {}
_drawing: list[Any] = []
"""The initialisation that is going on."""


def _patch_initialisers() -> None:
    """The n-th initialisation of a shape in layers of a kind draws the same values wherever it
    stands in the program, so that a layer which is made earlier or later starts from the same
    weights."""
    for name in dir(torch.nn.init):
        original = getattr(torch.nn.init, name)
        if name.endswith("_") and not name.startswith("_") and callable(original):
            setattr(torch.nn.init, name, _steady(original))


def _steady(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def initialise(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        own = kwargs.get("generator") is not None
        # A mode hands the call on to this very function: that is the same draw.
        if session is None or not isinstance(tensor, Tensor) or own or _drawing:
            return original(tensor, *args, **kwargs)
        kind = (original.__name__, tuple(tensor.shape), _layer(sys._getframe(1)))
        _drawn[kind] = _drawn.get(kind, 0) + 1
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(_number((kind, _drawn[kind], _offset[0])))
        _drawing.append(kind)
        try:
            return original(tensor, *args, **kwargs)
        finally:
            _drawing.clear()
            torch.set_rng_state(state)

    return initialise


def _layer(frame: Any) -> str:
    """The layer of torch that initialises its own weights, in words."""
    owner = frame.f_locals.get("self")
    own = isinstance(owner, torch.nn.Module) and type(owner).__module__.startswith("torch.nn.")
    try:
        return f"{type(owner).__name__}({owner.extra_repr()})" if own else ""
    except Exception:  # not all of it is there yet
        return ""


def _number(value: Any) -> int:
    return int(hashlib.sha1(repr(value).encode()).hexdigest()[:12], 16)


def install() -> None:
    _patch_seeds()
    _patch_initialisers()
