"""Modules that load when they are first used, however they are imported."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def defer(name: str) -> None:
    """Make `import name` cost nothing until an attribute of the module is asked for, so that a
    rule can import what it needs at its top, as modules do.

    Not `importlib.util.LazyLoader`: there a second import statement already loads the module.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is not None:
        module = sys.modules[name] = _Deferred(name)
        module.__spec__ = spec


class _Deferred(ModuleType):
    """Stands in for a module; those who hold it see the real one through it."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._load(), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        super().__setattr__(attribute, value)
        # The import system sets a submodule on whatever stood for its package when it began.
        real = sys.modules.get(self.__name__)
        if isinstance(value, ModuleType) and real is not None and real is not self:
            setattr(real, attribute, value)

    def _load(self) -> ModuleType:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return import_module(self.__name__)
