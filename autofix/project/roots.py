"""Where the modules that a file imports may lie: its own folder, its package, its project."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

MARKERS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg"})
INSTALLED = ("site-packages", "dist-packages")
OURSELVES = frozenset({"torch", "numpy"})
"""Packages whose functions the analysis knows already, better than their code would tell."""
RESERVED = frozenset(sys.stdlib_module_names) | OURSELVES
"""Names that mean the same module wherever they are imported."""
PACKAGE = "__init__.py"


@dataclass(frozen=True, slots=True)
class Root:
    """The folder that a project lies in."""

    path: str
    marked: bool
    """A file or folder in it says so; else it is only where its programs seem to lie."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where the absolute imports of the files in one folder may lead."""

    bases: tuple[str, ...]
    beside: str | None
    """The folder itself, where it is part of a package: its files find each other by their bare
    names only when one of them is run as a script."""
    package: str
    """The name of the outermost package around, or nothing."""
    only: bool = False
    """Among installed packages, each sees itself only."""


@dataclass(eq=False)
class Folders:
    """What lies where; each folder is listed once."""

    given: tuple[str, ...] = ()
    """Files and folders that the run is about."""
    _names: dict[str, frozenset[str]] = field(default_factory=dict)
    _searches: dict[str, Search] = field(default_factory=dict)
    _roots: dict[str, Root] = field(default_factory=dict)

    def names(self, folder: str) -> frozenset[str]:
        found = self._names.get(folder)
        if found is None:
            try:
                found = frozenset(os.listdir(folder))
            except (OSError, ValueError):
                found = frozenset()
            self._names[folder] = found
        return found

    def is_package(self, folder: str) -> bool:
        return PACKAGE in self.names(folder)

    def outermost(self, folder: str) -> str:
        """The folder that holds the outermost package around `folder`."""
        while self.is_package(folder) and (above := os.path.dirname(folder)) != folder:
            folder = above
        return folder

    def root(self, folder: str) -> Root:
        found = self._roots.get(folder)
        if found is None:
            found = self._roots[folder] = self._root(folder)
        return found

    def _root(self, folder: str) -> Root:
        at = folder
        while os.path.basename(at) not in INSTALLED:
            if MARKERS & self.names(at):
                return Root(at, True)
            above = os.path.dirname(at)
            if above == at:
                break
            at = above
        return Root(self._above(folder), False)

    def _above(self, folder: str) -> str:
        """Where the programs may lie that import from a folder without a marker: of the folders
        around it that the run is about the outermost with a module, or else the next one."""
        top = self.outermost(folder)
        around = [top]
        while around[-1] not in self.given and any(below(top, one) for one in self.given):
            around.append(os.path.dirname(around[-1]))
        if top == folder and len(around) == 1 and top not in self.given:
            around.append(os.path.dirname(top))
        return next((one for one in reversed(around) if self.has_modules(one)), top)

    def has_modules(self, folder: str) -> bool:
        return any(name.endswith((".py", ".ipynb")) for name in self.names(folder))

    def search(self, folder: str) -> Search:
        found = self._searches.get(folder)
        if found is None:
            found = self._searches[folder] = self._search(folder)
        return found

    def _search(self, folder: str) -> Search:
        top = self.outermost(folder)
        inside = os.path.relpath(folder, top).partition(os.sep)[0] if top != folder else ""
        if os.path.basename(top) in INSTALLED:
            return Search((top,), None, inside, only=True)
        root = self.root(folder)
        bases = [top]
        if root.marked:
            at = top
            while at != root.path and len(at) > len(root.path):
                at = os.path.dirname(at)
                bases.append(at)
            bases.append(os.path.join(root.path, "src"))
        else:
            bases.append(root.path)
        kept = [base for base in bases if not self.is_package(base)]
        return Search(tuple(dict.fromkeys(kept)), folder if inside else None, inside)


def below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
