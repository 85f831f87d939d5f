"""What git takes for part of a tree: asked of git, else worked out from the ignore files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

# What any folder could hold: if even this name is ignored, the folder is ignored as a whole.
_PROBE = ".autofix-probe"
# Inside a hook these are set, for another folder than the one that is looked at.
_GIT_STATE = (
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
Prune = Callable[[str], bool]
Fail = Callable[[str, OSError], None]


@dataclass(frozen=True, slots=True)
class _Level:
    """One ignore file: it speaks of paths below its folder."""

    folder: str
    spec: GitIgnoreSpec

    def says(self, path: str) -> bool | None:
        """Whether a path (with a final `/` for a folder) is ignored; None if nothing is said."""
        below = path[len(self.folder) :].replace(os.sep, "/").lstrip("/")
        return self.spec.check_file(below).include


def listed(folder: Path, root: str, prune: Prune, fail: Fail) -> Iterator[str]:
    """Files below a folder that are not ignored, as relative paths with `/`.

    A folder that is ignored as a whole was asked for by name: then only the ignore files below it
    count. Outside of a repository those count that stand below `root`. `prune` is asked of every
    path, folders with a final `/`. Links are listed, not followed.
    """
    found = None if _ignored_whole(folder) else _git(folder, "ls-files", *_LIST)
    if found is None:
        yield from _walk(folder, root, prune, fail)
        return
    for name in found:
        if prune(name):
            continue
        inner = folder / name
        if inner.is_dir() and not inner.is_symlink():
            # A submodule, or a repository that nobody added. git does not look into either.
            if (inner / ".git").exists():
                prefix = name.rstrip("/") + "/"
                below = listed(inner, root, _below(prefix, prune), _below_fail(prefix, fail))
                yield from (prefix + path for path in below)
        else:
            yield name


_LIST = ("-co", "--exclude-standard", "-z", "--deduplicate")


def ignored(paths: Sequence[Path], root: str) -> frozenset[Path]:
    """Those of the paths that git does not track and ignores."""
    if not paths:
        return frozenset()
    names = {os.path.abspath(path): path for path in paths}  # noqa: PTH100 (no link followed)
    asked = "\0".join(names)
    found = _git(Path(root), "check-ignore", "-z", "--stdin", given=asked, fine=(0, 1))
    if found is not None:
        return frozenset(names[name] for name in found if name in names)
    return frozenset(path for name, path in names.items() if _ignored_alone(name, root))


def _git(
    folder: Path, command: str, *options: str, given: str = "", fine: Iterable[int] = (0,)
) -> list[str] | None:
    """What git answers, split at NUL; None if it does not: none here, no repository, not ours."""
    env = {name: value for name, value in os.environ.items() if name not in _GIT_STATE}
    # A repository's own configuration could name a program to run here.
    arguments = ["git", "-c", "core.fsmonitor=false", command, *options]
    try:
        done = subprocess.run(
            arguments, cwd=folder, env=env, input=os.fsencode(given), capture_output=True
        )
    except (OSError, ValueError):
        return None
    if done.returncode not in fine:
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _ignored_whole(folder: Path) -> bool:
    return _git(folder, "check-ignore", "-q", "--no-index", _PROBE) is not None


def _below(prefix: str, prune: Prune) -> Prune:
    return lambda path: prune(prefix + path)


def _below_fail(prefix: str, fail: Fail) -> Fail:
    return lambda path, error: fail(prefix + path, error)


def _walk(top: Path, root: str, prune: Prune, fail: Fail) -> Iterator[str]:
    start = os.path.realpath(top)
    levels = _above(start, root)
    if _says(levels, os.path.join(start, _PROBE)):  # noqa: PTH118
        levels = []
    stack = [("", [*levels, *_level(start, unless_whole=True)])]
    while stack:
        below, levels = stack.pop()
        folders: list[tuple[str, list[_Level]]] = []
        try:
            with os.scandir(f"{start}/{below}") as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            fail(below, error)
            continue
        for entry in entries:
            inside = entry.is_dir(follow_symlinks=False)
            name = below + entry.name + ("/" if inside else "")
            if prune(name) or _says(levels, f"{start}/{name}"):
                continue
            if inside:
                folders.append((name, [*levels, *_level(f"{start}/{name}")]))
            else:
                yield name
        stack += reversed(folders)


def _above(path: str, root: str) -> list[_Level]:
    """The ignore files above a path, down from the top of its repository or else from the root."""
    levels: list[_Level] = []
    known: list[_Level] = []
    for parent in (Path(path), *Path(path).parents):
        if str(parent) != path:
            levels = [*_level(str(parent)), *levels]
        if (parent / ".git").exists():
            return levels
        if str(parent) == root:
            known = levels
    return known


def _level(folder: str, unless_whole: bool = False) -> list[_Level]:
    """The ignore file of a folder, if it has one."""
    try:
        text = Path(folder, ".gitignore").read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    spec = GitIgnoreSpec.from_lines(line for line in text.splitlines() if _valid(line))
    if unless_whole and spec.match_file(_PROBE):
        return []
    return [_Level(folder.rstrip("/"), spec)]


def _valid(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _says(levels: Sequence[_Level], path: str) -> bool:
    """Whether the nearest ignore file that speaks of a path ignores it."""
    for level in reversed(levels):
        if (said := level.says(path)) is not None:
            return said
    return False


def _ignored_alone(path: str, root: str) -> bool:
    """Whether a path, or a folder above it, is ignored."""
    levels = _above(path, root)
    at = levels[0].folder if levels else path
    for part in Path(path[len(at) :].strip(os.sep)).parts:
        at = f"{at}/{part}"
        name = at + "/" if at != path or Path(at).is_dir() else at
        if _says([level for level in levels if at.startswith(level.folder + "/")], name):
            return True
    return False
