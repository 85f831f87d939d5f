"""What a loss is a sum of: a term without a graph adds nothing to any gradient.

A cut can be meant where its result is a factor, a target or an input. As a term of what a backward
pass runs through it can not: the term is then a constant, and as good as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from autofix.flow.values import EMPTY, UNSEEN, Graph, Value

LINEAR = frozenset(
    {"mean", "sum", "nanmean", "nansum", "neg", "squeeze", "reshape", "view", "to", "float"}
    | {"double", "half", "cuda", "cpu", "stack", "cat", "hstack", "concat", "flatten", "clone"}
)
"""Operations after which a term is still a term."""


@dataclass(eq=False)
class Terms:
    """For the memory of a computed tensor, the cuts of the constants that were added to it."""

    related: Callable[[int, Value], bool]
    """Does the cut with this token copy the value, or something computed from it?"""
    of_loss: frozenset[int] = EMPTY
    """Cuts whose results are terms of what a backward pass runs through, or all of it."""
    of_result: frozenset[int] = EMPTY
    """The same for single numbers that are returned to code that may run one."""
    _constant: dict[int, frozenset[int]] = field(default_factory=dict)

    def of(self, value: Value) -> frozenset[int]:
        """The cuts of the constants in the sum that a value is."""
        if value.graph == Graph.NO or (value.leaf and not value.mixed):
            return EMPTY if UNSEEN & value.cuts else value.cuts
        found = EMPTY
        for storage in value.storage:
            found |= self._constant.get(storage, EMPTY)
        return found

    def add(self, result: Value, a: Value, b: Value) -> None:
        """`result` is a sum or difference of `a` and `b`."""
        self._note(result, self._part(a, b) | self._part(b, a))

    def keep(self, result: Value, inputs: Iterable[Value]) -> None:
        """`result` is a linear function of each of the inputs."""
        self._note(result, EMPTY.union(*(self.of(v) for v in inputs)))

    def need(self, value: Value, backward: bool, aside: frozenset[int]) -> None:
        if backward:
            self.of_loss |= self.of(value) - aside
        elif _is_one(value):
            self.of_result |= self.of(value)

    def _part(self, value: Value, other: Value) -> frozenset[int]:
        live = value.graph > Graph.NO and (value.mixed or not value.leaf)
        if live or not value.cuts or UNSEEN & value.cuts:
            return self.of(value)
        if not (_is_one(value) or (value.shape is None and other.is_scalar)):
            return EMPTY  # a baseline, an offset of many values
        # `x - x.detach()` and the like put another value in place of x, on purpose
        return frozenset(token for token in value.cuts if not self.related(token, other))

    def _note(self, result: Value, cuts: frozenset[int]) -> None:
        if cuts and result.graph > Graph.NO:
            for storage in result.storage:
                self._constant[storage] = self._constant.get(storage, EMPTY) | cuts


def _is_one(value: Value) -> bool:
    return value.is_number or value.is_scalar
