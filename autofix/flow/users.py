"""Who may use what a file defines."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.flow.imported import Module
from autofix.flow.index import Index
from autofix.flow.unit import Unit
from autofix.source import Line

_HOPS = 2
"""How far the files that import a name are followed to those that import them."""


def users(facts: Facts, *names: str) -> Iterator[Unit]:
    """The files of the project that import what has these names here, and those that import such a
    file."""
    if facts.project is None:
        return
    home = facts.program.module.home.unit.path
    todo: list[tuple[str, tuple[str, ...], int]] = [(home, names, 0)]
    seen = {home}
    for path, wanted, hops in todo:  # grows while it is read
        for other, _ in facts.project.importers(path, wanted):
            module = facts.program.modules.at(other) if other not in seen else None
            if module is None or facts.project.is_test(other):
                continue
            if not any(path == found for found in _imported_by(module)):
                continue
            seen.add(other)
            yield module.unit
            if hops + 1 < _HOPS:
                todo.append((other, (), hops + 1))


def companions(facts: Facts, *names: str) -> Iterator[Unit]:
    """The files that use what has these names here, and those that they or this file import: what
    builds the optimizer is often in one of the latter."""
    modules, home = facts.program.modules, facts.program.module.home.unit.path
    seen = {home}
    for user in (home, *(unit.path for unit in users(facts, *names))):
        module = modules.at(user)
        for path in (user, *(_imported_by(module) if module is not None else ())):
            found = modules.at(path) if path is not None and path not in seen else None
            if found is not None:
                seen.add(found.unit.path)
                yield found.unit


def around(facts: Facts, owner: ast.ClassDef) -> Iterator[Index]:
    """The other files that may handle the objects of a class: those that use it, and those of its
    bases."""
    yield from (unit.index for unit in users(facts, owner.name))
    for base in facts.class_table(owner).lineage:
        line = base.lineno
        module = facts.program.modules.at(line.path) if isinstance(line, Line) else None
        if module is not None:
            yield module.unit.index


def _imported_by(module: Module) -> Iterator[str | None]:
    """The files that a file imports, or names of."""
    for node in module.unit.imports:
        if isinstance(node, ast.Import):
            yield from (module.find(alias.name) for alias in node.names)
            continue
        path = module.find(node.module or "", node.level)
        yield path
        if path is not None and module.project is not None:
            yield from (module.project.submodule(path, alias.name) for alias in node.names)
