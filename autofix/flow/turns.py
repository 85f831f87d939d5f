"""Turns of a training loop: what each step of an optimizer finds in the gradients.

A turn is the body of a loop, a function that is called again and again, or a whole script. For each
step in it this tells what can be in the gradients when it is made: nothing (they were reset and no
backward pass came since), what a backward pass of this turn brought, what an earlier turn left.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from autofix.flow.events import Branch, Event, Item, Loop, Seq, What
from autofix.flow.handles import NOBODY, OF_SELF, Handles, Scope, any_related, handles, related
from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.losses import Sources, sources
from autofix.flow.roles import constructors, is_optimizer, name_pairs, optimizer_class
from autofix.flow.syntax import argument
from autofix.flow.training import Reader
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

EARLIER, NOTHING, FRESH, UNKNOWN = "earlier", "nothing", "fresh", "unknown"
State = frozenset[str]


@dataclass(frozen=True)
class Placed:
    """An event of a turn, where it comes in it, and whether every turn has it."""

    event: Event
    at: int
    sure: bool
    loops: tuple[Loop, ...]


@dataclass(eq=False)
class Turn:
    """One pass through code that is run again and again (or, if not `repeated`, once)."""

    facts: Facts
    body: Seq
    node: ast.AST
    """The loop, function or module."""
    repeated: bool
    before: tuple[Event, ...] = ()
    """What the code around a loop did before it."""

    @cached_property
    def events(self) -> list[Placed]:
        return [
            Placed(event, at, sure, loops)
            for at, (event, sure, loops) in enumerate(_flat(self.body, True, ()))
        ]

    def of(self, what: What) -> list[Placed]:
        return [placed for placed in self.events if placed.event.what == what]

    @cached_property
    def steps(self) -> list[Placed]:
        """The steps that this turn, and no loop inside of it, has a backward pass for."""
        return [
            step
            for step in self.of(What.STEP)
            if not any(self._has_backward(loop, step.event.who) for loop in step.loops)
        ]

    def _has_backward(self, loop: Loop, who: Handles) -> bool:
        return any(
            event.what == What.BACKWARD and self.reaches(event, who) is not False
            for event, _, _ in _flat(loop.body, True, ())
        )

    def backwards(self, who: Handles) -> list[Placed]:
        """The backward passes that may bring gradients to what these optimizers hold."""
        return [b for b in self.of(What.BACKWARD) if self.reaches(b.event, who) is not False]

    @cached_property
    def optimizers(self) -> list[Handles]:
        """Different optimizers that are stepped here."""
        found: list[Handles] = []
        for step in self.of(What.STEP):
            if not any(any_related(step.event.who, one) for one in found):
                found.append(step.event.who)
        return found

    def reaches(self, backward: Event, who: Handles) -> bool | None:
        """Does a backward pass bring gradients to what the optimizers hold? None: perhaps."""
        held = self._held(who)
        if len(self.optimizers) == 1:
            return True
        if backward.receiver is None or held is None:
            return None
        came = self._sources(backward)
        if any_related(came.parts, held):
            return True
        others = [self._held(one) for one in self.optimizers]
        elsewhere = any(one and any_related(came.parts, one) for one in others)
        return False if came.complete and elsewhere else None

    def _sources(self, backward: Event) -> Sources:
        assert backward.receiver is not None
        return sources(backward.receiver, backward.scope, self.facts)

    def _held(self, who: Handles) -> Handles | None:
        """The modules whose parameters the optimizers were made with, if this file says so."""
        found: Handles = NOBODY
        for step in self.of(What.STEP):
            if step.event.receiver is not None and any_related(step.event.who, who):
                held = held_by(step.event.receiver, step.event.scope, self.facts)
                if held is None:
                    return None
                found |= held
        return found or None

    def resets(self, event: Event, who: Handles) -> bool | None:
        """Are the gradients of what these optimizers hold gone after the event? None: perhaps."""
        if event.what != What.ZERO:
            touches = event.what in (What.TOUCH, What.UNSEEN)
            touched = touches and (not event.who or any_related(event.who, who))
            return None if touched else False
        if any_related(event.who, who):
            return True
        held = self._held(who)
        if held is not None and all(
            any(_part_of(one, module) for module in event.who) for one in held
        ):
            return True
        assert event.receiver is not None
        if any(any_related(event.who, step.event.who) for step in self.of(What.STEP)):
            return False  # another optimizer
        if held is None or is_optimizer(event.receiver, self.facts):
            return None
        return None if any_related(event.who, held) else False

    def found_by(self, step: Placed, start: State = frozenset({EARLIER})) -> State:
        """What a step can find in the gradients, if the turn starts with `start`."""
        watch = _Watch(self, step.event)
        watch.run(self.body, start)
        return watch.found


@dataclass(eq=False)
class _Watch:
    turn: Turn
    step: Event
    found: State = frozenset()

    def run(self, item: Item, state: State) -> State:
        match item:
            case Seq(items=items):
                for inner in items:
                    state = self.run(inner, state)
            case Branch(alternatives=ways):
                ends = [(way, self.run(way, state)) for way in ways]
                states = [end for way, end in ends if not way.leaves]
                state = frozenset[str]().union(*(states or [end for _, end in ends]))
            case Loop(body=body):
                first = self.run(body, state)
                state = first | self.run(body, state | first)
            case Event():
                state = self._after(item, state)
        return state

    def _after(self, event: Event, state: State) -> State:
        who = self.step.who
        if event is self.step:
            self.found |= state
            return state
        if event.what == What.BACKWARD:
            reaches = self.turn.reaches(event, who)
            if reaches is None:
                return state | {FRESH}
            return frozenset({FRESH}) if reaches else state
        if event.what in (What.HIDDEN, What.UNSEEN):
            return state | {UNKNOWN if event.what == What.HIDDEN else NOTHING}
        resets = self.turn.resets(event, who)
        if resets is None:
            return state | {UNKNOWN}
        return frozenset({NOTHING}) if resets else state


def _flat(
    item: Item, sure: bool, loops: tuple[Loop, ...]
) -> Iterator[tuple[Event, bool, tuple[Loop, ...]]]:
    match item:
        case Event():
            yield item, sure, loops
        case Seq(items=items):
            for inner in items:
                yield from _flat(inner, sure, loops)
                if isinstance(inner, Branch) and any(way.leaves for way in inner.alternatives):
                    sure = False
        case Branch(alternatives=ways):
            for way in ways:
                yield from _flat(way, False, loops)
        case Loop(body=body):
            yield from _flat(body, sure, (*loops, item))


def _part_of(one: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return len(whole) <= len(one) and related(one, whole)


def held_by(optimizer: ast.expr, scope: Scope, facts: Facts) -> Handles | None:
    """The modules whose parameters an optimizer is made with; None if that is not known."""
    calls = [c for c in constructors(optimizer, facts) if optimizer_class(c, facts)]
    owners = [one[:-1] for one in handles(optimizer, scope, facts) if len(one) > 1]
    found: Handles = NOBODY
    for call in calls:
        held = held_by_call(call, scope, facts)
        if held is None:
            return None
        own = [one[1:] for one in held if one[0].startswith(OF_SELF)]
        found |= held | {(*owner, *path) for owner in owners for path in own}
    return found or None


def held_by_call(call: ast.Call, scope: Scope, facts: Facts) -> Handles | None:
    """The same for one call that makes an optimizer."""
    given = argument(call, 0, "params")
    if given is None:
        return None
    given = given_as(given, facts)
    function = facts.index.function_of(call)
    place = scope if function is scope.function or is_foreign(call) else Scope(function)
    owners = [
        n.value
        for n in ast.walk(given)
        if isinstance(n, ast.Attribute) and n.attr in ("parameters", "named_parameters")
    ]
    parts = [_known_as(owner, place, facts) for owner in owners]
    return NOBODY.union(*parts) if owners and all(parts) else None


def given_as(given: ast.expr, facts: Facts) -> ast.expr:
    """`params` of `Adam(params)`: what it was made of, if nothing else is done with it."""
    names = uses_in(facts).names
    if not isinstance(given, ast.Name) or len(names.all_loads(given)) != 1:
        return given
    stores = names.stores(given)
    made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    return made.value if isinstance(made, ast.Assign) and made.targets == stores else given


def _known_as(node: ast.expr, scope: Scope, facts: Facts) -> Handles:
    """An object, also under the attribute as which its function keeps it (`self.net = net`), and
    the other way round."""
    found = handles(node, scope, facts)
    root = node
    path: list[str] = []
    while isinstance(root, ast.Attribute):
        path.insert(0, root.attr)
        root = root.value
    if not isinstance(root, ast.Name) or scope.function is None:
        return found
    statements = facts.index.body_nodes(scope.function)
    for kept, value in (pair for part in statements for pair in name_pairs(part)):
        if value.id == root.id:
            found |= frozenset((*one, *path) for one in handles(kept, scope, facts))
        elif ast.unparse(kept) == ast.unparse(node):
            found |= handles(value, scope, facts)
    return found


def turns(facts: Facts, root: FunctionNode | ast.Module) -> list[Turn]:
    """The turns in a function (or the module), it among them."""
    reader = Reader(facts)
    if isinstance(root, FUNCTIONS):
        reader.stack.append(root)
    assert not isinstance(root, ast.Lambda)
    scope = Scope(root if isinstance(root, FUNCTIONS) else None)
    tree = reader.body(root.body, scope, ())
    found = [Turn(facts, tree, root, repeated=False)]
    before: list[Event] = []
    _loops(tree, found, before, facts)
    return found


def _loops(item: Item, found: list[Turn], before: list[Event], facts: Facts) -> None:
    match item:
        case Event():
            before.append(item)
        case Seq(items=items) | Branch(alternatives=items):
            for inner in items:
                _loops(inner, found, before, facts)
        case Loop(node=node, body=body, once=once):
            if node is not None:
                found.append(Turn(facts, body, node, not once, tuple(before)))
            _loops(body, found, before, facts)
