"""Imports, resolved by path alone: nothing is executed, and no installed package is looked at."""

from __future__ import annotations

import os

from autofix.project.roots import OURSELVES, PACKAGE, RESERVED, Folders


def find(dotted: str, level: int, importer: str, script: bool, folders: Folders) -> str | None:
    """The file of the module that `importer` gets from `import dotted`, or from a relative import
    with `level` dots; the folder of a package without code; None if it is not in the project.
    `script` says whether the importer may be run as a script."""
    folder = os.path.dirname(importer)
    parts = dotted.split(".") if dotted else []
    search = folders.search(folder)
    if search.package in OURSELVES:
        return None
    if level:
        for _ in range(level - 1):
            folder = os.path.dirname(folder)
        return below(folder, parts, folders) or namespace(folder, parts, folders)
    if parts[0] in RESERVED or (search.only and parts[0] != search.package):
        return None
    beside = (search.beside,) if search.beside is not None and script else ()
    for find_in in (below, namespace):
        for base in (*search.bases, *beside):
            if parts[0] in folders.names(base) or f"{parts[0]}.py" in folders.names(base):
                found = find_in(base, parts, folders)
                if found is not None:
                    return found
    return None


def below(folder: str, parts: list[str], folders: Folders) -> str | None:
    """The file of a module, as Python finds it from a folder: a package goes before a module."""
    for part in parts[:-1]:
        folder = os.path.join(folder, part)
        if not folders.names(folder):
            return None
    if not parts:
        return os.path.join(folder, PACKAGE) if folders.is_package(folder) else None
    inner = os.path.join(folder, parts[-1])
    if parts[-1] in folders.names(folder) and folders.is_package(inner):
        return os.path.join(inner, PACKAGE)
    return f"{inner}.py" if f"{parts[-1]}.py" in folders.names(folder) else None


def namespace(folder: str, parts: list[str], folders: Folders) -> str | None:
    """A folder that is a package without an `__init__.py`."""
    inner = os.path.join(folder, *parts)
    return inner if folders.names(inner) and not folders.is_package(inner) else None


def submodule(path: str, name: str, folders: Folders) -> str | None:
    """What `name` means in the package that is this file or folder, where it is a module."""
    if path.endswith(".py"):
        if os.path.basename(path) != PACKAGE:
            return None
        path = os.path.dirname(path)
    return below(path, [name], folders) or namespace(path, [name], folders)
