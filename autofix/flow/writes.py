"""Writes into the memory of tensors, and those of them that end a backward pass."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autofix.flow.provenance import computed_from
from autofix.flow.syntax import unsubscripted
from autofix.flow.values import EMPTY, INTEGRAL, Graph, Kind, Value, fresh

if TYPE_CHECKING:
    from autofix.flow.cuts import Cuts
    from autofix.flow.frame import Frame
    from autofix.flow.saved import Save


Logged = list[tuple[ast.AST, frozenset[int]]]
"""Expressions whose tensor is written, and its storage."""

NOT_WRITES = frozenset(
    "requires_grad_ share_memory_ detach_ squeeze_ unsqueeze_ t_ transpose_ swapdims_ swapaxes_ "
    "set_ rename_ resize_ as_strided_".split()
)
"""Methods in whose name the `_` means another change than that of numbers."""


@dataclass(eq=False)
class Break:
    """A write changes what an operation has kept: its backward pass raises."""

    save: Save
    place: ast.AST = field(default_factory=ast.Pass)
    """Stands among the cuts for what was computed from the operation: is it needed?"""


@dataclass(eq=False)
class Write:
    """All that is known of one place where the memory of a tensor is changed in place."""

    breaks: dict[tuple[ast.AST, tuple[ast.expr, ...], bool], Break] = field(default_factory=dict)
    overwrites: bool = False
    """Was the memory kept for a backward pass, be it that an earlier write has broken that one?"""
    partly: bool = False
    """On another path it is other memory, which nothing has kept."""
    leaf: Graph = Graph.NO
    """Is (a view of) a leaf that requires grad written, which raises at once?"""
    names: set[str] = field(default_factory=set)
    """Local names of tensors that share the memory."""
    escapes: bool = False
    """A container, an attribute or a function further out holds the memory, too."""
    held: set[tuple[ast.AST, str]] = field(default_factory=set)
    """The same for the names of callers, each with the call. (Nothing else of theirs escapes.)"""
    handed: bool = False
    """The memory came in as an argument: whoever called sees the change."""
    expanded: set[ast.AST] = field(default_factory=set)
    """The calls that spread the memory over more elements than it has."""
    parted: set[ast.AST] = field(default_factory=set)
    """Where views were made all at once, none of which may be written."""
    calls: set[ast.Call] = field(default_factory=set)
    """The calls of a module that works in place."""


@dataclass(eq=False)
class Writes:
    """The writes of one module. Some numbers in `Value.storage` name no memory but say how it is
    shared; they are kept here."""

    at: dict[ast.AST, Write] = field(default_factory=dict)
    """By the expression whose tensor is written: `x` of `x += 1` and of `x.mul_(2)`, `x[0]`."""
    doubtful: set[int] = field(default_factory=set)
    """Shared or copied, as `contiguous()` finds it."""
    uncounted: set[int] = field(default_factory=set)
    """Reached through `.data`, whose tensor counts its versions by itself."""
    expanded: dict[int, ast.AST] = field(default_factory=dict)
    parted: dict[int, ast.AST] = field(default_factory=dict)
    weights: set[int] = field(default_factory=set)
    """The memory of weights that layers of torch have."""
    makers: dict[int, ast.Call] = field(default_factory=dict)
    """The call that made a module, by the identity of the module."""
    turns: dict[ast.AST, dict[tuple[ast.stmt, ...], frozenset[ast.stmt]]] = field(
        default_factory=dict
    )
    """By the expression whose tensor is written, and the loops around, those of them that find
    the memory as their turn before has left it."""
    log: Logged = field(default_factory=list)
    """The writes in the order in which they are met."""
    no_data: set[int] = field(default_factory=set)
    """The memory of weights and gradients, and of what is made of one number: if each turn of a
    loop changes that, it is meant to."""
    several: set[int] = field(default_factory=set)
    """Memory that stands for that of several tensors: a call was taken to give what it gave."""
    tainted: dict[int, frozenset[int]] = field(default_factory=dict)
    """For memory that was computed from what a write has spoiled, the tokens of the breaks."""

    def doubt(self, storage: frozenset[int]) -> frozenset[int]:
        mark = fresh()
        self.doubtful.add(mark)
        return storage | {mark}

    def uncount(self, storage: frozenset[int]) -> frozenset[int]:
        if storage & self.uncounted:
            return storage
        mark = fresh()
        self.uncounted.add(mark)
        return storage | {mark}

    def mark(
        self, where: dict[int, ast.AST], storage: frozenset[int], node: ast.AST
    ) -> frozenset[int]:
        """The storage of a view, with a mark for what made it."""
        known = [number for number, maker in where.items() if maker is node]
        number = known[0] if known else fresh()
        where[number] = node
        return storage | {number}

    def spoiled(self, storage: frozenset[int]) -> frozenset[int]:
        """The tokens of the breaks that what the memory holds was computed from."""
        return EMPTY.union(*(self.tainted[s] for s in storage if s in self.tainted))

    def note(self, target: ast.AST, storage: frozenset[int], cuts: Cuts) -> None:
        """A write into memory, seen from the loops around: is it older than they are?"""
        if not storage or any(
            storage & those
            for those in (
                self.doubtful,
                self.expanded.keys(),
                self.several,
                self.no_data,
                self.uncounted,
            )
        ):
            return
        self.log.append((target, storage))
        newest = max(self.memory(storage), default=0)
        found = frozenset(loop for loop in cuts.loops if newest < cuts.carried.began(loop))
        known, around = self.turns.setdefault(target, {}), tuple(cuts.loops)
        known[around] = known.get(around, found) & found

    def again(self, began: int, writes: Logged, given: frozenset[int], cuts: Cuts) -> None:
        """A call, which made these writes and gave this memory, is taken to do so once more."""
        self.several.update(number for number in given if number > began)
        for target, storage in writes:
            if max(storage) < began:  # what the call makes itself is new each time
                self.note(target, storage, cuts)

    def memory(self, storage: frozenset[int]) -> frozenset[int]:
        """The numbers of `storage` that do name memory."""
        return storage.difference(self.expanded, self.parted, self.doubtful, self.uncounted)


def is_unseen(target: ast.AST) -> bool:
    """`x.data[0]`, `x.data`: autograd does not count such writes, so nothing raises."""
    owner = unsubscripted(target) if isinstance(target, ast.expr) else target
    return isinstance(owner, ast.Attribute) and owner.attr == "data"


def overwrite(target: ast.AST, owner: Value, frame: Frame, call: ast.Call | None = None) -> None:
    """The memory of `owner` changes: note what that breaks. (Writes without gradient mode are made
    by people who know what they do.) `call` is that of a module, which `target` makes."""
    program = frame.program
    if program.skims:
        return
    program.writes.note(target, owner.storage, program.cuts)
    if not frame.state.grad or is_unseen(target):
        return
    writes, state = program.writes, frame.state
    write = Write()
    memory = writes.memory(owner.storage)
    write.leaf = _leaf(owner, memory, frame)
    if owner.graph > Graph.NO or any(s in state.saved for s in memory):
        write.parted = {writes.parted[s] for s in owner.storage if s in writes.parted}
    write.expanded = {writes.expanded[s] for s in owner.storage if s in writes.expanded}
    saves = {save for s in memory for save in state.saved.get(s, ())}
    if owner.dtype in INTEGRAL:  # an index; what may have a gradient has none
        saves = {save for save in saves if save.graph == Graph.YES}
    if call is not None:
        write.calls.add(call)
    elif not (write.leaf or write.expanded or write.parted or saves):
        return
    known = writes.at.setdefault(target, write)
    known.calls |= write.calls
    known.overwrites |= bool(saves)
    known.partly |= bool(saves) and not all(state.saved.get(s) for s in memory)
    known.leaf = max(known.leaf, write.leaf)
    known.expanded |= write.expanded
    known.parted |= write.parted
    _note_holders(known, memory, frame)
    sure = not owner.storage & writes.doubtful
    spoiled: list[tuple[frozenset[int], int]] = []
    for save in saves - state.broken:
        key = (save.node, save.operands, save.own)
        found = known.breaks.setdefault(key, Break(save))
        graph = save.graph if sure else min(save.graph, Graph.MAYBE)
        if graph == Graph.YES and found.save.graph < Graph.YES:
            found.save = save
        token = program.cuts.made(found.place, graph)
        program.cuts.spoiled |= {token}
        spoiled.append((save.result, token))
    if spoiled:
        _taint(spoiled, frame)
    state.broken |= saves


def _leaf(owner: Value, memory: frozenset[int], frame: Frame) -> Graph:
    """How sure it is that the memory is that of a leaf which requires grad."""
    if owner.graph != Graph.YES or owner.storage & frame.program.frozen:
        return Graph.NO
    if owner.leaf and not owner.computed:
        return Graph.YES
    if owner.leaf or owner.storage & frame.program.writes.doubtful:
        return Graph.MAYBE  # on another path it is computed, or a copy
    if memory & frame.program.writes.weights:
        return Graph.YES
    for state in (frame.state, *(scope.state for scope in frame.scopes)):
        for value in state.bound.values():
            leaf = value.is_tensor and value.leaf and value.graph == Graph.YES
            leaf = leaf and not value.computed
            if leaf and value.storage & memory:
                return Graph.YES
    return Graph.NO


def _note_holders(write: Write, memory: frozenset[int], frame: Frame) -> None:
    for key, value in frame.state.bound.items():
        if not value.kind & (Kind.TENSOR | Kind.SEQUENCE | Kind.DICT) or not _holds(value, memory):
            continue
        if isinstance(key, str):
            write.names.add(key)
        else:
            write.escapes = True
    write.handed |= bool(frame.handed & memory)
    if any(_holds(v, memory) for outer in frame.scopes for v in outer.state.bound.values()):
        write.escapes = True
    for caller, call in zip(frame.program.callers, frame.program.calls, strict=True):
        for key, value in caller.state.bound.items():
            if not _holds(value, memory):
                continue
            if isinstance(key, str) and caller not in frame.scopes:
                write.held.add((call, key))
            else:
                write.escapes = True


def memory_in(value: Value, depth: int = 3) -> frozenset[int]:
    """The memory of a tensor, or of those in a container."""
    found = value.storage
    return found.union(*(memory_in(v, depth - 1) for v in value.inner)) if depth else found


def memory_of_results(value: Value, depth: int = 4) -> frozenset[int]:
    """The memory of the tensors in a container, or of the tensor, that are surely no leaves."""
    if value.kind == Kind.TENSOR:
        return value.storage if value.graph == Graph.YES and not value.leaf else EMPTY
    inner = value.inner if depth else ()
    return EMPTY.union(*(memory_of_results(v, depth - 1) for v in inner))


def _holds(value: Value, memory: frozenset[int], depth: int = 3) -> bool:
    if value.kind & Kind.TENSOR and value.storage & memory:
        return True
    return depth > 0 and any(_holds(v, memory, depth - 1) for v in value.inner)


def _taint(results: list[tuple[frozenset[int], int]], frame: Frame) -> None:
    """Whatever was computed from these results carries the tokens of their breaks from now on."""
    program = frame.program
    users = program.cuts.memory.users()
    tokens: dict[int, frozenset[int]] = {}
    for result, token in results:
        for storage in computed_from(result, users):
            tokens[storage] = tokens.get(storage, EMPTY) | {token}
    tainted = program.writes.tainted
    for storage, found in tokens.items():
        tainted[storage] = tainted.get(storage, EMPTY) | found

    def marked(value: Value) -> Value:
        if value.graph == Graph.NO:
            return value
        new = EMPTY.union(*(tokens[s] for s in value.storage if s in tokens))
        return value if new <= value.cuts else value.but(cuts=value.cuts | new)

    for one in (frame, *frame.scopes, *program.callers):
        one.state.change(marked)
