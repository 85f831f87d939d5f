"""A revision of git and the work tree, as the two sides of a comparison."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from autofix.project.project import Project
from autofix.verify.sides import KINDS, Both, Side, SideError, Sides, read, shown, side

_LARGEST = 1_000_000


@contextmanager
def of_revision(revision: str, paths: Sequence[str], argv: Sequence[str] = ()) -> Iterator[Sides]:
    """A revision of git, and the work tree as it is now."""
    top = Path(_git("rev-parse", "--show-toplevel").decode().rstrip("\n"))
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    name = commit.decode().strip()
    changed = _changed(name, paths)
    both = [
        Both(shown(top / path), side(was, top / path, argv), side(now, top / path, argv))
        for path, was, now in _contents(name, top, changed["M"])
    ]
    project = Project(changed={one.before.version.path: one.before.document.data for one in both})
    both = [replace(one, before=replace(one.before, project=project)) for one in both]
    added, removed = (tuple(shown(top / path) for path in changed[kind]) for kind in ("A", "D"))
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
        if path.endswith(KINDS) and kind in found:
            found[kind].append(path)
    return found


def _contents(commit: str, top: Path, paths: Sequence[str]) -> Iterator[tuple[str, bytes, bytes]]:
    for path in paths:
        was = _git("cat-file", "blob", f"{commit}:{path}")
        now = read(top / path)
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
