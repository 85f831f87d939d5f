"""Rounds of training in which several optimizers take turns: some steps of a critic, then one of a
generator."""

from __future__ import annotations

from autofix.codemods.training._problems import Problem, roots
from autofix.flow.events import Event, What
from autofix.flow.facts import Facts
from autofix.flow.handles import any_related
from autofix.flow.turns import Turn, turns


def is_one_of_a_round(problem: Problem, facts: Facts) -> bool:
    """Are the turns an inner loop of steps in a round that resets and steps another optimizer, too?
    A reset before such a loop is meant for each of its steps, and no sum is."""
    inner = problem.turn.node
    around = [node for node in facts.index.ancestors(inner) if node is not inner]
    for root in roots(facts):
        for turn in turns(facts, root):
            if turn.node in around and turn.repeated and _resets(turn, problem):
                return any(_is_beside(one.event, turn, problem) for one in turn.steps)
    return False


def _resets(turn: Turn, problem: Problem) -> bool:
    who = problem.step.event.who
    return any(any_related(one.event.who, who) for one in turn.of(What.ZERO) if not one.loops)


def _is_beside(step: Event, turn: Turn, problem: Problem) -> bool:
    """Is another optimizer reset and stepped in every turn of the round, behind the inner loop?"""
    if any_related(step.who, problem.step.event.who):
        return False
    resets = [one for one in turn.of(What.ZERO) if any_related(one.event.who, step.who)]
    return any(not one.loops for one in resets)
