"""Where graphs end in one module, and what needs them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from autofix.flow.aside import Aside
from autofix.flow.carried import Carried
from autofix.flow.labels import names_no_loss
from autofix.flow.provenance import Provenance
from autofix.flow.terms import Terms
from autofix.flow.values import EMPTY, INTEGRAL, UNSEEN, Graph, Value


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
    last: bool = False
    """No other cut is made of what comes out of this one."""
    leaf: bool = False
    """A leaf that was made of the value is what needs it."""
    repeated: bool = False
    """It is needed again and again in a loop that does not make it again."""
    supposed: bool = False
    """Nothing but that somebody might call the function says that it is needed."""

    @property
    def is_sole(self) -> bool:
        """A backward pass has nothing to run through, and other cuts are not to blame for it."""
        return self.backward and self.alone and not self.carries

    @property
    def weight(self) -> tuple[bool, bool, bool]:
        """The demand that tells most has the most."""
        return self.backward, not self.supposed, not self.carries


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where the graph of a value ends, and how sure it is that there was one."""

    node: ast.AST
    graph: Graph


@dataclass(eq=False)
class Cuts:
    """Every cut has a token, which travels with the values that come out of it."""

    places: list[Cut] = field(default_factory=lambda: [Cut(ast.Pass(), Graph.MAYBE)])
    """By token; the first is that of `UNSEEN`."""
    demands: dict[int, Demand] = field(default_factory=dict)
    loops: list[ast.stmt] = field(default_factory=list)
    """The loops being interpreted now, those around the calls that led here included."""
    turns: list[int] = field(default_factory=list)
    """For each of these loops, the turn it is in, counted from 1."""
    carried: Carried = field(default_factory=Carried)
    trained: set[ast.stmt] = field(default_factory=set)
    """The loops in whose turns a backward pass runs."""
    computed_for: dict[int, ast.Call] = field(default_factory=dict)
    """For the memory of what is no leaf, the optimizer that it is given to all the same."""
    recurrent: set[ast.AST] = field(default_factory=set)
    """The nodes of cuts whose results go into what they cut in the next turn of a loop."""
    memory: Provenance = field(default_factory=Provenance)
    sources: dict[ast.AST, frozenset[int]] = field(default_factory=dict)
    """For each cut, the memory of what it copied."""
    made_in: dict[int, set[ast.AST]] = field(default_factory=dict)
    """For each cut, the loops it was made in."""
    behind: dict[int, frozenset[int]] = field(default_factory=dict)
    """For each cut, the cuts on the way to what it cuts."""
    of_parameters: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory that stands for the parameters of a module, the cuts behind some of them."""
    steps: set[ast.AST] = field(default_factory=set)
    """The nodes of those cuts that are made by what has no useful derivative: argmax, comparisons,
    rounding. They are told apart from cuts that can be mended."""
    regions: set[ast.AST] = field(default_factory=set)
    """The nodes of those cuts that gradient mode makes: see `State.off`."""
    aside: Aside = field(default_factory=Aside)
    spoiled: frozenset[int] = EMPTY
    """The tokens of what writes have broken: of use only as far as a backward pass gets."""
    terms: Terms = field(init=False)
    _tokens: dict[tuple[ast.AST, Graph], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.terms = Terms(self._related)

    def share(self, other: Cuts) -> None:
        """From now on a token means the same cut in both."""
        self.places, self._tokens = other.places, other._tokens

    def made(self, node: ast.AST, graph: Graph, behind: frozenset[int] = EMPTY) -> int:
        """A token for "the graph ended here"; it travels with the value that comes out."""
        token = self._tokens.get((node, graph))
        if token is None:
            token = len(self.places)
            self._tokens[node, graph] = token
            self.places.append(Cut(node, graph))
        self.made_in.setdefault(token, set()).update(self.loops)
        self.carried.made(token, self.loops, self.turns)
        if behind:
            self.behind[token] = self.behind.get(token, EMPTY) | behind
        if token in behind:
            self.carried.from_last_turn(token, self.loops, self.turns)
        return token

    def again(self, tokens: Iterable[int]) -> None:
        """A call gives what it gave before: the cuts in it are made anew."""
        for token in tokens:
            self.made_in.setdefault(token, set()).update(self.loops)
            self.carried.made(token, self.loops, self.turns)

    def need(
        self,
        value: Value,
        text: str,
        line: int,
        backward: bool = False,
        supposed: str = "",
        aside: frozenset[int] = EMPTY,
    ) -> None:
        """The gradient of `value` is needed, so every cut on the way to it matters, but for those
        `aside`. It is only `supposed` to be where the function of that name is called."""
        value = value.but(cuts=value.cuts - aside) if aside else value
        self.terms.need(value.but(cuts=value.cuts - self.aside.of(value)), backward, aside)
        if backward:
            self.trained.update(self.loops)
        self._need(value, text, line, backward, supposed)

    def _need(self, value: Value, text: str, line: int, backward: bool, name: str) -> None:
        if not backward and (value.is_number or value.dtype in INTEGRAL):
            return  # whoever is handed a number, or whole numbers, asks for no gradient
        # one number is likely a loss
        supposed = bool(name) and not (value.is_scalar and not names_no_loss(name))
        live = (value.graph > Graph.NO and not value.leaf) or bool(UNSEEN & value.cuts)
        beside = self.aside.of(value)
        for token in value.cuts - UNSEEN:
            carries = live or token in beside
            inside = self.behind.get(token, EMPTY)
            node = self.places[token].node
            alone = all(self._is_behind(t, node, inside) for t in value.cuts)
            repeated = backward and not set(self.loops) <= self.made_in.get(token, set())
            if backward:
                self.carried.runs_backward(token, self.loops, self.turns)
            last = not any(token in self.behind.get(t, EMPTY) for t in value.cuts - {token})
            demand = Demand(
                text, line, backward, carries, alone, last, value.leaf, repeated, supposed
            )
            old = self.demands.get(token)
            if old is None or demand.weight > old.weight:
                self.demands[token] = demand
        for item in value.items or ():
            self._need(item, text, line, backward, name)
        if value.elem is not None and value.items is None:
            self._need(value.elem, text, line, backward, name)
        for entry in (value.entries or {}).values():
            self._need(entry, text, line, backward, name)

    def step(self, node: ast.AST, graph: Graph) -> frozenset[int]:
        """A cut by an operation that has no useful derivative."""
        if graph == Graph.NO:
            return EMPTY
        self.steps.add(node)
        return frozenset({self.made(node, graph)})

    def of_steps(self, tokens: frozenset[int]) -> frozenset[int]:
        return frozenset(t for t in tokens if self.places[t].node in self.steps)

    def lost_before(self, tokens: frozenset[int]) -> Graph:
        """How sure it is that gradient mode has cut a graph on the way here."""
        places = [self.places[token] for token in tokens]
        return max((p.graph for p in places if p.node in self.regions), default=Graph.NO)

    def _is_behind(self, token: int, node: ast.AST, inside: frozenset[int]) -> bool:
        other = self.places[token].node
        return token in inside or other is node or other in self.regions or other in self.steps

    def needed(self, node: ast.AST) -> tuple[Graph, Demand] | None:
        """How sure it is that a graph is cut at `node` on the way to something that needs it."""
        best: tuple[Graph, Demand] | None = None
        for graph in (Graph.YES, Graph.MAYBE):
            token = self._tokens.get((node, graph))
            demand = self.demands.get(token) if token is not None else None
            if best is None and demand is not None and (graph == Graph.YES or not demand.supposed):
                best = graph, demand
        return best

    def copies(
        self, node: ast.AST, made: frozenset[int], memory: frozenset[int], lists: frozenset[int]
    ) -> None:
        """What the cut at `node` copies: the memory of the values, and the lists they are in."""
        self.sources[node] = self.sources.get(node, EMPTY) | memory
        for token in self.tokens_of(node) & made:
            self.carried.from_list(token, lists, self.loops)

    def _related(self, token: int, value: Value) -> bool:
        """Does the cut copy `value`, or what is computed from it?"""
        return bool(value.storage & self.copied(token))

    def copied(self, token: int) -> frozenset[int]:
        """The memory of what a cut copies, and of all that went into it."""
        return self.memory.origins_of(self.sources.get(self.places[token].node, EMPTY))

    def before(self, tokens: frozenset[int], first: int) -> frozenset[int]:
        """Those that cut nothing which depends on memory, the oldest of which is `first`: what
        they cut is older than that."""
        return frozenset(t for t in tokens if max(self.copied(t), default=first) < first)

    def tokens_of(self, node: ast.AST) -> frozenset[int]:
        return frozenset(t for g in Graph if (t := self._tokens.get((node, g))) is not None)

    def is_carried(self, node: ast.AST) -> bool:
        """Without the cut at `node`, would a backward pass run through what an earlier turn of its
        loop has run through already?"""
        return any(self.carried.is_bad(token) for token in self.tokens_of(node))

    def is_term(self, node: ast.AST) -> bool:
        return bool(self.tokens_of(node) & self.terms.of_loss)

    def is_term_of_result(self, node: ast.AST) -> bool:
        return bool(self.tokens_of(node) & self.terms.of_result)

    def places_of(self, value: Value) -> list[ast.AST]:
        """Where the graph was cut on the way to a value."""
        tokens = sorted(value.cuts - UNSEEN)
        return list(dict.fromkeys(self.places[token].node for token in tokens))
