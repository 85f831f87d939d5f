"""The edits that take a reset from between the backward pass and the step."""

from __future__ import annotations

import ast

from autofix.codemods.training._places import first_backward, holds, is_bound, shared_calls
from autofix.codemods.training._problems import Problem
from autofix.flow.events import Event, What
from autofix.flow.facts import Facts
from autofix.model import Edit
from autofix.rewrite.statements import insert_after, insert_before, lines_of, remove_statement


def moved_reset(problem: Problem, facts: Facts) -> tuple[Edit, ...] | str:
    """The edits that take a reset from between the backward pass and the step."""
    assert problem.reset is not None
    reset, step = problem.reset.event, problem.step.event
    level = shared_calls(reset, step)
    statement = reset.chain[level]
    if not _does_only(statement, reset, level, problem):
        return "it is part of another statement"
    if not _does_no_more(statement, level, problem, facts):
        return "the function that it stands in does other things, too"
    statement = _of_each(statement, step, facts)
    if _is_left(statement, problem, level, facts):
        return "a loop around it binds what it resets"
    lines = None if _is_only(statement, facts) else lines_of(facts, [statement], above=False)
    removed = Edit(*lines, "") if lines else _removed(statement, facts)
    if removed is None:
        return "it cannot be taken out of its line"
    earlier = [
        e
        for e in problem.turn.of(What.ZERO)
        if e.at < problem.backwards[0].at and problem.turn.resets(e.event, step.who)
    ]
    if any(e.sure for e in earlier):
        return (removed,)
    anchor = first_backward(problem, facts, level)
    if anchor is not None and not is_bound(statement, anchor, step, facts):
        anchor = None
    place = anchor or _of_each(step.chain[level], reset, facts)
    if statement.end_lineno != statement.lineno and not (lines and _is_level(statement, place)):
        return "it stands deeper or less deep than the place where it belongs"
    code = facts.source.segment(statement)
    if lines and lines_of(facts, [place], above=False):
        # Its comment goes with it.
        start = facts.source.span(statement)[0]
        code = facts.source.text[start : lines[1]].rstrip("\r\n")
    put = insert_before if anchor is not None else insert_after
    return (removed, put(facts, place, code))


def _of_each(statement: ast.stmt, other: Event, facts: Facts) -> ast.stmt:
    """`for opt in optimizers: opt.zero_grad()` as a whole, where the other event is not in it."""
    around = facts.index.parents.get(statement)
    alone = isinstance(around, ast.For) and around.body == [statement] and not around.orelse
    if alone and isinstance(around, ast.For) and not holds(around, other, facts):
        return around
    return statement


def _is_left(statement: ast.stmt, problem: Problem, level: int, facts: Facts) -> bool:
    """Is a name in it bound by a loop that it stands in, and that it has to leave?"""
    step = problem.step.event.chain[level]
    staying = {id(one) for one in facts.index.ancestors(step)}
    loops = [one for one in facts.index.loops_around(statement) if id(one) not in staying]
    named = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    return any(
        isinstance(n, ast.Name) and n.id in named and isinstance(n.ctx, ast.Store)
        for loop in loops
        for n in ast.walk(loop)
        if statement is not loop
    )


def _is_level(statement: ast.stmt, place: ast.stmt) -> bool:
    return statement.col_offset == place.col_offset


def _does_only(statement: ast.stmt, event: Event, level: int, problem: Problem) -> bool:
    """Is a statement nothing but an event, perhaps by way of a function?"""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    if level == len(event.chain) - 1:
        return statement.value is event.node
    led = [e.event for e in problem.turn.events if statement in e.event.chain]
    return all(one.what == event.what for one in led)


def _does_no_more(statement: ast.stmt, level: int, problem: Problem, facts: Facts) -> bool:
    """Is there nothing else in the function that a statement runs?"""
    index = facts.index
    led = [e.event.chain for e in problem.turn.events if statement in e.event.chain]
    known = {one for chain in led for one in chain[level + 1 :]}
    around = {owner for one in known for owner in index.ancestors(one)}
    return all(
        one in known or one in around or _is_idle(one)
        for function in {index.function_of(one) for one in known}
        if function is not None
        for one in ast.walk(function)
        if isinstance(one, ast.stmt)
    )


def _is_idle(statement: ast.stmt) -> bool:
    """A docstring, `pass`, `return`."""
    if isinstance(statement, ast.Return):
        return statement.value is None
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, ast.Pass)


def _is_only(statement: ast.stmt, facts: Facts) -> bool:
    return len(facts.index.block_of(statement)) == 1


def _removed(statement: ast.stmt, facts: Facts) -> Edit | None:
    """The statement out of its line: `a; statement; b` becomes `a; b`."""
    block = facts.index.block_of(statement)
    at = block.index(statement)
    start, end = facts.source.span(statement)
    if at + 1 < len(block) and block[at + 1].lineno == statement.end_lineno:
        return Edit(start, facts.source.span(block[at + 1])[0], "")
    if at and block[at - 1].end_lineno == statement.lineno:
        return Edit(facts.source.span(block[at - 1])[1], end, "")
    return remove_statement(facts, statement)
