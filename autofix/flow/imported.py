"""Names of other files: looked up when they are used, and interpreted one by one.

A module that is only imported is never run as a whole. The statements that bind a name are
interpreted when somebody asks for the name; what they refer to in turn, likewise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from autofix.flow.frame import Frame
from autofix.flow.state import State
from autofix.flow.unit import Unit
from autofix.flow.values import UNKNOWN, Kind, Origin, Value, library

if TYPE_CHECKING:
    from autofix.flow.program import Program

LOOKED_UP = 3_000
"""Statements of other files after which no name of theirs is looked up any more."""
_HOPS = 12
"""How often a name is followed from file to file."""


class Project(Protocol):
    """The files around the one that is looked at."""

    def unit(self, path: str) -> Unit | None: ...

    def find(self, dotted: str, level: int, importer: str, script: bool) -> str | None: ...

    def submodule(self, path: str, name: str) -> str | None: ...

    def importers(self, path: str, names: tuple[str, ...]) -> list[tuple[str, bool]]: ...

    def is_given(self, path: str) -> bool: ...

    def is_test(self, path: str) -> bool: ...

    def is_large(self, path: str) -> bool: ...

    def is_shared(self, path: str) -> bool: ...


@dataclass(eq=False)
class Module:
    """A file with what its names are bound to, in one analysis."""

    unit: Unit
    frame: Frame
    project: Project | None = None
    whole: bool = False
    """Its body is interpreted from the beginning to the end."""
    starts: bool = False
    """It is looked into for what it starts: what it does as a program counts."""
    star_imports: list[str | Origin] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)
    _asked: set[str] = field(default_factory=set)
    _starred: bool = False

    def find(self, dotted: str, level: int = 0) -> str | None:
        """The file that an import in this one leads to, if it is one of the project."""
        if self.project is None:
            return None
        return self.project.find(dotted, level, self.unit.path, self.unit.may_be_script)

    def lookup(self, name: str, seen: set[str] | None = None) -> Value | None:
        """What a name of this module is bound to; None if nothing binds it."""
        if not self.whole and name not in self._asked:
            self._asked.add(name)
            for position in self.unit.bindings.get(name, ()):
                self.execute(position)
        found = self.frame.state.bound.get(name)
        if found is not None and not self.whole and _is_filled_later(found):
            self.run()
            found = self.frame.state.bound.get(name)
        if found is None and self.star_names(name):
            found = self.frame.starred(name, {self.unit.path} if seen is None else seen)
        return found

    def star_names(self, name: str) -> bool:
        """Has it imported all names of some module, which may be one of them?"""
        if not self.whole and not self._starred:
            self._starred = True
            for node in self.unit.stars:
                self.execute(self.unit.tree.body.index(node))
        return bool(self.star_imports) and not name.startswith("__")

    def run(self) -> None:
        """Interpret the whole body, as a script."""
        if self.whole:
            return
        self.whole = True
        for position in range(len(self.unit.tree.body)):
            self.execute(position, again=True)

    def execute(self, position: int, again: bool = False) -> None:
        """Interpret a top-level statement, once."""
        if position in self._done and not again:
            return
        self._done.add(position)
        self.unit.mark(position)
        statement = self.unit.tree.body[position]
        with aside(self.frame.program):
            self.frame.run([statement])
            self.frame.state.dead = False


def _is_filled_later(value: Value) -> bool:
    """An empty list or dict at the top of a module: what registers its functions, say."""
    return value.kind in (Kind.DICT, Kind.SEQUENCE) and not value.inner


@contextmanager
def aside(program: Program) -> Iterator[None]:
    """Interpret code of another file at its top level: the loops around are none of its own."""
    cuts = program.cuts
    loops, turns = cuts.loops, cuts.turns
    cuts.loops, cuts.turns = [], []
    try:
        with program.abroad():
            yield
    finally:
        cuts.loops, cuts.turns = loops, turns


@dataclass(eq=False)
class Modules:
    """The modules of one analysis, by path."""

    program: Program
    project: Project | None
    _known: dict[str, Module | None] = field(default_factory=dict)

    def home(self, unit: Unit) -> Module:
        """The file that is looked at."""
        module = self._module(unit)
        module.whole = True
        self._known[unit.path] = module
        return module

    def _module(self, unit: Unit) -> Module:
        frame = Frame(self.program, State())
        frame.own_module = Module(unit, frame, self.project)
        return frame.own_module

    def at(self, path: str) -> Module | None:
        """The module at a path; None if it cannot be read or parsed, or is a bare folder."""
        if path not in self._known:
            unit = self.project.unit(path) if self.project is not None else None
            self._known[path] = self._module(unit) if unit is not None else None
        return self._known[path]

    @property
    def consulted(self) -> frozenset[str]:
        return frozenset(self._known)

    @property
    def others(self) -> list[Module]:
        """Those beside the file that is looked at, as far as they were needed."""
        found = (self.at(path) for path in sorted(self._known))
        return [one for one in found if one is not None and one is not self.program.module.home]

    def resolve(self, value: Value, frame: Frame) -> Value:
        """What an imported name is, by the code of the file that it comes from."""
        for _ in range(_HOPS):
            origin = value.const
            if origin.__class__ is not Origin or origin.name is None:
                break
            found = self.member(origin, value.ref, frame)
            if found is None:
                return library(value.ref)
            value = found
        return value

    def member(
        self, origin: Origin, dotted: str, frame: Frame, seen: set[str] | None = None
    ) -> Value | None:
        """`origin.name`: a name that the module binds, or a module below it."""
        name = origin.name
        if self.project is None or name is None or self.program.spent_abroad > LOOKED_UP:
            return None
        module = self.at(origin.path)
        found = module.lookup(name, seen) if module is not None else None
        if found is not None and module is not None:
            _bring_heap(module, frame)
            return found
        path = self.project.submodule(origin.path, name)
        return Value(Kind.LIBRARY, ref=dotted, const=Origin(path)) if path is not None else None


def _bring_heap(module: Module, frame: Frame) -> None:
    """The objects that a module's names refer to are there for whoever uses them."""
    bound = frame.state.bound
    for key, value in module.frame.state.bound.items():
        if key.__class__ is not str and key not in bound:
            bound[key] = value


