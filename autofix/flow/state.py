"""What is bound at one point of a function: names, and the contents of mutable objects."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.flow.values import Graph, Kind, Value, join, same

Key = str | int | tuple[int, str]
"""A local name, the identity of a list or dict, or (identity of an instance, attribute)."""


@dataclass(slots=True)
class State:
    """Bindings at a program point. `dead` after a return, raise, break or continue."""

    bound: dict[Key, Value] = field(default_factory=dict)
    grad: bool = True
    dead: bool = False
    off: ast.AST | None = None
    """What keeps gradient mode off: a statement in a `with`, a decorator, or a call."""

    def fork(self) -> State:
        return State(dict(self.bound), self.grad, self.dead, self.off)

    def heap(self) -> dict[Key, Value]:
        """What is reachable from outside a function: everything but local names."""
        return {key: value for key, value in self.bound.items() if not isinstance(key, str)}

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
    )


def merge(a: State, b: State) -> State:
    """The state where two paths meet; a path that ended does not count."""
    if a.dead or b.dead:
        return a if b.dead else b
    bound = dict(a.bound)
    for key, value in b.bound.items():
        mine = bound.get(key)
        bound[key] = value if mine is None else mine if mine is value else join(mine, value)
    return State(bound, a.grad, off=a.off)


def settled(before: State, after: State) -> bool:
    """True if one more turn of a loop would learn nothing."""
    old = before.bound
    for key, value in after.bound.items():
        mine = old.get(key)
        if mine is None or not same(mine, value):
            return False
    return True
