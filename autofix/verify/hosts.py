"""Scripts beside a module that run it: what they do with it is the best input there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from autofix.source import parse
from autofix.verify.drives import runs

_MOST_FILES = 60
_LARGEST = 200_000
_FIRST = ("main", "__main__", "train", "run", "demo", "example")


def host_of(path: Path, roots: Sequence[str]) -> str:
    """The script that imports a file, by itself or through others of the same folders."""
    texts = dict(_beside(path, roots))
    users = {_called(path)}
    imports = {one: _imported(tree) for one, tree in texts.items()}
    while True:
        more = {_called(one) for one, names in imports.items() if names & users} - users
        if not more:
            break
        users |= more
    found = [one for one, tree in texts.items() if _called(one) in users and runs(tree)]
    return str(min(found, key=_rank)) if found else ""


def _called(path: Path) -> str:
    """The last part of the name by which a file is imported."""
    return path.parent.name if path.stem == "__init__" else path.stem


def _rank(path: Path) -> tuple[int, str]:
    return _FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST), path.name


def _beside(path: Path, roots: Sequence[str]) -> Iterator[tuple[Path, ast.Module]]:
    """The files of the folder, of those above it in its package, and of those that it imports
    from; and of the packages that lie there."""
    packages = [one for one in path.parents if (one / "__init__.py").exists()]
    below = [one.parent for root in roots for one in sorted(Path(root).glob("*/__init__.py"))]
    folders = dict.fromkeys([path.parent, *packages, *map(Path, roots), *below])
    files = [one for folder in folders for one in sorted(folder.glob("*.py")) if one != path]
    for one in list(dict.fromkeys(files))[:_MOST_FILES]:
        if one.stem.startswith(("test_", "conftest", "setup")):
            continue
        try:
            if one.stat().st_size <= _LARGEST:
                yield one, parse(one.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError, RecursionError):
            continue


def _imported(tree: ast.Module) -> set[str]:
    """The last parts of the names of the modules that may be meant."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.rpartition(".")[2] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").rpartition(".")[2])
            found |= {alias.name for alias in node.names}
    return found
