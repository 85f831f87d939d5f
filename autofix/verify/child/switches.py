"""Who has switched gradients off: the changed lines, or a caller that only evaluates."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch

from .current import current


def install() -> None:
    for switch in (torch.no_grad, torch.inference_mode):
        _patch(switch)


def _patch(switch: Any) -> None:
    enter, leave = switch.__enter__, switch.__exit__

    @wraps(enter)
    def entered(self: Any) -> Any:
        session = current()
        if session is not None:
            frame = session.user_frame()
            session.stopped_in.append(frame.f_code if frame is not None else None)
            self._autofix_session = session
        return enter(self)

    @wraps(leave)
    def left(self: Any, *problem: Any) -> Any:
        session = self.__dict__.pop("_autofix_session", None)
        if session is not None and session.stopped_in:
            session.stopped_in.pop()
        return leave(self, *problem)

    switch.__enter__, switch.__exit__ = entered, left
