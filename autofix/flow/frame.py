"""The activation of one function (or of the module body) while it is interpreted."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autofix.flow import torch_api
from autofix.flow.index import FunctionNode, Index
from autofix.flow.joins import join
from autofix.flow.program import Program
from autofix.flow.provenance import is_log_probability
from autofix.flow.state import State
from autofix.flow.values import (
    EMPTY,
    INTEGRAL,
    UNKNOWN,
    UNSEEN,
    Dim,
    Graph,
    Kind,
    Origin,
    Value,
    Why,
    library,
    tensor,
)

if TYPE_CHECKING:
    from autofix.flow.imported import Module

Evaluator = Callable[[Any, "Frame"], Value]
Executor = Callable[[Any, "Frame"], None]

EXPRESSIONS: dict[type[ast.AST], Evaluator] = {}
STATEMENTS: dict[type[ast.AST], Executor] = {}


def expression(*kinds: type[ast.AST]) -> Callable[[Evaluator], Evaluator]:
    def register(function: Evaluator) -> Evaluator:
        EXPRESSIONS.update(dict.fromkeys(kinds, function))
        return function

    return register


def statement(*kinds: type[ast.AST]) -> Callable[[Executor], Executor]:
    def register(function: Executor) -> Executor:
        STATEMENTS.update(dict.fromkeys(kinds, function))
        return function

    return register


@dataclass(eq=False)
class Frame:
    """Where evaluation happens: the program, the current state, and the scopes around it."""

    program: Program
    state: State
    function: FunctionNode | None = None
    scopes: tuple[Frame, ...] = ()
    """The activations this one is nested in, nearest first; the module's is the last."""
    needed: str | None = None
    """Why the caller needs the gradient of what is returned; None if the caller's code tells."""
    supposed: bool = False
    """Nobody is seen to call it, or to do so with a graph: see `Demand.supposed`."""
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    exits: list[list[State]] = field(default_factory=list)
    """For each enclosing loop, the states in which it was left by break or continue."""
    conditions: dict[str, ast.expr] = field(default_factory=dict)
    """`is_array = isinstance(x, ndarray)`: what a name holds that is asked for later."""
    left_at: list[State] = field(default_factory=list)
    """The states at each `return`."""
    global_names: set[str] = field(default_factory=set)
    outer_names: set[str] = field(default_factory=set)
    """Those declared `nonlocal`."""
    handed: frozenset[int] = EMPTY
    """The memory of the tensors among the arguments."""
    chosen: frozenset[str] = frozenset()
    """The parameters for which this call gives a number or string, or leaves it at one."""
    own_module: Module | None = None
    """Of the activation of a module body: the module."""

    @property
    def home(self) -> Module:
        """The module that the code is in."""
        module = (self.scopes[-1] if self.scopes else self).own_module
        assert module is not None
        return module

    @property
    def index(self) -> Index:
        """The syntax of the file that the code is in."""
        return self.home.unit.index

    def eval(self, node: ast.expr) -> Value:
        if node.__class__ is ast.Constant:
            known = self.program.values.get(node)
            if known is not None:
                return known
        evaluator = EXPRESSIONS.get(type(node))
        value = UNKNOWN if evaluator is None else evaluator(node, self)
        self.program.record(node, value)
        return value

    def give(self, value: Value, line: int) -> None:
        """A value is given to the caller."""
        if self.needed is not None:
            name = getattr(self.function, "name", "") if self.supposed else ""
            self.program.cuts.need(value, self.needed, line, supposed=name)

    def run(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            if self.state.dead:
                return
            self.program.spend()
            STATEMENTS[type(node)](node, self)

    def name(self, name: str) -> Value:
        found = self.binding(name)
        if found is None:
            return library(f"builtins.{name}") if name in _BUILTINS else UNKNOWN
        if found.const.__class__ is Origin and not self.program.skims:
            found = self.program.modules.resolve(found, self)
        return self.state.look(found)

    def binding(self, name: str) -> Value | None:
        """What a name is bound to in the scopes around; a name of another file as it is imported,
        without a look at what it is there."""
        found = self.state.bound.get(name) if name not in self.global_names else None
        if found is None:
            for scope in self.scopes:
                found = scope.state.bound.get(name)
                if found is not None:
                    return found
            return self.home.lookup(name)
        return found

    def starred(self, name: str, seen: set[str]) -> Value | None:
        """A name that `from module import *` brings. Files that bring one another all their names
        are looked into once (`seen`), and not by each of the ways that lead there."""
        for module in self.home.star_imports:
            if isinstance(module, Origin):
                if not self.program.skims and module.path not in seen:
                    seen.add(module.path)
                    origin = Origin(module.path, name)
                    found = self.program.modules.member(origin, name, self, seen)
                    if found is not None:
                        return found
                continue
            dotted = f"{module}.{name}"
            if torch_api.function(dotted) or torch_api.module(dotted) or dotted in _STAR:
                return library(dotted)
        return None

    def bind(self, name: str, value: Value) -> None:
        scopes: Sequence[Frame] = ()
        if name in self.global_names:
            scopes = self.scopes[-1:]
        elif name in self.outer_names:
            scopes = [scope for scope in self.scopes if name in scope.state.bound][:1]
        for scope in scopes:
            bound = scope.state.bound
            old = bound.get(name)
            bound[name] = value if old is None else old if old is value else join(old, value)
        if not scopes:
            self.state.bound[name] = value

    def derive(
        self,
        text: str,
        node: ast.AST,
        inputs: Sequence[Value],
        shape: tuple[Dim, ...] | None = None,
        dtype: str | None = None,
        *,
        differentiable: bool = True,
        **more: Any,
    ) -> Value:
        """A tensor computed from `inputs`; it carries a graph if one of them does."""
        graph, why = Graph.NO, None
        cuts = EMPTY
        writes = self.program.writes
        for value in inputs:
            if value.cuts:
                cuts = cuts | value.cuts if cuts else value.cuts
            if value.kind & Kind.LIBRARY:
                cuts |= UNSEEN
            if writes.tainted and value.graph > Graph.NO:
                cuts |= writes.spoiled(value.storage)
            if value.graph > graph:
                graph, why = value.graph, value.why
        if not (differentiable and self.state.grad):
            if self.state.grad:
                cuts = cuts | self.program.cuts.step(node, graph)
            if differentiable:
                cuts = cuts | self.lost(graph or self.program.cuts.lost_before(cuts))
            graph, why = Graph.NO, None
        elif why is not None:
            why = Why(f"through {text}", getattr(node, "lineno", 0), why)
        if dtype in INTEGRAL or not self.state.grad:
            cuts -= self.program.cuts.spoiled
        if "storage" in more or text in _PARTS:
            more["computed"] = any(value.computed for value in inputs)
            more["assumed"] = text in _PARTS and any(value.assumed for value in inputs)
        else:
            more["computed"] = graph > Graph.NO
        result = tensor(graph, shape, dtype, cuts=cuts, why=why, **more)
        if graph > Graph.NO and "storage" not in more:
            self.program.cuts.memory.come_from(result, inputs)
            if cuts and graph == Graph.YES:
                self.program.cuts.aside.combine(result, inputs)
        return result

    def lost(self, graph: Graph) -> frozenset[int]:
        """The cut that gradient mode makes while it is off, where there would be a graph."""
        off = self.state.off
        if graph == Graph.NO or self.state.grad or off is None:
            return EMPTY
        self.program.cuts.regions.add(off)
        return frozenset({self.program.cuts.made(off, graph)})

    def cut(self, node: ast.AST, value: Value, through: bool = False) -> frozenset[int]:
        """The cuts of what comes out where the graph of `value` is left behind. `through` keeps
        the earlier ones: the author of a rewrap did not mean to stop anything."""
        kept = all_cuts(value) - self.program.cuts.spoiled if through else EMPTY
        if value.leaf:
            self.program.writes.no_data |= value.storage
        if not self.state.grad or value.graph == Graph.NO:
            self.program.purposes.hide(value)
            return kept
        sources = self.program.cuts.sources
        sources[node] = sources.get(node, EMPTY) | value.storage
        if any(self.program.cuts.places[token].node is node for token in value.cuts):
            self.program.cuts.recurrent.add(node)
        token = self.program.cuts.made(node, value.graph, kept)
        if kept:
            self.program.cuts.aside.leave(token, value)
        if value.leaf:
            self.program.purposes.of_leaves.add(token)
        if is_log_probability(value):
            self.program.purposes.of_log_probabilities |= {token}
        return kept | {token}


def all_cuts(value: Value, depth: int = 4) -> frozenset[int]:
    """The cuts on the way to a value or to anything in it."""
    found = value.cuts
    if depth:
        for inner in value.items or ():
            found |= all_cuts(inner, depth - 1)
        if value.elem is not None and value.items is None:
            found |= all_cuts(value.elem, depth - 1)
    return found


def contents(value: Value, depth: int = 4) -> Value | None:
    """The joined scalars in nested sequences: what `torch.tensor` would read."""
    holds_parameters = value.kind == Kind.MODULE and value.elem is not None and value.elem.is_tensor
    if not (value.kind & Kind.SEQUENCE or holds_parameters) or not depth:
        return value
    return None if value.elem is None else contents(value.elem, depth - 1)


def only_leaves(value: Value, depth: int = 4) -> bool:
    """Is it a leaf that requires a gradient, or a list, tuple or dict of nothing else?"""
    if value.kind == Kind.TENSOR:
        return value.leaf
    if not value.kind & (Kind.SEQUENCE | Kind.DICT) or not depth:
        return False
    inside = tuple((value.entries or {}).values()) or value.items or (value.elem,)
    return all(v is not None and only_leaves(v, depth - 1) for v in inside)


_PARTS = frozenset({"an index", "iteration"})

_BUILTINS = frozenset(
    "abs all any bool complex dict divmod enumerate filter float format frozenset getattr hasattr "
    "hash id input int isinstance issubclass iter len list map max min next object open ord pow "
    "print property range repr reversed round set setattr slice sorted staticmethod str sum super "
    "tuple type vars zip classmethod callable delattr bytes exec eval globals locals".split()
)

_STAR = frozenset(
    {
        "torch.tensor",
        "torch.nn",
        "torch.optim",
        "torch.no_grad",
        "torch.Tensor",
        "torch.nn.Parameter",
    }
)
