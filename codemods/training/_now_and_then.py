"""A reset in every turn of a loop that makes a step in every n-th one only, to add up n losses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autofix.codemods.training._order import run_by
from autofix.flow.events import What
from autofix.flow.facts import Facts
from autofix.flow.turns import Placed, Turn
from autofix.flow.values import Graph
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.statements import insert_after, remove_statement

if TYPE_CHECKING:
    from autofix.codemods.training._problems import Problem


def reset_between(turn: Turn, step: Placed, facts: Facts) -> Placed | None:
    """The reset that throws away the gradients of all turns but the last before a step."""
    around = facts.index.parents.get(step.event.chain[-1])
    if not isinstance(around, ast.If) or step.event.chain[-1] not in around.body:
        return None
    who = step.event.who
    resets = [e for e in turn.of(What.ZERO) if turn.resets(e.event, who) is not False]
    if not resets or not resets[0].sure or not turn.resets(resets[0].event, who):
        return None
    if resets[0].loops or any(e.at < step.at or not _is_in(e, around) for e in resets[1:]):
        return None
    passes = turn.backwards(who)
    if not passes or not all(p.sure and resets[0].at < p.at < step.at for p in passes):
        return None
    # A network that is trained in each turn may have another one follow now and then.
    alone = any(_counts(around.test)) and all(one.event.who == who for one in turn.steps)
    return resets[0] if alone or adds_to_mean(turn, step, facts) else None


def adds_to_mean(turn: Turn, step: Placed, facts: Facts) -> bool:
    """Are the losses divided by as many as are to add up?"""
    around = facts.index.parents.get(step.event.chain[-1])
    assert isinstance(around, ast.If)
    counts = {ast.unparse(count) for count in _counts(around.test)}
    body = [one for one in getattr(turn.node, "body", ()) if isinstance(one, ast.stmt)]
    return any(_divides(part, counts, facts) for part in (turn.node, *run_by(body, facts)))


def _is_in(placed: Placed, branch: ast.If) -> bool:
    return placed.event.chain[-1] in branch.body


def _counts(test: ast.expr) -> Iterator[ast.expr]:
    """`n` of `(i + 1) % n == 0`, also where the last turn counts as well."""
    for node in ast.walk(test):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            yield node.right


def _divides(part: ast.AST, counts: set[str], facts: Facts) -> bool:
    """Is something with a graph divided by the count? (What is shown may be a mean as well.)"""
    for node in walk(part):
        match node:
            case ast.BinOp(left=whole, op=ast.Div(), right=count):
                pass
            case ast.AugAssign(target=ast.Name() as whole, op=ast.Div(), value=count):
                pass
            case _:
                continue
        if ast.unparse(count) in counts and facts.value(whole).graph > Graph.NO:
            return True
    return False


def reset_behind_step(problem: Problem, facts: Facts) -> tuple[Edit, ...] | str:
    """The edits that put the reset behind the step."""
    assert problem.reset is not None
    event, step = problem.reset.event, problem.step.event
    statement, made = event.chain[-1], step.chain[-1]
    if event.chain[:-1] != step.chain[:-1] or not isinstance(statement, ast.Expr):
        return "it does not stand where the step does"
    removed = remove_statement(facts, statement)
    if removed is None:
        return "it cannot be taken out of its line"
    turn, at = problem.turn, problem.step.at
    if any(e.at > at and turn.resets(e.event, step.who) for e in turn.of(What.ZERO)):
        return (removed,)
    return removed, insert_after(facts, made, facts.source.segment(statement))
