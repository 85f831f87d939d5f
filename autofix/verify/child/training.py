"""What is seen of training beside its steps: what schedules, clipping and passes are good for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import tensors
from .tensors import Tensor


@dataclass
class Training:
    """What one execution has done about its optimizers."""

    clips: int = 0
    """How often gradients were clipped."""
    idle_clips: int = 0
    """How often there were none then."""
    born: dict[int, int] = field(default_factory=dict)
    """How many optimizers there were when a Parameter was made, by its id."""
    made: list[list[int]] = field(default_factory=list)
    """The shapes of the Parameters that lines of the program itself have made."""
    settings: set[tuple[str, tuple[float, ...]]] = field(default_factory=set)
    """The numbers that clipping and schedules were given, by their names."""
    barren: list[Tensor] = field(default_factory=list)
    """What an optimizer was given though it required no grad then."""
    changed: list[bool] = field(default_factory=list)
    """Whether the changed lines make an optimizer, or have it made; in the order of their making,
    those that were refused among them."""
    doubled: int = 0
    """How many steps use nothing but what the step before them has used."""
    _used: dict[int, tuple[int, list[float]]] = field(default_factory=dict)
    """The gradients of the last step of an optimizer, in short, and how many passes were over."""
    _clock: int = 0
    _made: dict[int, int] = field(default_factory=dict)
    _last: dict[int, int] = field(default_factory=dict)
    """When an optimizer was made, and when it took its last step, by its id."""
    _adrift: dict[int, bool] = field(default_factory=dict)
    _schedulers: list[Any] = field(default_factory=list)

    def make(self, optimizer: Any) -> None:
        self._clock += 1
        self._made[id(optimizer)] = self._clock
        held = (one for group in optimizer.param_groups for one in group["params"])
        self.barren += [one for one in held if not one.requires_grad]

    def step(self, optimizer: Any) -> None:
        self._clock += 1
        self._last[id(optimizer)] = self._clock

    def take(self, optimizer: Any, held: Iterable[Tensor], passes: int) -> None:
        """What a step finds: gradients that it has not used before?"""
        found = (one.grad for one in held if not empty(one))
        sums = [float(tensors.plain(one).sum()) for one in found if one is not None]
        self.doubled += bool(sums) and self._used.get(id(optimizer)) == (passes, sums)
        self._used[id(optimizer)] = (passes, sums)

    def clip(self, name: str, given: Iterable[Tensor], numbers: Iterable[Any]) -> None:
        self.clips += 1
        self.settings.add((name, _numbers(numbers)))
        self.idle_clips += all(empty(one) for one in given)

    def schedule(self, scheduler: Any, optimizer: Any) -> None:
        """A scheduler changes the numbers of an optimizer: of one that is still in use?"""
        if id(scheduler) not in self._adrift:
            self._schedulers.append(scheduler)  # its id is to stay its own
            told = {name: one for name, one in vars(scheduler).items() if name not in _MOVING}
            self.settings.add((type(scheduler).__name__, _numbers(told.values())))
        used = max(self._last.get(id(optimizer), 0), self._made.get(id(optimizer), 0))
        later = {one for one, when in self._made.items() if when > used}
        self._adrift[id(scheduler)] = bool(later & self._last.keys())

    @property
    def adrift(self) -> int:
        """How many schedulers were left with an optimizer that another one has replaced."""
        return sum(self._adrift.values())


_MOVING = ("last_epoch", "_step_count", "T_cur", "best", "num_bad_epochs")
"""What a scheduler counts, beside what it was given."""


def _numbers(given: Iterable[Any]) -> tuple[float, ...]:
    return tuple(float(one) for one in given if isinstance(one, (int, float)))


def empty(tensor: Tensor) -> bool:
    """Whether there is no gradient, or one of zeros."""
    return tensor.grad is None or not bool(tensors.plain(tensor.grad).abs().sum() > 0)


def flat(events: Sequence[Any], indices: set[int]) -> bool:
    """Whether the last pass that has given these leaves anything has given zeros to all of them."""
    for event in reversed(events):
        found = [given for index, given in event.gradients.items() if index in indices]
        if found:
            return not any(bool(given.any()) for given in found)
    return False


def torn(events: Iterable[Any]) -> int:
    """How many passes gave gradients that were all thrown away, though those of other passes of
    the same line, no more of them, were used."""
    spent, wasted = Counter[int](), Counter[int]()
    for event in events:
        spent[event.line] += event.spent
        wasted[event.line] += event.wasted and not event.spent
    return sum(count for line, count in wasted.items() if 0 < spent[line] <= count)
