"""Keep torch's compiler from being imported: the first optimizer would do so, for two seconds."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

import torch

NAME = "torch._dynamo"


class _Absent(types.ModuleType):
    """Stands for the compiler until something asks for more than to be left uncompiled."""

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        pass

    def disable(self, fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        return fn if fn is not None else (lambda function: function)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        real = importlib.import_module(NAME)
        torch._dynamo = real
        return getattr(real, name)


def leave_out() -> None:
    """Do without the compiler; `torch.compile` and explicit imports still find it."""
    known: dict[str, Any] = sys.modules
    if NAME not in known:
        torch._dynamo = known[NAME] = _Absent(NAME)
