"""The two sides of a comparison: files, notebooks, trees, and what a version is made of."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autofix.document import Document, DocumentError, load
from autofix.model import Position
from autofix.project.project import Project
from autofix.project.roots import Folders
from autofix.source import lines
from autofix.verified import VerifierError
from autofix.verify.command import Swap
from autofix.verify.hosts import host_of
from autofix.verify.pair import Version

KINDS = (".py", ".ipynb")
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


class SideError(VerifierError):
    """Why two versions cannot be compared, in one line."""


@dataclass(frozen=True)
class Side:
    """One version of one file."""

    document: Document
    version: Version
    project: Project = field(default_factory=Project, compare=False)
    """The files around it, as they are on this side."""

    def place(self, line: int) -> Position:
        """Where a user finds a line of the module text."""
        starts = self.document.source.line_starts
        return self.document.position(starts[min(max(line, 1), len(starts)) - 1])

    def lines(self, first: int, last: int) -> list[str]:
        return [line.rstrip("\r\n") for line in lines(self.document.source.text)[first - 1 : last]]

    def magics(self) -> list[str]:
        """What only IPython understands in a notebook; it is masked in the module text."""
        found: list[str] = []
        notebook = self.document.notebook
        for cell in notebook.cells if notebook else ():
            start, end = cell.value
            source = json.loads(notebook.raw[start:end]) if notebook else ""
            text = source if isinstance(source, str) else "".join(source)
            found += [text[a - cell.start : b - cell.start].strip() for a, b in cell.hidden]
        return found


@dataclass(frozen=True)
class Both:
    """A file that both sides have."""

    shown: str
    before: Side
    after: Side


@dataclass(frozen=True)
class Sides:
    """Everything to compare. What is equal byte for byte is left out."""

    files: tuple[Both, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    same: tuple[Path, ...] = ()
    """What both sides have, and no other than the other."""


def side(data: bytes, path: Path, argv: Sequence[str] = (), roots: Sequence[str] = ()) -> Side:
    """A version from its bytes; `path` is where it lies, or would. Raises SideError."""
    real = os.path.realpath(path)
    try:
        document = load(data, real)
    except DocumentError as error:
        raise SideError(f"{path}: {error}") from None
    for place, said in document.unread:
        raise SideError(f"{path}: cell {place.cell} line {place.line}: {said}")
    found = roots_of(Path(real))
    every = tuple(dict.fromkeys([*found, *roots]))
    text = document.source.text
    host = _host(Path(real), every)
    version = Version(text, real, every, _cells(document), tuple(argv), host)
    return Side(document, version, Project(changed={real: data}))


def rewritten(one: Side, data: bytes) -> Side:
    """The same file with other contents. Raises SideError."""
    was = one.version
    return side(data, Path(was.path), was.argv, was.roots)


def _host(path: Path, roots: Sequence[str]) -> str:
    """Nothing for notebooks."""
    try:
        return host_of(path, roots) if path.suffix == ".py" else ""
    except (SyntaxError, ValueError, RecursionError):
        return ""


def swaps(files: Sequence[Both]) -> list[Swap]:
    """The files for a command that runs on both sides, wherever it imports them from."""
    return [
        Swap(
            tuple(dict.fromkeys((one.before.version.path, one.after.version.path))),
            one.before.document.data,
            one.after.document.data,
        )
        for one in files
    ]


def roots_of(path: Path) -> tuple[str, ...]:
    """Where a program imports from: the folder above its package, its project, `src`, its own
    folder. That of a module in a package comes last, as its names may hide others."""
    folder = top = path.parent
    while (top / "__init__.py").exists() and top != top.parent:
        top = top.parent
    project = Path(Folders().root(str(top)).path)
    found = [top, project, project / "src", folder]
    return tuple(dict.fromkeys(str(at) for at in found if at.is_dir()))


def of_paths(before: Path, after: Path, argv: Sequence[str] = ()) -> Sides:
    """Two files or two trees."""
    for path in (before, after):
        if not path.exists():
            raise SideError(f"{path}: no such file or directory")
    if before.is_dir() != after.is_dir():
        raise SideError(f"{before} and {after}: compare two files, or two folders")
    return _trees(before, after, argv) if before.is_dir() else _files(before, after, argv)


def _files(before: Path, after: Path, argv: Sequence[str]) -> Sides:
    old, new = read(before), read(after)
    # A copy of a module outside of its package imports what the module itself does.
    home = after if (after.parent / "__init__.py").exists() else before
    packaged = (home.parent / "__init__.py").exists()
    places = (home, home) if packaged else (before, after)
    others = [*roots_of(before.absolute()), *roots_of(after.absolute())]
    sides = [
        side(data, place, argv, others) for data, place in zip((old, new), places, strict=True)
    ]
    return Sides((Both(str(after), sides[0], sides[1]),))


def _trees(before: Path, after: Path, argv: Sequence[str]) -> Sides:
    old, new = _below(before), _below(after)
    files = []
    same = []
    projects = [_project(tree, names) for tree, names in ((before, old), (after, new))]
    for name in sorted(old & new):
        was, now = read(before / name), read(after / name)
        if was == now:
            same.append(after / name)
            continue
        roots = [[str(tree.absolute()), str(tree.absolute() / "src")] for tree in (before, after)]
        files.append(
            Both(
                name,
                replace(side(was, before / name, argv, roots[0]), project=projects[0]),
                replace(side(now, after / name, argv, roots[1]), project=projects[1]),
            )
        )
    return Sides(tuple(files), tuple(sorted(new - old)), tuple(sorted(old - new)), tuple(same))


def _project(tree: Path, names: set[str]) -> Project:
    """A tree as a project of its own: a file is used by others wherever they lie in it."""
    folder = Path(os.path.realpath(tree))
    project = Project((str(folder),))
    for name in sorted(names):
        project.note(str(folder / name), read(folder / name))
    return project


def _cells(document: Document) -> tuple[tuple[int, int], ...]:
    """First and last line of each code cell, with what was put before it to make it parse."""
    cells = document.notebook.cells if document.notebook else ()
    line_of = document.source.line_of
    return tuple(
        (line_of(cell.start - len(cell.lead)), line_of(max(cell.start, cell.end - 1)))
        for cell in cells
    )


def _below(tree: Path) -> set[str]:
    """The Python files and notebooks of a tree, as paths inside it."""
    found = set()
    for folder, folders, files in os.walk(tree):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in _PASSED_OVER
        ]
        found |= {
            (Path(folder) / name).relative_to(tree).as_posix()
            for name in files
            if name.endswith(KINDS)
        }
    return found


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SideError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
