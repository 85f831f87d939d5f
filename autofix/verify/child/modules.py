"""What is seen of modules: which is called from where, and which Parameters are made."""

from __future__ import annotations

import sys
from typing import Any

import torch

from . import tensors
from .current import current, unwatched
from .places import where
from .session import Session
from .tensors import Tensor


def install() -> None:
    _patch_calls()
    _patch_parameters()


def _patch_calls() -> None:
    original = torch.nn.Module.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        if session is None:
            return original(self, *args, **kwargs)
        if not session.stack and not any(root is self for root in session.roots):
            session.roots.append(self)
        session.stack.append(self)
        try:
            result = original(self, *args, **kwargs)
        finally:
            session.stack.pop()
        if session.mode.name == "plain":
            with unwatched(session):
                session.dtypes.hand_out(self, result)
        return result

    torch.nn.Module.__call__ = call  # type: ignore[method-assign]


def _patch_parameters() -> None:
    """Weights that are made inside of a forward pass are made again by the next one."""
    original = torch.nn.Parameter.__new__

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(cls, *args, **kwargs)
        session = current()
        if session is None:
            return made
        session.training.born[id(made)] = len(session.optimizers)
        if sys._getframe(1).f_code.co_filename == session.path:
            session.training.made.append(list(made.shape))
        if session.stack:
            session.made_inside.append(made)
        elif any(one.requires_grad for one in tensors.inside([args[:1], kwargs.get("data")])):
            with unwatched(session):
                if not _on_trial(session, made):
                    session.begin(made)
        return made

    torch.nn.Parameter.__new__ = new  # type: ignore[method-assign]


_BUILDERS = ("__init__", "<module>")


def _on_trial(session: Session, made: Tensor) -> bool:
    """Whether a change computes something and hides what it depends on behind a Parameter. Where
    things are built, and where a weight is copied, a new weight is what is wanted."""
    frame = session.user_frame()
    if frame is None or frame.f_code.co_name in _BUILDERS or not where(session)[1]:
        return False
    held = tensors.plain(made)
    return not any(
        leaf.value.shape == held.shape and torch.equal(leaf.value, held) for leaf in session.leaves
    )
