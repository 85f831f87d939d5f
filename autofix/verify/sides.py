"""The two sides of a comparison: files, notebooks, trees, or a revision and the work tree."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from autofix.document import Document, DocumentError, load
from autofix.model import Position
from autofix.project.project import Project
from autofix.source import lines, parse
from autofix.verified import VerifierError
from autofix.verify.command import Swap
from autofix.verify.drives import runs
from autofix.verify.hosts import host_of
from autofix.verify.pair import Version

_KINDS = (".py", ".ipynb")
_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_LARGEST = 1_000_000
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
    host = _host(Path(real), text, every)
    version = Version(text, real, every, _cells(document), tuple(argv), host)
    return Side(document, version, Project(changed={real: data}))


def _host(path: Path, text: str, roots: Sequence[str]) -> str:
    """Looked for only where a file cannot be run by itself."""
    try:
        return "" if path.suffix != ".py" or runs(parse(text)) else host_of(path, roots)
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
    project = next((at for at in (top, *top.parents) if _is_project(at)), top)
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
    old, new = _read(before), _read(after)
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
    for name in sorted(old & new):
        was, now = _read(before / name), _read(after / name)
        if was == now:
            same.append(after / name)
            continue
        roots = [[str(tree.absolute()), str(tree.absolute() / "src")] for tree in (before, after)]
        files.append(
            Both(
                name,
                side(was, before / name, argv, roots[0]),
                side(now, after / name, argv, roots[1]),
            )
        )
    return Sides(tuple(files), tuple(sorted(new - old)), tuple(sorted(old - new)), tuple(same))


@contextmanager
def of_revision(revision: str, paths: Sequence[str], argv: Sequence[str] = ()) -> Iterator[Sides]:
    """A revision of git, and the work tree as it is now."""
    top = Path(_git("rev-parse", "--show-toplevel").decode().rstrip("\n"))
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    name = commit.decode().strip()
    changed = _changed(name, paths)
    both = [
        Both(_shown(top / path), side(was, top / path, argv), side(now, top / path, argv))
        for path, was, now in _contents(name, top, changed["M"])
    ]
    project = Project(changed={one.before.version.path: one.before.document.data for one in both})
    both = [replace(one, before=replace(one.before, project=project)) for one in both]
    added, removed = (tuple(_shown(top / path) for path in changed[kind]) for kind in ("A", "D"))
    with tempfile.TemporaryDirectory(prefix="autofix-") as scratch:
        if len(both) + len(added) + len(removed) > 1:
            # The old version of a file needs the old versions of those that it imports.
            _unpack(name, top, Path(scratch))
            both = [replace(one, before=_from(one.before, top, scratch)) for one in both]
        yield Sides(tuple(both), added, removed)


def _from(old: Side, top: Path, scratch: str) -> Side:
    """The side with its imports served from an old tree, where that has them."""
    real = os.path.realpath(top)
    moved = [
        os.path.join(scratch, os.path.relpath(root, real))  # noqa: PTH118
        for root in old.version.roots
        if root == real or root.startswith(real + os.sep)
    ]
    roots = (*(os.path.normpath(root) for root in moved), *old.version.roots)
    return replace(old, version=replace(old.version, roots=roots))


def _changed(commit: str, paths: Sequence[str]) -> dict[str, list[str]]:
    """Paths of Python files, from the top of the repository, by the letter git has for them."""
    words = _git(
        *("diff", "--name-status", "--no-renames", "-z", "--no-ext-diff"),
        *(commit, "--", *(paths or ["."])),
    )
    parts = os.fsdecode(words).split("\0")[:-1]
    found: dict[str, list[str]] = {"M": [], "A": [], "D": []}
    for kind, path in zip(parts[::2], parts[1::2], strict=True):
        if path.endswith(_KINDS) and kind in found:
            found[kind].append(path)
    return found


def _contents(commit: str, top: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes, bytes]]:
    for path in paths:
        was = _git("cat-file", "blob", f"{commit}:{path}")
        now = _read(top / path)
        if was != now:
            yield path, was, now


def _unpack(commit: str, top: Path, scratch: Path) -> None:
    """The small files of a revision: its code, not its data."""
    with (
        subprocess.Popen(
            ["git", "-C", str(top), "archive", "--format=tar", commit], stdout=subprocess.PIPE
        ) as running,
        tarfile.open(fileobj=running.stdout, mode="r|") as archive,
    ):
        for member in archive:
            parts = PurePosixPath(member.name).parts
            if member.isfile() and member.size <= _LARGEST and ".." not in parts:
                target = scratch / member.name
                content = archive.extractfile(member)
                assert content
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def _git(*words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False)
    except OSError as error:
        raise SideError(f"git cannot be run: {(error.strerror or str(error)).lower()}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
        raise SideError(said.removeprefix("fatal: ") or f"git knows no revision `{words[-1][:-9]}`")
    return done.stdout


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
            if name.endswith(_KINDS)
        }
    return found


def _is_project(folder: Path) -> bool:
    return any((folder / name).exists() for name in _MARKERS)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SideError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
