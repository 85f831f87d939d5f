"""What one turn of a loop hands on to the next: there, a cut may be what makes the loop run.

If every turn has a backward pass of its own, a graph that reaches into the turn before cannot be
run through again: it is freed, and the weights have changed since.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autofix.flow.values import fresh


@dataclass(eq=False)
class Carried:
    """Cuts by the loops that carry what they copy, and lists that grow from turn to turn."""

    _loops: dict[int, set[ast.AST]] = field(default_factory=lambda: defaultdict(set))
    _lists: dict[int, set[tuple[ast.AST, frozenset[int]]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _turns: dict[int, dict[ast.AST, int]] = field(default_factory=dict)
    """For each cut, the turn of every loop around in which it was last made."""
    _backward: dict[int, set[ast.AST]] = field(default_factory=lambda: defaultdict(set))
    _started: dict[ast.AST, int] = field(default_factory=dict)
    _grown: dict[int, set[ast.AST]] = field(default_factory=lambda: defaultdict(set))
    _emptied: set[int] = field(default_factory=set)

    def start(self, loop: ast.AST) -> None:
        """A loop is entered: what is made from now on is made inside it."""
        self._started[loop] = fresh()

    def began(self, loop: ast.AST) -> int:
        """The number that was given last before the loop was entered."""
        return self._started.get(loop, 0)

    def from_last_turn(self, token: int, loops: Sequence[ast.AST], turns: Sequence[int]) -> None:
        """The cut reads what it made itself, so a loop has handed it on: the innermost one that is
        past its first turn."""
        for loop, turn in zip(reversed(loops), reversed(turns), strict=True):
            if turn > 1:
                self._loops[token].add(loop)
                return

    def made(self, token: int, loops: Sequence[ast.AST], turns: Sequence[int]) -> None:
        self._turns[token] = dict(zip(loops, turns, strict=True))

    def runs_backward(self, token: int, loops: Sequence[ast.AST], turns: Sequence[int]) -> None:
        self._backward[token].update(loops)
        made = self._turns.get(token, {})
        late = {
            loop for loop, turn in zip(loops, turns, strict=True) if made.get(loop, turn) < turn
        }
        self._loops[token].update(late)

    def grow(self, lists: Iterable[int], loops: Iterable[ast.AST]) -> None:
        """Something is added to a list, known by its identities."""
        for identity in lists:
            self._grown[identity].update(loops)

    def empty(self, lists: Iterable[int]) -> None:
        self._emptied.update(lists)

    def from_list(self, token: int, lists: Iterable[int], loops: Iterable[ast.AST]) -> None:
        """The cut copies a list: one that was there before a loop and grows in it holds values of
        earlier turns."""
        identities = frozenset(lists)
        for loop in loops if identities else ():
            began = self.began(loop)
            if all(one < began and loop in self._grown.get(one, ()) for one in identities):
                self._lists[token].add((loop, identities))

    def is_bad(self, token: int) -> bool:
        """Whether a list is emptied between the turns is known only at the end."""
        held = {at for at, lists in self._lists.get(token, ()) if not lists & self._emptied}
        return bool((self._loops.get(token, set()) | held) & self._backward.get(token, set()))
