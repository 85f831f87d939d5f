"""Steps and backward passes that are run by a loop over a list of functions."""

from __future__ import annotations

import ast

from autofix.codemods.training._problems import Problem
from autofix.flow.events import Event
from autofix.flow.facts import Facts
from autofix.flow.stages import Stage, stages_in
from autofix.model import Edit


def moved_stage(problem: Problem, facts: Facts) -> tuple[Edit, ...] | None:
    """The edits that put the function with the step behind that with the backward pass in their
    list; None if they do not come from one."""
    backward = problem.backwards[-1].event
    for loop, stages in stages_in(facts).items():
        first = _stage_of(problem.step.event, loop, stages, facts)
        last = _stage_of(backward, loop, stages, facts)
        if first is None or last is None or not stages.index(first) < stages.index(last):
            continue
        if not all(isinstance(s, ast.Expr) for s in first.function.body):  # type: ignore[union-attr]
            return None
        between = stages[stages.index(first) : stages.index(last) + 1]
        places = [facts.source.span(stage.element) for stage in between]
        order = [*between[1:], first]
        texts = [facts.source.segment(stage.element) for stage in order]
        return tuple(Edit(*place, text) for place, text in zip(places, texts, strict=True))
    return None


def _stage_of(event: Event, loop: ast.For, stages: list[Stage], facts: Facts) -> Stage | None:
    """The function of the loop by which the event comes about."""
    for call, inside in zip(event.chain, event.chain[1:], strict=False):
        if loop in facts.index.ancestors(call):
            function = facts.index.function_of(inside)
            return next((stage for stage in stages if stage.function is function), None)
    return None
