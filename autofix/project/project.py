"""The project around the files of a run: which file an import means, and what is in it."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autofix.document import Document, DocumentError, load
from autofix.files import discover
from autofix.flow.index import Index
from autofix.flow.unit import Unit
from autofix.project.importers import Importers
from autofix.project.resolving import find, submodule
from autofix.project.roots import Folders, Root, below

MOST_TEXT = 3_000_000
"""Characters of source that are kept parsed: a hundred times that in memory."""
LARGEST = 400_000
"""A larger file is generated, or too much to follow."""
MOST_FILES = 5_000
"""A project of more files is not searched for who imports a module."""

LARGE = 1_500_000
"""Bytes of Python in a project from which on only files that seem to have something to report, or
that train, are looked at together with others."""
MOST_USERS = 12
"""A module that is imported more often is not asked who imports it."""

_TEST = re.compile(r"(?:^|[/\\])(?:tests?[/\\]|test_[^/\\]*$|[^/\\]*_test\.py$|conftest\.py$)")


@dataclass(eq=False)
class Project:
    """What a run knows of the files around those it looks at. Every file is looked at on its own:
    this only reads, and keeps what it has parsed for the next file that needs it."""

    given: tuple[str, ...] = ()
    """Files and folders that the run is about, by absolute path."""
    changed: Mapping[str, bytes] = field(default_factory=dict)
    """New contents of files that are not written yet."""
    users: Importers = field(default_factory=Importers)
    _folders: Folders = field(init=False)
    _units: OrderedDict[str, Unit | None] = field(default_factory=OrderedDict)
    _searched: set[str] = field(default_factory=set)
    _large: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._folders = Folders(self.given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Project, (self.given, self.changed, self.users)

    def with_changes(self, changed: Mapping[str, bytes]) -> Project:
        project = Project(self.given, changed, self.users)
        project._folders = self._folders
        return project

    def find(self, dotted: str, level: int, importer: str, script: bool) -> str | None:
        return find(dotted, level, importer, script, self._folders)

    def submodule(self, path: str, name: str) -> str | None:
        return submodule(path, name, self._folders)

    def is_given(self, path: str) -> bool:
        """Is the run about this file, too?"""
        return any(below(path, given) for given in self.given)

    def is_test(self, path: str) -> bool:
        root = self._folders.root(os.path.dirname(path)).path
        return _TEST.search(os.path.relpath(path, root)) is not None

    def is_large(self, path: str) -> bool:
        """Is the file in a project that is too large to follow every import?"""
        folder = os.path.dirname(os.path.abspath(path))
        root = self._folders.root(folder)
        if root.path not in self._large:
            self._search(root, folder)
            sizes = self.users.sizes.items()
            total = sum(size for file, size in sizes if below(file, root.path))
            self._large[root.path] = total > LARGE
        return self._large[root.path]

    def is_shared(self, path: str) -> bool:
        """Is the file there for others: a part of a package, or imported by another file?"""
        folder = os.path.dirname(path)
        if self._folders.is_package(folder):
            return True
        root = self._folders.root(folder)
        self._search(root, folder)
        users = self.users.mentioning({_stem(path)}) - {path}
        return any(below(user, root.path) for user in users)

    def unit(self, path: str) -> Unit | None:
        """A file, parsed; None if that is not possible."""
        if path not in self._units:
            self._units[path] = self._load(path)
            size = sum(len(unit.source.text) for unit in self._units.values() if unit)
            while size > MOST_TEXT and len(self._units) > 1:
                _, dropped = self._units.popitem(last=False)
                size -= len(dropped.source.text) if dropped else 0
        self._units.move_to_end(path)
        return self._units[path]

    def _load(self, path: str) -> Unit | None:
        try:
            data = self._read(path)
            if data is None:
                return None
            document = load(data, path)
            tree = document.source.parse()
        except (OSError, ValueError, SyntaxError, DocumentError, RecursionError, MemoryError):
            return None
        name = self._name(path)
        index = Index(tree, document.source)
        return Unit(path, document.source, tree, index, lambda line: _place(line, name, document))

    def _read(self, path: str) -> bytes | None:
        if path in self.changed:
            return self.changed[path]
        if not path.endswith((".py", ".ipynb")) or not os.path.isfile(path):
            return None
        return Path(path).read_bytes() if os.path.getsize(path) <= LARGEST else None

    def _name(self, path: str) -> str:
        root = self._folders.root(os.path.dirname(path)).path
        return os.path.relpath(path, root).replace(os.sep, "/")

    def importers(self, path: str, names: tuple[str, ...]) -> list[tuple[str, bool]]:
        """The files that may import `names`, or the module at `path` itself, the nearest first;
        and whether each may tell something of gradients, by itself or through who imports it."""
        folder = os.path.dirname(path)
        root = self._folders.root(folder)
        self._search(root, folder)
        found = self.users.mentioning({_stem(path), *names}) - {path}
        own = [p for p in found if below(p, root.path)]

        def distance(other: str) -> tuple[bool, int, str]:
            common = os.path.commonpath((folder, os.path.dirname(other)))
            steps = (folder + os.path.dirname(other)).count(os.sep) - 2 * common.count(os.sep)
            return self.is_test(other), steps, other

        return [(other, self._tells(other, 1)) for other in sorted(own, key=distance)]

    def _tells(self, path: str, hops: int, seen: frozenset[str] = frozenset()) -> bool:
        telling = self.users.telling
        if path in telling or self.users.runs(path, map(_stem, telling)):
            return True
        users = self.users.mentioning({_stem(path)}) if hops else set()
        if len(users) > MOST_USERS:
            return False  # a name such as `utils`, that says nothing
        seen |= {path}
        return any(
            # A package only hands on what its files define.
            self._tells(user, hops if _is_package(user) else hops - 1, seen)
            for user in sorted(users - seen)
        )

    def note(self, path: str, data: bytes) -> None:
        """Take notice of a file of the run, which is read anyway."""
        self.users.note(os.path.abspath(path), data)

    def _search(self, root: Root, folder: str) -> None:
        """Look for the files of a project that the run itself is not about."""
        if root.marked:
            self._look(root.path, recursive=True)
            return
        package = self._folders.search(folder).package
        inner = os.path.join(self._folders.outermost(folder), package) if package else folder
        self._look(inner, recursive=bool(package))
        self._look(root.path, recursive=False)

    def _look(self, folder: str, *, recursive: bool) -> None:
        if folder not in self._searched and not self.is_given(folder):
            self._searched.add(folder)
            self._note_files(folder, recursive)

    def _note_files(self, folder: str, recursive: bool) -> None:
        if recursive:
            files: Iterable[str] = map(str, discover([Path(folder)], root=Path(folder)).files)
        else:
            names = sorted(self._folders.names(folder))
            files = [os.path.join(folder, n) for n in names if n.endswith((".py", ".ipynb"))]
        listed = list(files)
        if len(listed) > MOST_FILES:
            return
        for file in listed:
            if self.users.knows(file):
                continue
            try:
                data = self._read(file)
            except (OSError, ValueError):
                continue
            if data is not None:
                self.users.note(file, data)


def _place(line: int, name: str, document: Document) -> str:
    starts = document.source.line_starts
    at = document.position(starts[min(line, len(starts)) - 1])
    cell = f"cell {at.cell} " if at.cell is not None else ""
    return f"{at.line} of {cell}{'of ' if cell else ''}{name}"


def _stem(path: str) -> str:
    """What import statements call a module."""
    folder, file = os.path.split(path)
    return os.path.basename(folder) if _is_package(path) else file.rpartition(".")[0]


def _is_package(path: str) -> bool:
    return os.path.basename(path) == "__init__.py"
