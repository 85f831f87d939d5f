"""What is bound at one point of a function: names, and the contents of mutable objects."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autofix.flow.joins import join, same
from autofix.flow.values import NONE, Graph, Kind, Value

if TYPE_CHECKING:
    from autofix.flow.saved import Save

Saved = Mapping[int, frozenset["Save"]]

Key = str | int | tuple[int, str]
"""A local name, the identity of a list or dict, or (identity of an instance, attribute)."""


RETURNED = "return"
"""The key of what a function returns, which is no name."""


@dataclass(slots=True)
class State:
    """Bindings at a program point. `dead` after a return, raise, break or continue."""

    bound: dict[Key, Value] = field(default_factory=dict)
    grad: bool = True
    dead: bool = False
    off: ast.AST | None = None
    """What keeps gradient mode off: a statement in a `with`, a decorator, or a call."""
    saved: Saved = field(default_factory=dict)
    """For memory (see `Value.storage`), what autograd keeps it for on some path to here. Replaced,
    never changed."""
    broken: frozenset[Save] = frozenset()
    """Of these, what a write has overwritten already."""

    def fork(self) -> State:
        return State(dict(self.bound), self.grad, self.dead, self.off, self.saved, self.broken)

    def revived(self) -> State:
        """The same state, as it goes on elsewhere: after the loop that `break` left, say."""
        return State(self.bound, self.grad, False, self.off, self.saved, self.broken)

    def entered(self) -> State:
        """What the body of a function or class begins with that is run here."""
        return State(self.heap(), self.grad, False, self.off, self.saved, self.broken)

    def change(self, of: Callable[[Value], Value]) -> None:
        """Replace each bound value, and those in lists and dicts."""
        for key, value in self.bound.items():
            if value.kind & (Kind.TENSOR | Kind.SEQUENCE | Kind.DICT | Kind.UNKNOWN):
                new = _changed(value, of)
                if new is not value:
                    self.bound[key] = new

    def heap(self) -> dict[Key, Value]:
        """What is reachable from outside a function: everything but local names."""
        return {key: value for key, value in self.bound.items() if not isinstance(key, str)}

    def absorb(self, other: State) -> None:
        """What may have been done to objects, in code that may have run."""
        for key, after in other.bound.items():
            if isinstance(key, str):
                continue
            before = self.bound.get(key)
            if before is not after:
                self.bound[key] = after if before is None else join(before, after)

    def look(self, value: Value) -> Value:
        """The current contents of a list or dict that was bound earlier."""
        if not value.aliases:
            return value
        result: Value | None = None
        for identity in value.aliases:
            now = self.bound.get(identity)
            if now is None:
                return value
            result = now if result is None else join(result, now)
        if result is None:
            return value
        return result if result.kind == value.kind else join(result, value)

    def store(self, old: Value, new: Value) -> None:
        """Replace the contents of the list or dict `old`, seen through every name for it."""
        new = new.but(aliases=old.aliases, ref=old.ref)
        strong = len(old.aliases) == 1
        for identity in old.aliases:
            before = self.bound.get(identity)
            self.bound[identity] = new if strong or before is None else join(before, new)

    def mutate(self, target: Value, written: Value) -> None:
        """A write into tensor memory reaches every tensor that shares it."""
        if not target.storage:
            return
        for key, value in self.bound.items():
            if value.kind & Kind.TENSOR and value.storage & target.storage:
                self.bound[key] = written_into(value, written)
            elif value.kind & (Kind.SEQUENCE | Kind.DICT):
                changed = _contents_written(value, target, written)
                if changed is not None:
                    self.bound[key] = changed


def _changed(value: Value, of: Callable[[Value], Value], depth: int = 3) -> Value:
    new = of(value)
    if not depth or (value.elem is None and value.items is None and value.entries is None):
        return new
    below = depth - 1
    elem = value.elem and _changed(value.elem, of, below)
    items = value.items and tuple(_changed(v, of, below) for v in value.items)
    entries = value.entries and {k: _changed(v, of, below) for k, v in value.entries.items()}
    kept = items is None or all(a is b for a, b in zip(items, value.items or (), strict=True))
    named = value.entries or {}
    kept = kept and all(entries[k] is v for k, v in named.items()) if entries else kept
    if new is value and elem is value.elem and kept:
        return value
    return new.but(elem=elem, items=items, entries=entries)


def _contents_written(value: Value, target: Value, written: Value) -> Value | None:
    """A list or dict, after a write into the memory of a tensor in it; None if there is none."""

    def each(inner: Value) -> Value:
        shares = inner.kind & Kind.TENSOR and inner.storage & target.storage
        return written_into(inner, written) if shares else inner

    elem = each(value.elem) if value.elem is not None else None
    if elem is value.elem:
        return None
    items = tuple(map(each, value.items)) if value.items is not None else None
    entries = {k: each(v) for k, v in value.entries.items()} if value.entries is not None else None
    return value.but(elem=elem, items=items, entries=entries)


def written_into(value: Value, written: Value) -> Value:
    """A tensor after another value was written into its memory."""
    if written.graph <= value.graph and written.cuts <= value.cuts:
        return value
    stronger = written if written.graph > value.graph else value
    return value.but(
        graph=stronger.graph,
        why=stronger.why,
        cuts=value.cuts | written.cuts,
        leaf=False if written.graph > Graph.NO else value.leaf,
        computed=value.computed or written.computed,
    )


def merge(a: State, b: State) -> State:
    """The state where two paths meet; a path that ended does not count."""
    if a.dead or b.dead:
        return a if b.dead else b
    bound = dict(a.bound)
    for key, value in b.bound.items():
        mine = bound.get(key)
        bound[key] = value if mine is None else mine if mine is value else join(mine, value)
    saved = a.saved if a.saved is b.saved else _both(_kept(a, b), _kept(b, a))
    mode = a if a.grad else b  # where there may be gradients, there are
    return State(bound, mode.grad, False, mode.off, saved, a.broken & b.broken)


def saved_outside(ways: Sequence[State], caller: State) -> Saved:
    """What is kept after any of the ways out of a function, for those who can still write into it:
    the names in the function are gone, but for what it returns."""
    if all(way.saved is ways[0].saved for way in ways):
        return ways[0].saved
    names: dict[Key, Value] = {k: v for k, v in caller.bound.items() if isinstance(k, str)}
    seen = []
    for way in ways:
        result = way.bound.get(RETURNED, NONE)
        bound = {**way.heap(), **names, RETURNED: result}
        seen.append(State(bound, way.grad, False, way.off, way.saved, way.broken))
    return functools.reduce(merge, seen).saved


def _kept(a: State, b: State) -> Saved:
    """What the path `a` has kept, without memory that only `b` still has a name for: in `if c: x =
    x.clip(0)`, what `clip` keeps cannot be written any more, though x is the same memory on the
    other path."""
    apart = [memory for memory, saves in a.saved.items() if b.saved.get(memory) != saves]
    if not apart:
        return a.saved
    lost: set[int] = set()
    for key, value in b.bound.items():
        mine = a.bound.get(key)
        if mine is not value and mine is not None and value.storage:
            lost |= value.storage - mine.storage
    lost.intersection_update(apart)
    for value in a.bound.values() if lost else ():
        _drop_held(value, lost)
    return {m: saves for m, saves in a.saved.items() if m not in lost} if lost else a.saved


def _drop_held(value: Value, memory: set[int], depth: int = 3) -> None:
    """Take out of `memory` what the value, or something in it, holds."""
    memory.difference_update(value.storage)
    for inner in value.inner:
        if depth:
            _drop_held(inner, memory, depth - 1)


def _both(a: Saved, b: Saved) -> Saved:
    if a is b or not b:
        return a
    none: frozenset[Save] = frozenset()
    return {**a, **{memory: a.get(memory, none) | saves for memory, saves in b.items()}} if a else b


def settled(before: State, after: State, first: bool = False) -> bool:
    """True if one more turn of a loop would learn nothing."""
    old = before.bound
    if first and len(after.saved) > len(before.saved):
        return False  # the next turn may write into what this one has left
    for key, value in after.bound.items():
        mine = old.get(key)
        if mine is None or not same(mine, value):
            return False
    return True
