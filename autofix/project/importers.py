"""Who imports a module? Told by the words in import statements, without parsing a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

_IMPORT = re.compile(
    rb"^[ \t]*(?:\"[ \t]*)?(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)"
    rb"|import[ \t]+([^\n#]+))",
    re.MULTILINE,
)
_TELLING = (b"backward(", b"autograd.grad(", b"no_grad", b"inference_mode")
_DOES = re.compile(rb"^(?:[ \t]*\")?(?:for |while |with |[\w.]+\()", re.MULTILINE)
"""A statement at the top of a file, or of a notebook's cell, that does something by itself."""
_WORD = re.compile(rb"[^\W\d]\w*")


def words(data: bytes) -> frozenset[bytes]:
    """The names that stand in the import statements of a file. (In a notebook each line of code
    is a string: its quote may stand before the statement.)"""
    if b"import" not in data:
        return frozenset()
    found = b" ".join(b" ".join(match) for match in _IMPORT.findall(data))
    return frozenset(_WORD.findall(found))


@dataclass(eq=False)
class Importers:
    """The files that mention a name in an import statement, and those that run a backward pass or
    do without: only these, and who is called by them, tell what a gradient is for."""

    _files: dict[bytes, list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each file that was noted."""
    telling: set[str] = field(default_factory=set)
    _programs: dict[str, frozenset[bytes]] = field(default_factory=dict)
    """What the files that can be run as a program import."""
    _scripts: set[str] = field(default_factory=set)
    """Those that are programs only if nobody imports them."""

    def note(self, path: str, data: bytes) -> None:
        if path not in self.sizes:
            self.sizes[path] = len(data)
            if any(text in data for text in _TELLING):
                self.telling.add(path)
            imported = words(data)
            if b"__main__" in data or _DOES.search(data):
                self._programs[path] = imported
            if b"__main__" not in data:
                self._scripts.add(path)
            for word in imported:
                self._files.setdefault(word, []).append(path)

    def knows(self, path: str) -> bool:
        return path in self.sizes

    def mentioning(self, names: Iterable[str]) -> set[str]:
        return {path for name in names for path in self._files.get(name.encode(), ())}

    def runs(self, path: str, modules: Iterable[str]) -> bool:
        """Is the file a program that imports one of the modules with these names?"""
        imported = self._programs.get(path, frozenset())
        if path in self._scripts and self.mentioning({PurePath(path).stem}):
            return False
        return bool(imported) and any(name.encode() in imported for name in modules)
