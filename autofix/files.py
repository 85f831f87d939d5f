"""Which files to look at: those given, those found in folders, and what is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from autofix.gitignore import ignored, listed

DEFAULT_EXCLUDES = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "__pypackages__",
    "_build",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
"""Names of folders that hold what nobody wrote here. Another list of excludes takes their place."""

_SUFFIXES = (".py", ".ipynb")


@dataclass(frozen=True, slots=True)
class Discovery:
    """Files to look at; paths with what is wrong with them; paths left out, and why."""

    files: tuple[Path, ...]
    errors: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Excludes:
    root: str
    names: frozenset[str]
    spec: GitIgnoreSpec

    def drop(self, below: str, folder: str) -> bool:
        """Whether something below a given folder is excluded. The folder itself was asked for, so
        neither its name nor those above it count."""
        parts = PurePosixPath(below).parts
        if not self.names.isdisjoint(parts if below.endswith("/") else parts[:-1]):
            return True
        if not self.spec.patterns:
            return False
        above = self._from_root(folder)
        if above and self.spec.match_file(above + "/"):
            return self.spec.match_file(below)
        return self.spec.match_file(f"{above}/{below}" if above else below)

    def drop_given(self, path: str, is_folder: bool) -> bool:
        """Whether a path that was given itself is excluded, by its place below the root."""
        below = self._from_root(path) + ("/" if is_folder else "")
        parts = PurePosixPath(below).parts
        inside = _is_below(path, self.root)
        named = not self.names.isdisjoint(parts if is_folder else parts[:-1])
        return (inside and named) or self.spec.match_file(below)

    def _from_root(self, path: str) -> str:
        if _is_below(path, self.root):
            path = path[len(self.root) :]
        return path.replace(os.sep, "/").strip("/")


@dataclass(slots=True)
class _Found:
    """What is collected; a file that is reached by two paths is kept once, under its own name."""

    files: dict[str, Path] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def add(self, real: str, path: Path) -> None:
        known = self.files.get(real)
        if known is None or (known.is_symlink() and not path.is_symlink()):
            self.files[real] = path


def discover(
    paths: Sequence[Path],
    *,
    exclude: Sequence[str] = (),
    extend_exclude: Sequence[str] = (),
    force_exclude: bool = False,
    root: Path | None = None,
) -> Discovery:
    """Find the files. Excludes are patterns as in `.gitignore`, counted from `root`; those of
    `exclude` replace the default ones. Files given by name are always taken, unless
    `force_exclude` makes excludes and ignore files count for them too."""
    top = os.path.realpath(root or Path.cwd())
    patterns = [_pattern(pattern, top) for pattern in (*exclude, *extend_exclude)]
    names = frozenset(() if exclude else DEFAULT_EXCLUDES)
    excludes = _Excludes(top, names, GitIgnoreSpec.from_lines(patterns))
    found = _Found()
    given = [(path, mode) for path in paths if (mode := _mode(path, found)) is not None]
    if force_exclude:
        hidden = ignored([path for path, _ in given], top)
        given = [
            (path, mode)
            for path, mode in given
            if path not in hidden and not excludes.drop_given(_place(path), stat.S_ISDIR(mode))
        ]
    for path, mode in given:
        if stat.S_ISDIR(mode):
            _search(path, excludes, found)
        else:
            found.add(os.path.realpath(path), path)
    files = tuple(sorted(found.files.values()))
    return Discovery(files, tuple(found.errors), tuple(found.notes))


def _mode(path: Path, found: _Found) -> int | None:
    """The kind of a given path, or an error."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        message = "broken link" if path.is_symlink() else "no such file or directory"
    except OSError as error:
        message = (error.strerror or str(error)).lower()
    except (ValueError, RuntimeError) as error:
        message = str(error)
    else:
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return mode
        message = "neither a file nor a folder"
    found.errors.append((str(path), message))
    return None


def _search(folder: Path, excludes: _Excludes, found: _Found) -> None:
    """Collect the files below a folder."""
    real = os.path.realpath(folder)
    place = _place(folder)

    def fail(below: str, error: OSError) -> None:
        message = (error.strerror or str(error)).lower()
        found.errors.append((str(folder / below), f"cannot be listed: {message}"))

    for below in listed(folder, excludes.root, lambda path: excludes.drop(path, place), fail):
        path = folder / below
        if not below.endswith(_SUFFIXES) or not path.is_file():
            continue  # also a tracked file that was deleted, or a link to nowhere
        if not path.is_symlink():
            found.add(f"{real}/{below}", path)
            continue
        target = os.path.realpath(path)
        if _is_below(target, real) or _is_below(target, excludes.root):
            found.add(target, path)
        else:
            found.notes.append((str(path), f"links to `{target}`, which is outside: skipped"))


def _pattern(pattern: str, root: str) -> str:
    """A pattern counted from the root, written as git would."""
    if _is_below(pattern, root):
        return pattern[len(root) :] or "/"
    return pattern[1:] if pattern.startswith("./") else pattern


def _place(path: Path) -> str:
    """Where a path stands, with links above it followed but not one of its own."""
    if path.name in ("", ".."):
        return os.path.realpath(path)
    return f"{os.path.realpath(path.parent).rstrip('/')}/{path.name}"


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
