"""One module under analysis: what was recorded where, and the budget."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from autofix.flow.cuts import Cuts
from autofix.flow.index import Index
from autofix.flow.joins import covers, join
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.purposes import Purposes
from autofix.flow.state import Key
from autofix.flow.trails import Trail
from autofix.flow.values import Origin, Value
from autofix.flow.writes import Logged, Writes

if TYPE_CHECKING:
    from autofix.flow.frame import Frame
    from autofix.flow.imported import Modules

STATEMENTS = 60_000
"""Statements that may be interpreted for one file; a file that needs more stays silent."""
INLINED = 3_000
"""Statements after which calls are not looked into any more: anything may come back."""
LARGE = 1_000
"""Lines from which on a file counts as large, and gets a fifth of that."""
ABROAD = 400
"""Statements of other files after which their functions are not looked into any more."""
DEPTH = 10
CONTEXTS = 24
"""How often one function is looked into, for different arguments."""


class Exhausted(Exception):
    """The budget of the file is used up."""


@dataclass(eq=False)
class Program:
    """All that is learned of one module while its code is interpreted."""

    tree: ast.Module
    index: Index
    finished: bool = False
    """The module body has run to its end."""
    skims: bool = False
    """Functions are looked at on their own: calls are not entered."""
    cuts: Cuts = field(default_factory=Cuts)
    purposes: Purposes = field(init=False)
    module: Frame = field(init=False)
    """The activation of the module body."""
    modules: Modules = field(init=False)
    """This module, and what it needs of others."""
    values: dict[ast.AST, Value] = field(default_factory=dict)
    """Joined over every time the expression was evaluated."""
    before: dict[ast.stmt, dict[Key, Value]] = field(default_factory=dict)
    """What was bound before a loop, joined likewise."""
    modes: dict[ast.AST, bool] = field(default_factory=dict)
    """Was gradient mode on, the last time a call or an operation was evaluated (True wins)? Of a
    generator: where it yields."""
    classes: dict[ast.ClassDef, ClassInfo] = field(default_factory=dict)
    closures: dict[ast.AST, Closure] = field(default_factory=dict)
    reached: set[ast.AST] = field(default_factory=set)
    """Functions that this file itself calls with gradient mode on."""
    visited: dict[ast.AST, int] = field(default_factory=dict)
    """How often each function was entered."""
    active: list[ast.AST] = field(default_factory=list)
    memo: dict[tuple[object, ...], Value] = field(default_factory=dict)
    writes_of: dict[tuple[object, ...], tuple[int, Logged]] = field(default_factory=dict)
    """For each call in `memo`, the number given before it, and the writes that it makes."""
    answers: dict[ast.AST, Value] = field(default_factory=dict)
    """What the calls of a function gave so far."""
    called: set[ast.AST] = field(default_factory=set)
    """Functions that this file itself calls, in whatever mode."""
    records: dict[ast.AST, ast.stmt] = field(default_factory=dict)
    """The classes that calls of `namedtuple` stand for."""
    parts: dict[tuple[object, ...], Value] = field(default_factory=dict)
    """Objects made while another object was made, by class and arguments."""
    copied: dict[tuple[object, int], Instance] = field(default_factory=dict)
    """The objects that stand for others, by what made them so and the identity of the others."""
    copied_memory: dict[tuple[object, int], int] = field(default_factory=dict)
    """The same for tensors and layers of torch."""
    as_tensor: dict[tuple[ast.AST, str], bool] = field(default_factory=dict)
    """Whether a function uses an argument as only a tensor can be used."""
    frozen: set[int] = field(default_factory=set)
    """Identities of modules whose parameters do not require grad."""
    within: dict[int, int] = field(default_factory=dict)
    """For a module that is frozen together with the one around it, that one."""
    switched: int = 0
    """How often modules were frozen, or ceased to be: what a call gave before says nothing then."""
    thawed: set[int] = field(default_factory=set)
    """Of modules that are told to require grad, whatever they are a part of."""
    callers: list[Frame] = field(default_factory=list)
    """The activations whose calls led here, outermost first."""
    calls: list[ast.AST] = field(default_factory=list)
    """The calls that led here, outermost first."""
    trails: dict[ast.AST, set[Trail]] = field(default_factory=dict)
    """The ways to where a Parameter is made."""
    renewed: set[ast.stmt] = field(default_factory=set)
    """The loops in whose turns an optimizer is made, be it by what they call."""
    stepped: set[ast.stmt] = field(default_factory=set)
    """The loops in whose turns one takes a step, likewise."""
    zeroed: list[ast.Call] = field(default_factory=list)
    """Where gradients are set to zero, rather than dropped."""
    writes: Writes = field(default_factory=Writes)
    spent: int = 0
    _spent_abroad: int = 0
    """How much of it in other files, up to the last time that ended."""
    _abroad_since: int | None = None

    def __post_init__(self) -> None:
        self.purposes = Purposes(self.cuts)

    @property
    def star_imports(self) -> Sequence[str | Origin]:
        """The modules that this one has imported all names of."""
        return self.module.home.star_imports

    @cached_property
    def module_heap(self) -> dict[Key, Value]:
        """The objects that exist once the module body has run."""
        return self.module.state.heap()

    @cached_property
    def share(self) -> float:
        """What part of the usual budgets this file gets."""
        return 1.0 if len(self.index.source.line_starts) < LARGE else 0.2

    @property
    def spent_abroad(self) -> int:
        since = self.spent if self._abroad_since is None else self._abroad_since
        return self._spent_abroad + self.spent - since

    @property
    def spent_here(self) -> int:
        return self.spent - self.spent_abroad

    def freeze(self, identities: Iterable[int]) -> None:
        """The parameters of these modules do not require grad any more."""
        before = len(self.frozen)
        self.frozen.update(identities)
        self.switched += len(self.frozen) > before

    def thaw(self, identities: Iterable[int]) -> None:
        """The parameters may require grad again, those of the modules inside as well."""
        todo = [*identities]
        for one in todo:  # grows while it is read
            self.switched += one in self.frozen
            self.frozen.discard(one)
            inside = [inner for inner, outer in self.within.items() if outer == one]
            for inner in inside:
                del self.within[inner]
            todo += inside

    @contextmanager
    def abroad(self) -> Iterator[None]:
        """Code of another file is interpreted, with a budget of its own."""
        if self._abroad_since is not None:
            yield
            return
        self._abroad_since = self.spent
        try:
            yield
        finally:
            self._spent_abroad = self.spent_abroad
            self._abroad_since = None

    def spend(self) -> None:
        self.spent += 1
        if self.spent > STATEMENTS:
            raise Exhausted

    def record(self, node: ast.AST, value: Value) -> None:
        mine = self.values.get(node)
        if mine is None:
            self.values[node] = value
        elif mine is not value and not covers(mine, value):
            self.values[node] = join(mine, value)

    def record_before(self, node: ast.stmt, bound: dict[Key, Value]) -> None:
        mine = self.before.setdefault(node, {})
        for key, value in bound.items():
            old = mine.get(key)
            mine[key] = value if old is None else join(old, value)