def import_module(node: ast.Import, frame: Frame) -> None:
    home = frame.home
    for alias in node.names:
        target = alias.name if alias.asname else alias.name.partition(".")[0]
        path = home.find(target)
        value = library(target)
        frame.bind(alias.asname or target, value.but(const=Origin(path)) if path else value)


def import_names(node: ast.ImportFrom, frame: Frame) -> None:
    home = frame.home
    module = "." * node.level + (node.module or "")
    path = home.find(node.module or "", node.level)
    for alias in node.names:
        if alias.name == "*":
            home.star_imports.append(Origin(path) if path else module)
            continue
        value = library(f"{module}.{alias.name}")
        origin = _origin(path, alias.name, home) if path else None
        frame.bind(alias.asname or alias.name, value.but(const=origin) if origin else value)


def _origin(path: str, name: str, home: Module) -> Origin | None:
    if path != home.unit.path:
        return Origin(path, name)
    # `from . import name` in the package itself: nothing but a module of it can be meant.
    inner = home.project.submodule(path, name) if home.project is not None else None
    return Origin(inner) if inner is not None else None


def attribute_of(owner: Value, name: str, frame: Frame) -> Value | None:
    """`owner.name` of a module of the project, not looked up yet; None if it is none."""
    origin = owner.const
    if origin.__class__ is not Origin or origin.name is not None:
        return None
    return Value(Kind.LIBRARY, ref=f"{owner.ref}.{name}", const=Origin(origin.path, name))


def unresolved(node: ast.expr, frame: Frame) -> Value:
    """What an expression refers to, without looking into another file for it yet."""
    if isinstance(node, ast.Name):
        value = frame.binding(node.id)
        if value is not None and value.const.__class__ is Origin:
            return value
    elif isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
        owner = unresolved(node.value, frame)
        found = attribute_of(owner, node.attr, frame)
        if found is not None:
            return found
        if owner.const.__class__ is Origin:
            return frame.eval(node)
        return frame.eval(node)
    return frame.eval(node)


__all__ = ["UNKNOWN", "Module", "Modules", "Project"]
