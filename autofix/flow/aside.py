"""Cuts of a part of what has its graph: a stop that may be meant, whatever cuts all of it later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autofix.flow.values import EMPTY, Graph, Value


@dataclass(eq=False)
class Aside:
    """`w.detach()` in `loss = (r / w.detach()).sum()`: when `loss` is copied or wrapped further on,
    that is what keeps `w` and `r` from learning."""

    _in: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of a tensor with a graph, the cuts of the constants that went into it."""
    _left: dict[int, frozenset[int]] = field(default_factory=dict)
    """For a cut, those that stood aside in what it has left."""

    def combine(self, result: Value, inputs: Iterable[Value]) -> None:
        """`result` has the graph of some of the inputs, and others are constants."""
        found = EMPTY
        for value in inputs:
            found |= value.cuts if value.graph == Graph.NO else self._inside(value)
        for storage in result.storage if found else ():
            self._in[storage] = self._in.get(storage, EMPTY) | found

    def leave(self, token: int, value: Value) -> None:
        """The cut with this token leaves the graph of a value behind."""
        found = self._inside(value) - {token}
        if found:
            self._left[token] = self._left.get(token, EMPTY) | found

    def of(self, value: Value) -> frozenset[int]:
        """The cuts on the way to a value that stood aside where a later one was made."""
        return EMPTY.union(*(self._left.get(token, EMPTY) for token in value.cuts))

    def _inside(self, value: Value) -> frozenset[int]:
        return EMPTY.union(*(self._in.get(storage, EMPTY) for storage in value.storage))
