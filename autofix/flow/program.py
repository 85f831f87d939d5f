"""One module under analysis: what was recorded where, which cuts are needed, and the budget."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from autofix.flow.carried import Carried
from autofix.flow.index import Index, last_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.state import Key
from autofix.flow.values import EMPTY, Graph, Value, covers, join

if TYPE_CHECKING:
    from autofix.flow.frame import Frame

STATEMENTS = 60_000
"""Statements that may be interpreted for one file; a file that needs more stays silent."""
INLINED = 3_000
"""Statements after which calls are not looked into any more: anything may come back."""
LARGE = 1_000
"""Lines from which on a file counts as large, and gets a fifth of that."""
DEPTH = 10
CONTEXTS = 24
"""How often one function is looked into, for different arguments."""


_MEANT = frozenset({"detach", "detach_", "numpy", "new_tensor"})


_LOG_PROBABILITIES = frozenset(
    {
        "through `.log_prob`",
        "through `log_softmax`",
        "through `.log_softmax`",
        "through `logsigmoid`",
        "through `LogSoftmax`",
    }
)


def is_log_probability(value: Value) -> bool:
    """Is it a logarithm of probabilities, or computed from one?"""
    step, left = value.why, 40
    while step is not None and left:
        if step.text in _LOG_PROBABILITIES:
            return True
        step, left = step.before, left - 1
    return False


class Exhausted(Exception):
    """The budget of the file is used up."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Why the gradient of a value is needed."""

    text: str
    line: int
    backward: bool = False
    """A backward pass runs here; else the value is returned to code that may run one."""
    carries: bool = False
    """A graph may arrive on another path: the cut may be a weight held constant on purpose."""
    alone: bool = False
    """Whatever other cuts are on the way here lie behind this one."""
    repeated: bool = False
    """It is needed again and again in a loop that does not make it again."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where the graph of a value ends, and how sure it is that there was one."""

    node: ast.AST
    graph: Graph


