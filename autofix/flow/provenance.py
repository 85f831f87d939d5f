"""What the values in some memory were computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autofix.flow.values import EMPTY, Graph, Value

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


@dataclass(eq=False)
class Provenance:
    """Memory is named by the numbers in `Value.storage`."""

    origins: dict[int, frozenset[int]] = field(default_factory=dict)
    """For the memory of a computed tensor, the memory of what it was computed from."""
    absorbed: dict[int, frozenset[int]] = field(default_factory=dict)
    """For memory that was written into, the memory of what was written."""
    gathered: dict[int, frozenset[int]] = field(default_factory=dict)
    """For memory that a stack or cat was put into, the memory of what was put together."""

    def come_from(self, value: Value, inputs: Sequence[Value]) -> None:
        """Note what a tensor is computed from."""
        found = EMPTY.union(*(v.storage for v in inputs if v.graph > Graph.NO))
        if found:
            self.origins.update(dict.fromkeys(value.storage, found))

    def written(self, owner: Value, value: Value) -> None:
        """`value` is written into (or added to ...) the memory of `owner`."""
        if value.graph > Graph.NO and value.storage:
            for storage in owner.storage:
                self.absorbed[storage] = self.absorbed.get(storage, EMPTY) | value.storage

    def users(self) -> Mapping[int, Sequence[int]]:
        """For memory, that of what is computed from what is in it, or written over with it."""
        found: dict[int, list[int]] = {}
        for links in (self.origins, self.absorbed):
            for user, sources in links.items():
                for source in sources:
                    found.setdefault(source, []).append(user)
        return found

    def origins_of(self, memory: frozenset[int]) -> frozenset[int]:
        """The memory of everything that went into what is in this memory."""
        seen, todo = set(memory), list(memory)
        while todo and len(seen) < 200:
            new = self.origins.get(todo.pop(), EMPTY) - seen
            seen |= new
            todo += new
        return frozenset(seen)

    def put_together(self, whole: frozenset[int], parts: frozenset[int]) -> None:
        """A stack or cat of these parts."""
        self.gathered.update(dict.fromkeys(whole, parts))

    def with_parts(self, memory: frozenset[int]) -> frozenset[int]:
        return memory.union(*(self.gathered.get(s, EMPTY) for s in memory))


def computed_from(memory: frozenset[int], users: Mapping[int, Sequence[int]]) -> frozenset[int]:
    """`memory`, and that of everything that was computed from what is in it."""
    seen, todo = set(memory), list(memory)
    while todo:
        new = [user for user in users.get(todo.pop(), ()) if user not in seen]
        seen.update(new)
        todo += new
    return frozenset(seen)
