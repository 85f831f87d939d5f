"""Starts the verifier's side in the user's interpreter: `python .../verify/child`."""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = "_autofix_child"
_FOLDER = Path(__file__).absolute().parent


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with builtins of its own, so that it works on when user code changes them."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = dict(vars(builtins))
        super().exec_module(module)


class _Finder:
    """Finds the package and its modules by path: `sys.path` stays the user's."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, *parts = name.split(".")
        if package != _PACKAGE:
            return None
        folder = _FOLDER.joinpath(*parts)
        folders = [str(folder)] if folder.is_dir() else None
        file = folder / "__init__.py" if folders else folder.with_name(f"{folder.name}.py")
        return importlib.util.spec_from_file_location(
            name, file, loader=_Loader(name, str(file)), submodule_search_locations=folders
        )


def main() -> None:
    # Python puts the folder of what it runs at the front.
    sys.path[:] = [entry for entry in sys.path if Path(entry).absolute() != _FOLDER]
    sys.meta_path.insert(0, _Finder)
    serve = importlib.import_module(f"{_PACKAGE}.isolation.serve")
    serve.main()


if __name__ == "__main__":
    main()
