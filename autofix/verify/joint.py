"""Repairs of several files that are right only together: judged as two trees, written as one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from autofix.model import Verdict, Verification
from autofix.results import FileResult
from autofix.verify.compare import compare
from autofix.verify.outcome import Judge
from autofix.verify.repairs import told
from autofix.verify.sides import Both, SideError, Sides, roots_of, side

Group = tuple[int, ...]
"""Files that have a say in one another."""
_LEFT_OUT = "__pycache__"


def groups(found: Sequence[FileResult], joint: Sequence[FileResult]) -> list[Group]:
    """The files that change together, where not all of that is written already."""
    paths = {_path(one): n for n, one in enumerate(joint) if one.after is not None}
    parts = {index: {index} for index in paths.values()}
    for index in paths.values():
        for other in (joint[index].consulted | joint[index].along) & paths.keys():
            both = parts[index] | parts[paths[other]]
            parts |= dict.fromkeys(both, both)
    unique = sorted({tuple(sorted(part)) for part in parts.values() if len(part) > 1})
    return [part for part in unique if any(found[n].after != joint[n].after for n in part)]


def confirmed(group: Sequence[FileResult], judge: Judge) -> list[FileResult] | None:
    """The repaired files of a group with the verdict on them, if that confirms all together."""
    try:
        with _trees(group) as files:
            found = compare(Sides(files), judge)
    except (SideError, OSError):
        return None
    whole = found.verification
    if whole.verdict is not Verdict.CONFIRMED:
        return None
    results = []
    for one, compared in zip(group, found.files, strict=True):
        own = compared.outcome.verification
        sure = own if own.verdict is Verdict.CONFIRMED else whole
        others = [other.shown for other in group if other is not one]
        results.append(_along(told(one, compared, sure), others))
    return results


def _along(result: FileResult, others: Sequence[str]) -> FileResult:
    """The result, with what each verdict is about."""
    lead = f"together with {' and '.join(others)}: "

    def said(verification: Verification) -> Verification:
        return replace(verification, reason=lead + verification.reason)

    found = (
        replace(one, verification=said(one.verification)) if one.verification else one
        for one in result.findings
    )
    return replace(result, findings=tuple(found))


def _path(result: FileResult) -> str:
    return os.path.abspath(result.path)  # noqa: PTH100


@contextmanager
def _trees(group: Sequence[FileResult]) -> Iterator[tuple[Both, ...]]:
    """The files as they are and as they would be, each in a copy of what is around them."""
    paths = [Path(_path(one)) for one in group]
    top = Path(os.path.commonpath([root for path in paths for root in roots_of(path)]))
    with tempfile.TemporaryDirectory(prefix="autofix-") as scratch:
        old, new = (Path(scratch, name, top.name) for name in ("before", "after"))
        was = {path: one.before for one, path in zip(group, paths, strict=True)}
        now = {path: one.after or b"" for one, path in zip(group, paths, strict=True)}
        for tree, contents in ((old, was), (new, now)):
            _mirror(top, tree, contents)
        yield tuple(
            Both(
                one.shown,
                side(was[path], old / path.relative_to(top), (), _roots(path, top, old)),
                side(now[path], new / path.relative_to(top), (), _roots(path, top, new)),
            )
            for one, path in zip(group, paths, strict=True)
        )


def _roots(path: Path, top: Path, tree: Path) -> list[str]:
    return [str(tree / Path(root).relative_to(top)) for root in roots_of(path)]


def _mirror(folder: Path, target: Path, contents: Mapping[Path, bytes]) -> None:
    """A copy of a folder that holds links, apart from the files with contents of their own and the
    folders on the way to them."""
    target.mkdir(parents=True)
    on_the_way = {parent for path in contents for parent in path.parents}
    for entry in sorted(folder.iterdir()):
        copy = target / entry.name
        if entry in contents:
            copy.write_bytes(contents[entry])
        elif entry in on_the_way:
            _mirror(entry, copy, contents)
        elif entry.name != _LEFT_OUT:
            copy.symlink_to(entry)
