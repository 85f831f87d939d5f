"""What other files call a function or class: by the name it is imported as, through a table that
holds it, through a package that hands it on, or by a class that is made of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from autofix.flow.imported import Module
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.values import Either, Kind, Value


def local_names(name: str, wanted: set[str], module: Module, user: Module) -> Iterator[str]:
    """What `user` calls the function or class `name` of `module`, or a table with it, which other
    files may hand on under the `wanted` names; nothing if it imports neither."""
    home = module.unit.path
    for node in user.unit.imports:
        if isinstance(node, ast.Import):
            for alias in node.names:
                path = user.find(alias.name)
                if path is not None and (path == home or _holds(path, home)):
                    yield name
            continue
        path = user.find(node.module or "", node.level)
        if path is None:
            continue
        for alias in node.names:
            if alias.name == "*" or alias.name in wanted:
                for each in wanted if alias.name == "*" else {alias.name}:
                    if (path == home and each == name) or _leads(user, path, each, module):
                        yield alias.asname or each
            elif user.project is not None and path != home:
                inner = user.project.submodule(path, alias.name)
                if inner is not None and (inner == home or _holds(inner, home)):
                    yield name


def _holds(package: str, path: str) -> bool:
    """Does a module lie below a package?"""
    folder, _, last = package.rpartition("/")
    return last == "__init__.py" and path.startswith(f"{folder}/")


def _leads(user: Module, path: str, name: str, module: Module) -> bool:
    """Is `name` of the file at `path` what `module` defines, handed on, a table with that, or a
    class with a base there?"""
    modules = user.frame.program.modules
    through = modules.at(path)
    found = through.frame.binding(name) if through is not None else None
    if found is None:
        return False
    known = (modules.resolve(part, user.frame).ref for part in (found, *found.inner))
    own = (ref for one in known for ref in (one.lineage if isinstance(one, ClassInfo) else [one]))
    return any(
        ref.scopes[-1].own_module is module
        for ref in own
        if isinstance(ref, (Closure, ClassInfo)) and ref.scopes
    )


def holders(top: ast.stmt, module: Module) -> list[str]:
    """The tables of the module in which a function or class of it stands, by itself or because a
    decorator has put it there."""
    state = module.frame.state
    return [
        name
        for name, value in state.bound.items()
        if isinstance(name, str) and value.kind in (Kind.DICT, Kind.SEQUENCE)
        if any(getattr(ref, "node", None) is top for ref in _inside(state.look(value)))
    ]


def _inside(table: Value) -> Iterator[Any]:
    """What the values in a list or dict refer to."""
    for part in table.inner:
        chosen = part.ref.values if isinstance(part.ref, Either) else (part,)
        yield from (one.ref for one in chosen)


def tables(names: set[str], user: Module) -> Iterator[str]:
    """`LOSSES = {"l1": l1, "l2": norms.l2}`: through which others may call what stands in it."""
    for node in user.unit.tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            read = (n for n in ast.walk(node.value) if isinstance(n, (ast.Name, ast.Attribute)))
            if names & {last_name(one) for one in read}:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (one.id for one in targets if isinstance(one, ast.Name))


def subclasses(names: set[str], user: Module) -> set[str]:
    """The classes at the top of a file that are made of others, directly or not."""
    found: set[str] = set()
    for node in user.unit.tree.body:  # a base stands above what is made of it
        if isinstance(node, ast.ClassDef):
            bases = {last_name(base) for base in node.bases}
            found |= {node.name} if bases & (names | found) else set()
    return found