@dataclass(eq=False)
class Program:
    """All that is learned of one module while its code is interpreted."""

    tree: ast.Module
    index: Index
    finished: bool = False
    """The module body has run to its end."""
    skims: bool = False
    """Functions are looked at on their own: calls are not entered."""
    module: Frame = field(init=False)
    """The activation of the module body."""
    values: dict[ast.AST, Value] = field(default_factory=dict)
    """Joined over every time the expression was evaluated."""
    before: dict[ast.stmt, dict[Key, Value]] = field(default_factory=dict)
    """What was bound before a loop, joined likewise."""
    modes: dict[ast.AST, bool] = field(default_factory=dict)
    """Was gradient mode on, the last time a call was evaluated (True wins)?"""
    cuts: list[Cut] = field(default_factory=list)
    demands: dict[int, Demand] = field(default_factory=dict)
    classes: dict[ast.ClassDef, ClassInfo] = field(default_factory=dict)
    closures: dict[ast.AST, Closure] = field(default_factory=dict)
    reached: set[ast.AST] = field(default_factory=set)
    """Functions that this file itself calls with gradient mode on."""
    visited: dict[ast.AST, int] = field(default_factory=dict)
    """How often each function was entered."""
    active: list[ast.AST] = field(default_factory=list)
    memo: dict[tuple[object, ...], Value] = field(default_factory=dict)
    answers: dict[ast.AST, Value] = field(default_factory=dict)
    """What the calls of a function gave so far."""
    loops: list[ast.AST] = field(default_factory=list)
    """The loops being interpreted now, those around the calls that led here included."""
    turns: list[int] = field(default_factory=list)
    """For each of these loops, the turn it is in, counted from 1."""
    carried: Carried = field(default_factory=Carried)
    weights: frozenset[int] = EMPTY
    """Cuts whose results are weights by the way they are used: what a log-probability, or the very
    values that were cut, is multiplied by."""
    differences: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of a difference, the cuts of the constant in it."""
    origins: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of a computed tensor, the memory of what it was computed from."""
    gathered: dict[int, frozenset[int]] = field(default_factory=dict)
    """For memory that a stack or cat was put into, the memory of what was put together."""
    sources: dict[ast.AST, frozenset[int]] = field(default_factory=dict)
    """For each cut, the memory of what it copied."""
    made_in: dict[int, set[ast.AST]] = field(default_factory=dict)
    """For each cut, the loops it was made in."""
    behind: dict[int, frozenset[int]] = field(default_factory=dict)
    """For each cut, the cuts on the way to what it cuts."""
    called: set[ast.AST] = field(default_factory=set)
    """Functions that this file itself calls, in whatever mode."""
    arrays: dict[ast.Call, frozenset[int]] = field(default_factory=dict)
    """`x.numpy()` calls, and the cuts on the way to x: they raise once x has a graph."""
    stored: dict[ast.AST, set[str]] = field(default_factory=dict)
    """For each method, the attributes that it stores on its object."""
    parts: dict[tuple[object, ...], Value] = field(default_factory=dict)
    """Objects made while another object was made, by class and arguments."""
    as_tensor: dict[tuple[ast.AST, str], bool] = field(default_factory=dict)
    """Whether a function uses an argument as only a tensor can be used."""
    frozen: set[int] = field(default_factory=set)
    """Identities of modules whose parameters do not require grad."""
    star_imports: list[str] = field(default_factory=list)
    callers: list[Frame] = field(default_factory=list)
    """The activations whose calls led here, outermost first."""
    saved: set[int] = field(default_factory=set)
    """Memory (see `Value.storage`) that autograd keeps for a backward pass."""
    overwritten: set[ast.AST] = field(default_factory=set)
    """Targets of writes into such memory."""
    spent: int = 0
    silencers: dict[ast.AST, frozenset[int]] = field(default_factory=dict)
    """`x.requires_grad = True` statements (their targets), and the cuts on the way to x."""
    optimized: frozenset[int] = frozenset()
    """Cuts whose results are used as leaves: optimized, or asked for their `.grad`."""
    targets: frozenset[int] = frozenset()
    """Cuts on the way to the target of a loss function."""
    _tokens: dict[tuple[ast.AST, Graph], int] = field(default_factory=dict)

    @cached_property
    def module_heap(self) -> dict[Key, Value]:
        """The objects that exist once the module body has run."""
        return self.module.state.heap()

    @cached_property
    def share(self) -> float:
        """What part of the usual budgets this file gets."""
        return 1.0 if len(self.index.source.line_starts) < LARGE else 0.2

    def share_cuts(self, other: Program) -> None:
        """From now on a token means the same cut in both."""
        self.cuts, self._tokens = other.cuts, other._tokens

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

    def cut(self, node: ast.AST, graph: Graph, behind: frozenset[int] = EMPTY) -> int:
        """A token for "the graph ended here"; it travels with the value that comes out."""
        token = self._tokens.get((node, graph))
        if token is None:
            token = len(self.cuts)
            self._tokens[node, graph] = token
            self.cuts.append(Cut(node, graph))
        self.made_in.setdefault(token, set()).update(self.loops)
        if behind:
            self.behind[token] = self.behind.get(token, EMPTY) | behind
        if token in behind:
            self.carried.from_last_turn(token, self.loops, self.turns)
        return token

    def need(self, value: Value, text: str, line: int, backward: bool = False) -> None:
        """The gradient of `value` is needed, so every cut on the way to it matters."""
        carries = value.graph > Graph.NO and not value.leaf
        for token in value.cuts:
            inside = self.behind.get(token, EMPTY)
            node = self.cuts[token].node
            alone = all(t in inside or self.cuts[t].node is node for t in value.cuts)
            repeated = backward and not set(self.loops) <= self.made_in.get(token, set())
            if backward:
                self.carried.runs_backward(token, self.loops)
            demand = Demand(text, line, backward, carries, alone, repeated)
            old = self.demands.get(token)
            if old is None or (backward, not carries) > (old.backward, not old.carries):
                self.demands[token] = demand
        for item in value.items or ():
            self.need(item, text, line, backward)
        if value.elem is not None and value.items is None:
            self.need(value.elem, text, line, backward)
        for entry in (value.entries or {}).values():
            self.need(entry, text, line, backward)

    def needed(self, node: ast.AST) -> tuple[Graph, Demand] | None:
        """How sure it is that a graph is cut at `node` on the way to something that needs it."""
        best: tuple[Graph, Demand] | None = None
        for graph in (Graph.YES, Graph.MAYBE):
            token = self._tokens.get((node, graph))
            if best is None and token is not None and token in self.demands:
                best = graph, self.demands[token]
        return best

    def copies(
        self, node: ast.AST, made: frozenset[int], memory: frozenset[int], lists: frozenset[int]
    ) -> None:
        """What the cut at `node` copies: the memory of the values, and the lists they are in."""
        self.sources[node] = self.sources.get(node, EMPTY) | memory
        for token in self._tokens_of(node) & made:
            self.carried.from_list(token, lists, self.loops)

    def subtracted(self, a: Value, b: Value, difference: Value) -> None:
        """A constant minus a live value: squared, it is the error of one to the other."""
        for constant, value in ((a, b), (b, a)):
            if constant.cuts and constant.graph == Graph.NO and value.graph == Graph.YES:
                self.differences.update(dict.fromkeys(difference.storage, constant.cuts))

    def distance(self, value: Value) -> None:
        """`(target - output) ** 2`: what was cut is the target of a loss written by hand."""
        for storage in value.storage:
            self.targets |= self.differences.get(storage, EMPTY)

    def come_from(self, value: Value, inputs: Sequence[Value]) -> None:
        """Note what a tensor is computed from."""
        found = EMPTY.union(*(v.storage for v in inputs if v.graph > Graph.NO))
        if found:
            self.origins.update(dict.fromkeys(value.storage, found))

    def _origins(self, memory: frozenset[int]) -> frozenset[int]:
        """The memory of everything that went into what is in this memory."""
        seen, todo = set(memory), list(memory)
        while todo and len(seen) < 200:
            new = self.origins.get(todo.pop(), EMPTY) - seen
            seen |= new
            todo += new
        return frozenset(seen)

    def multiplied(self, a: Value, b: Value) -> None:
        """Is one factor a weight of the other, a constant that most often is meant?"""
        for weight, value in ((a, b), (b, a)):
            if not weight.cuts or weight.graph != Graph.NO or value.graph == Graph.NO:
                continue
            memory = value.storage.union(*(self.gathered.get(s, EMPTY) for s in value.storage))
            own = {
                t
                for t in weight.cuts
                if value.computed
                and memory & self._origins(self.sources.get(self.cuts[t].node, EMPTY))
            }
            self.weights |= weight.cuts if is_log_probability(value) else frozenset(own)

    def _tokens_of(self, node: ast.AST) -> frozenset[int]:
        return frozenset(t for g in Graph if (t := self._tokens.get((node, g))) is not None)

    def is_carried(self, node: ast.AST) -> bool:
        """Without the cut at `node`, would a backward pass run through what an earlier turn of its
        loop has run through already?"""
        return any(self.carried.is_bad(token) for token in self._tokens_of(node))

    def is_weight(self, node: ast.AST) -> bool:
        return bool(self._tokens_of(node) & self.weights)

    def is_silencer(self, value: Value) -> bool:
        """Would requiring grad of `value` only hide that its graph was cut by accident? (What was
        detached on purpose, to be a leaf of its own, is another matter.)"""
        nodes = [self.cuts[token].node for token in value.cuts]
        return any(isinstance(n, ast.Call) and last_name(n.func) not in _MEANT for n in nodes)

    def silenced_by(self, node: ast.AST) -> list[ast.AST]:
        tokens = self._tokens_of(node)
        return [target for target, cuts in self.silencers.items() if cuts & tokens]

    def read_as_arrays(self, node: ast.AST) -> list[ast.Call]:
        tokens = self._tokens_of(node)
        return [call for call, cuts in self.arrays.items() if cuts & tokens]

    def is_target_of(self, node: ast.AST) -> bool:
        return bool(self._tokens_of(node) & self.targets)

    def is_leaf_of(self, node: ast.AST) -> bool:
        """Is the result of the cut at `node` used as a leaf of its own?"""
        return bool(self._tokens_of(node) & self.optimized)
