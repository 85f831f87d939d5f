"""What is wrong with the turns of a file's training loops. Found once for all rules that ask."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.training._each import reset_of_each, takes_another
from autofix.codemods.training._now_and_then import reset_between
from autofix.flow.events import Event, Loop, What
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.managed import entering
from autofix.flow.roles import constructors, optimizer_class
from autofix.flow.stages import stages_in
from autofix.flow.turns import EARLIER, NOTHING, Placed, Turn, turns
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in

CALLERS = 3
"""How far callers of a function with a step in it are looked into."""


_PLAIN = re.compile(r"(?i)static|class|abstract|override|enable_grad|tim|log|profil|retry|compile")
"""Decorators that do nothing to gradients, as far as their names tell."""

_OPEN = (What.TOUCH, What.HIDDEN, What.UNSEEN)
"""Gradients may be anything afterwards."""


class Kind(Enum):
    MISSING = "gradients are never reset"
    BETWEEN = "they are reset after the backward pass"
    IDLE = "the step comes first and finds nothing"
    RARE = "they are reset in every turn, and the step is made in every n-th"
    EACH = "they are reset before each of the backward passes of one step"
    LATE = "the step comes first and finds what an earlier turn left"


@dataclass(frozen=True)
class Problem:
    kind: Kind
    turn: Turn
    step: Placed
    reset: Placed | None = None
    backwards: tuple[Placed, ...] = ()

    def reset_each_round(self, facts: Facts) -> bool:
        """Does a loop around the turns reset them, once for all the turns of a round?"""
        around = _loops_around(self.step.event, facts) - {self.turn.node}
        who = self.step.event.who
        return any(
            self.turn.resets(event, who) and around & _loops_around(event, facts)
            for event in self.turn.before
            if event.what == What.ZERO
        )


def _loops_around(event: Event, facts: Facts) -> set[ast.AST]:
    return {loop for one in event.chain for loop in facts.index.loops_around(one)}


@functools.lru_cache(maxsize=1)
def problems(facts: Facts) -> dict[ast.AST, Problem]:
    """Problems by the call that is to blame: the step, or the reset that comes too late."""
    found: dict[ast.AST, Problem] = {}
    for root in roots(facts):
        for turn in turns(facts, root):
            for problem in (*_in_turn(turn, facts), *_by_hand(turn, facts)):
                late = problem.kind in (Kind.BETWEEN, Kind.EACH, Kind.RARE)
                blamed = problem.reset if late and problem.reset else problem.step
                known = found.setdefault(blamed.event.node, problem)
                if known.kind == problem.kind == Kind.MISSING and problem.reset_each_round(facts):
                    found[blamed.event.node] = problem  # only a caller shows the rounds
    return found


def turn_holds(facts: Facts, *nodes: ast.AST) -> bool:
    """Is there a turn in which all of these happen?"""
    return any(
        {one.event.node for one in turn.events} >= set(nodes)
        for root in roots(facts)
        for turn in turns(facts, root)
    )


def roots(facts: Facts) -> list[FunctionNode | ast.Module]:
    """The functions (or the module) that step an optimizer, and those that call them."""
    names = uses_in(facts).names
    steps: list[ast.expr] = [*names.calls.get("step", ()), *names.calls.get("optimizer_step", ())]
    steps += names.attributes.get("grad", ()) if "backward" in names.attributes else ()
    todo: list[tuple[FunctionNode | ast.Module, int]] = [
        (facts.index.function_of(call) or facts.tree, 0) for call in steps
    ]
    found: dict[FunctionNode | ast.Module, None] = {}
    while todo:
        root, depth = todo.pop(0)
        if root in found:
            continue
        found[root] = None
        if isinstance(root, FUNCTIONS) and depth < CALLERS:
            todo += [(caller, depth + 1) for caller in _callers(root, facts)]
    # The outermost last: what a function shows by itself is told of itself.
    return list(found)


def _callers(function: FunctionNode, facts: Facts) -> list[FunctionNode | ast.Module]:
    assert not isinstance(function, ast.Lambda)
    calls = uses_in(facts).names.calls.get(function.name, ())
    around = [facts.index.function_of(call) or facts.tree for call in calls]
    around += [facts.index.function_of(one) or facts.tree for one in entering(function, facts)]
    for loop, stages in stages_in(facts).items():
        if any(stage.function is function for stage in stages):
            around.append(facts.index.function_of(loop) or facts.tree)
    return [one for one in around if one is not function]


def _in_turn(turn: Turn, facts: Facts) -> Iterator[Problem]:
    for step in turn.steps:
        who = step.event.who
        backwards = turn.backwards(who)
        if not backwards:
            continue
        if each := reset_of_each(turn, step, facts):
            yield Problem(Kind.EACH, turn, step, each, tuple(backwards))
            continue
        if rare := reset_between(turn, step, facts):
            yield Problem(Kind.RARE, turn, step, rare, tuple(backwards))
            continue
        seen = turn.found_by(step)
        if seen == {NOTHING}:
            yield from _idle(turn, step, backwards)
        elif EARLIER in seen <= {EARLIER, NOTHING} and _is_repeated(turn, step, facts):
            yield from _late(turn, step, backwards, facts)
        forgotten = _never_reset(turn, step) and _is_repeated(turn, step, facts, missing=True)
        if forgotten or _adds_up_in_closure(turn, step, facts):
            yield Problem(Kind.MISSING, turn, step, backwards=tuple(backwards))


def _by_hand(turn: Turn, facts: Facts) -> Iterator[Problem]:
    """Updates that a program makes itself, in a loop that never resets a gradient."""
    passes = turn.of(What.BACKWARD)
    if not turn.repeated or not passes:
        return
    if any(e.event.what in (*_OPEN, What.ZERO, What.STEP) for e in turn.events):
        return
    inside = {b.event.node for b in passes if b.loops}
    for update in turn.of(What.UPDATE):
        weight = update.event.receiver
        own = any(_has(loop, inside) for loop in update.loops)
        if weight is not None and not own and not _is_made_again(weight, turn, facts):
            yield Problem(Kind.MISSING, turn, update, backwards=tuple(passes))


def _has(loop: Loop, nodes: set[ast.expr | ast.stmt]) -> bool:
    return loop.node is not None and any(node in nodes for node in ast.walk(loop.node))


def _is_made_again(weight: ast.expr, turn: Turn, facts: Facts) -> bool:
    """Is the weight another tensor in each turn, or its gradient wanted after the update?"""
    name = ast.unparse(weight)
    for node in ast.walk(turn.node):
        match node:
            case ast.Assign(targets=targets) if any(ast.unparse(t) == name for t in targets):
                return True
            case ast.Attribute(attr="grad", value=owner) if ast.unparse(owner) == name:
                if node.lineno > (weight.end_lineno or weight.lineno):
                    statement = facts.index.statement_of(weight)
                    if statement is None or facts.index.statement_of(node) is not statement:
                        return True
    return False


def _idle(turn: Turn, step: Placed, backwards: list[Placed]) -> Iterator[Problem]:
    """The gradients are surely gone when the step is made."""
    resets = [
        e for e in turn.of(What.ZERO) if e.at < step.at and turn.resets(e.event, step.event.who)
    ]
    if not resets:
        return
    last = resets[-1]
    before = [b for b in backwards if b.at < last.at]
    after = [b for b in backwards if b.at > step.at]
    if before and not _stepped(turn, step, before[-1].at, last.at):
        yield Problem(Kind.BETWEEN, turn, step, last, tuple(before))
    elif after and not _stepped(turn, step, after[0].at, len(turn.events)):
        yield Problem(Kind.IDLE, turn, step, last, tuple(after))


def _late(turn: Turn, step: Placed, backwards: list[Placed], facts: Facts) -> Iterator[Problem]:
    """What the step finds was there before the turn began."""
    who = step.event.who
    after = [b for b in backwards if b.at > step.at and turn.reaches(b.event, who)]
    apart = any(not _together(step, b, facts) for b in after)
    if not after or apart or _stepped(turn, step, after[0].at, len(turn.events)):
        return
    primed = any(
        e.what in (What.BACKWARD, What.HIDDEN, What.TOUCH) and turn.reaches(e, who) is not False
        for e in turn.before
        if e.what != What.TOUCH
    )
    if not primed and not _made_up_for(turn, step, facts):
        yield Problem(Kind.LATE, turn, step, backwards=tuple(after))


def _made_up_for(turn: Turn, step: Placed, facts: Facts) -> bool:
    """Is the same done once more behind the loop, for the last gradients? Each step then is made
    one turn late on purpose."""
    block = getattr(facts.index.parents.get(turn.node), "body", [])
    behind = block[block.index(turn.node) + 1 :] if turn.node in block else []
    made = {ast.unparse(statement) for statement in step.event.chain}
    return any(ast.unparse(statement) in made for statement in behind)


def _together(step: Placed, backward: Placed, facts: Facts) -> bool:
    """Does every turn that has the step have the backward pass?"""
    if step.sure and backward.sure:
        return True
    places = [_place(one.event.chain[-1], facts) for one in (step, backward)]
    return step.event.chain[:-1] == backward.event.chain[:-1] and places[0] == places[1]


def _place(statement: ast.stmt, facts: Facts) -> tuple[ast.AST | None, bool]:
    """What the statement stands in, and whether in its `else`; not counting `for opt in
    optimizers`, where it is alone."""
    around = facts.index.parents.get(statement)
    if isinstance(around, ast.For) and around.body == [statement]:
        statement, around = around, facts.index.parents.get(around)
    return around, statement in getattr(around, "orelse", ())


def _stepped(turn: Turn, step: Placed, start: int, end: int) -> bool:
    """Is the same optimizer stepped between two places of the turn?"""
    return any(
        start < other.at < end and other.event.who & step.event.who
        for other in turn.of(What.STEP)
        if other is not step
    )


def _never_reset(turn: Turn, step: Placed) -> bool:
    who = step.event.who
    if any(turn.resets(e.event, who) is not False for e in turn.events):
        return False
    if takes_another(turn, step) and _reset_before(turn, step):
        return False
    if any(_is_wrapped(statement, turn.facts) for statement in step.event.chain):
        return False
    made = any(e.event.who & who for e in turn.of(What.MAKE))
    closures = any(loop.node is None for loop in step.loops)
    return not made and not closures


def _is_wrapped(statement: ast.stmt, facts: Facts) -> bool:
    """Has the function a decorator that may reset gradients, or fade them, around each call?"""
    function = None if is_foreign(statement) else facts.index.function_of(statement)
    wrappers = function.decorator_list if function is not None else ()
    return any(not _PLAIN.search(ast.unparse(one)) for one in wrappers)


def _reset_before(turn: Turn, step: Placed) -> bool:
    """Are all the optimizers that the turns step reset before them, whenever the loop is run?"""
    index, who = turn.facts.index, step.event.who
    return any(
        turn.resets(event, who) is not False
        and set(index.loops_around(turn.node)) <= _loops_around(event, turn.facts)
        for event in turn.before
    )


def _adds_up_in_closure(turn: Turn, step: Placed, facts: Facts) -> bool:
    """LBFGS evaluates its closure many times a step: a reset outside of it does not help."""
    call = step.event.node
    if not isinstance(call, ast.Call) or not call.args or step.event.receiver is None:
        return False
    made = [optimizer_class(c, facts) for c in constructors(step.event.receiver, facts)]
    if made != ["LBFGS"]:
        return False
    inside = [e for e in turn.events if any(_is_closure(loop) for loop in e.loops)]
    inside = [e for e in inside if e.event.chain[: len(step.event.chain)] == step.event.chain]
    runs = any(e.event.what == What.BACKWARD for e in inside)
    return runs and not any(e.event.what in (*_OPEN, What.ZERO) for e in inside)


def _is_closure(loop: Loop) -> bool:
    return loop.node is None


def _is_repeated(turn: Turn, step: Placed, facts: Facts, missing: bool = False) -> bool:
    """Is the turn one of many? A loop's is; a function's if others call it with an optimizer."""
    if not isinstance(turn.node, FUNCTIONS):
        return turn.repeated
    function = turn.node
    if function.name.startswith("test") or _callers(function, facts):
        return False
    if any(e.event.who & step.event.who for e in turn.of(What.MAKE)):
        return False
    if not all(_is_own(b.event.receiver, function, facts) for b in turn.of(What.BACKWARD)):
        return False  # one loss of the module around: it can be run through only once
    if not missing:
        return True
    if turn.of(What.ZERO):
        return True  # another optimizer is reset here
    given = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    losses = [b.event.receiver for b in turn.of(What.BACKWARD)]
    if any(isinstance(loss, ast.Name) and loss.id in given for loss in losses):
        return False  # a helper of a loop that is elsewhere, and resets perhaps
    return "zero_grad" not in facts.source.text


def _is_own(loss: ast.expr | None, function: ast.AST, facts: Facts) -> bool:
    """Is the loss an argument of the function, or computed in it?"""
    if not isinstance(loss, ast.Name) or not isinstance(function, FUNCTIONS):
        return True
    inner = facts.index.function_of(loss)
    return inner is not function or loss.id in facts.index.bound_names(function)
