"""Where in a turn a reset or a step belongs, and the edits that put it there."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from autofix.codemods.training._order import may_change_places
from autofix.codemods.training._problems import Problem
from autofix.flow.events import Event, What
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.turns import Placed, Turn
from autofix.model import Edit
from autofix.rewrite.statements import (
    insert_after,
    insert_before,
    moved_behind,
)

_WITH_STEP = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "unscale_"})

_GRADIENTS = re.compile(r"(?i)grad(?!_fn)|unscale")


def holds(statement: ast.stmt, event: Event, facts: Facts) -> bool:
    """Does the event happen while the statement runs?"""
    return any(one is statement or statement in facts.index.ancestors(one) for one in event.chain)


def first_backward(problem: Problem, facts: Facts, level: int = -1) -> ast.stmt | None:
    """The statement with the first backward pass for the step of a problem, where that stands
    before it in the same block or in one around it that every turn runs through."""
    turn, step = problem.turn, problem.step
    node = step.event.chain[level]
    while True:
        block = facts.index.block_of(node)
        found = _group(block[: block.index(node)], turn, step, facts)
        if found is not None:
            return found
        parent = facts.index.parents.get(node)
        around = isinstance(parent, (ast.With, ast.Try, ast.If, ast.For))
        if parent is turn.node or not around:
            return None
        if isinstance(parent, ast.If) and not _in_all_branches(parent, turn, step, facts):
            return None
        assert isinstance(parent, ast.stmt)
        node = parent


def _group(before: Sequence[ast.stmt], turn: Turn, step: Placed, facts: Facts) -> ast.stmt | None:
    """Going back from the step: the first of the backward passes since the last step of another
    optimizer that had a backward pass of its own."""
    found = None
    passes = [b.event for b in turn.backwards(step.event.who)]
    others = [e.event for e in turn.of(What.STEP)]
    for statement in reversed(before):
        if found is not None and any(holds(statement, other, facts) for other in others):
            break
        if any(holds(statement, one, facts) for one in passes):
            found = statement
    return found


def _in_all_branches(node: ast.If, turn: Turn, step: Placed, facts: Facts) -> bool:
    same = [e.event for e in turn.of(What.STEP) if e.event.who & step.event.who]
    return all(
        any(holds(statement, one, facts) for statement in block for one in same)
        for block in (node.body, node.orelse)
    )


def reset_edit(problem: Problem, facts: Facts, code: str) -> Edit:
    """The edit that resets gradients where that belongs: before the backward passes of the step,
    or behind the step where it is made only now and then."""
    inside, step = _in_closure(problem, facts), problem.step.event
    anchor = inside or first_backward(problem, facts)
    if anchor is not None and (inside or is_bound(step.receiver, anchor, step, facts)):
        return insert_before(facts, anchor, code)
    return insert_after(facts, step.chain[-1], code)


def _in_closure(problem: Problem, facts: Facts) -> ast.stmt | None:
    """The backward pass in the closure that is handed to the step."""
    chain = problem.step.event.chain
    for one in problem.turn.of(What.BACKWARD):
        deeper = one.event.chain[: len(chain)] == chain and len(one.event.chain) > len(chain)
        if deeper and any(loop.node is None for loop in one.loops):
            return one.event.chain[-1]
    return None


def is_bound(node: ast.AST | None, anchor: ast.stmt, step: Event, facts: Facts) -> bool:
    """Do the names in `node` mean the same at `anchor` as at the step?"""
    if node is None:
        return False
    loads = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    own = node.target if isinstance(node, ast.For) else ast.Pass()
    named = loads - {n.id for n in ast.walk(own) if isinstance(n, ast.Name)}
    return not any(
        isinstance(n, ast.Name)
        and n.id in named
        and isinstance(n.ctx, ast.Store)
        and anchor.lineno <= n.lineno <= step.node.lineno
        for statement in facts.index.block_of(anchor)
        for n in ast.walk(statement)
    )


def shared_calls(a: Event, b: Event) -> int:
    """How many calls lead to both of two events."""
    shared = 0
    for one, other in zip(a.chain[:-1], b.chain[:-1], strict=False):
        if one is not other:
            break
        shared += 1
    return shared


def moved_step(problem: Problem, facts: Facts) -> tuple[Edit, ...] | str:
    """The edits that put a step behind the backward pass that it is for."""
    step = problem.step.event
    level = shared_calls(step, problem.backwards[0].event)
    statement = step.chain[level]
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return "it is part of another statement"
    if not _steps_first(statement, problem):
        return "the function that it stands in does more to gradients than to step"
    around = facts.index.parents.get(statement)
    if isinstance(around, ast.For) and [statement] == around.body and not around.orelse:
        statement = around  # `for opt in optimizers: opt.step()`
    block = facts.index.block_of(statement)
    at = block.index(statement)
    later = [s for s in block[at + 1 :] if any(_runs(s, b, facts) for b in problem.backwards)]
    if not later:
        return "the backward pass is run in another block"
    last_pass, behind = _last_of_run(block, later, problem, facts)
    if isinstance(last_pass, ast.If):
        return "the backward pass is not run in every turn"
    first, last = _company(block, at, facts)
    between = block[last + 1 : block.index(behind) + 1]
    if level < len(step.chain) - 1 and not may_change_places(statement, between, facts):
        return "the function that it stands in works on what the statements behind it use"
    if block[last].end_lineno == later[0].lineno:
        return "other statements stand on its line"
    edits = moved_behind(facts, block[first : last + 1], behind)
    return edits or "other statements stand on its line or on that of the backward pass"


def _steps_first(statement: ast.stmt, problem: Problem) -> bool:
    """Would the step find gradients that are there when the statement starts?"""
    who, turn = problem.step.event.who, problem.turn
    for led in (e.event for e in turn.events if statement in e.event.chain):
        if led is problem.step.event:
            return True
        if led.what not in (What.STEP, What.UNSEEN) and turn.resets(led, who) is not False:
            return False
        if led.what in (What.BACKWARD, What.HIDDEN):
            return False
    return False


def _runs(statement: ast.stmt, backward: Placed, facts: Facts) -> bool:
    return holds(statement, backward.event, facts)


def _last_of_run(
    block: Sequence[ast.stmt], later: Sequence[ast.stmt], problem: Problem, facts: Facts
) -> tuple[ast.stmt, ast.stmt]:
    """The last of the backward passes that follow each other without a step or a reset, and the
    last of what is done to the gradients that they bring."""
    found = behind = later[0]
    ends = [*problem.turn.of(What.STEP), *problem.turn.of(What.ZERO)]
    for statement in block[block.index(found) + 1 :]:
        if any(holds(statement, end.event, facts) for end in ends):
            break
        if statement in later:
            found = behind = statement
        elif _is_about_gradients(statement, facts):
            behind = statement
    return found, behind


def _is_about_gradients(node: ast.AST, facts: Facts) -> bool:
    """`clip_grad_norm_(model.parameters(), 1.0)`, `scaler.unscale_(optimizer)`, `p.grad.mul_(2)`,
    and `self.clip()` that does one of these. (It may clip weights, too.)"""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    inside = [facts.value(call.func).ref for call in calls if last_name(call.func) == "clip"]
    return (
        any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(node))
        or any(_GRADIENTS.search(last_name(call.func) or "") for call in calls)
        or any(isinstance(ref, Closure) and _touches(ref.node) for ref in inside)
    )


def _touches(function: ast.AST) -> bool:
    names = (last_name(n) or "" for n in ast.walk(function) if isinstance(n, ast.expr))
    return any(name == "grad" or name.startswith("clip_grad") for name in names)


def _company(block: Sequence[ast.stmt], at: int, facts: Facts) -> tuple[int, int]:
    """The statements around a step that belong to it: clipping before, schedules behind."""
    first = last = at
    while first and _called(block[first - 1]) in _WITH_STEP:
        first -= 1
    while last + 1 < len(block) and _is_follow_up(block[last + 1], facts):
        last += 1
    return first, last


def _called(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Expr(value=ast.Call(func=func)) | ast.Assign(value=ast.Call(func=func)):
            return last_name(func)
    return None


def _is_follow_up(statement: ast.stmt, facts: Facts) -> bool:
    from autofix.flow.roles import is_scheduler

    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="step"), args=[])):
            return is_scheduler(owner, facts)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="update"), args=[])):
            return "scaler" in (last_name(owner) or "").lower()
    return False
