"""A reset inside of the loop of backward passes that one step behind the loop is for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.training._order import run_by
from autofix.flow.events import What
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import calls_in
from autofix.flow.turns import Placed, Turn
from autofix.flow.values import Graph
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.statements import insert_before, remove_statement

if TYPE_CHECKING:
    from autofix.codemods.training._problems import Problem


def reset_of_each(turn: Turn, step: Placed, facts: Facts) -> Placed | None:
    """The reset that throws away what all turns of a loop but the last bring, where the loop does
    nothing else with gradients, and every backward pass for the step is in it."""
    who = step.event.who
    resets = [e for e in turn.of(What.ZERO) if turn.resets(e.event, who) is not False]
    if len(resets) != 1 or not resets[0].loops or resets[0].at > step.at:
        return None
    reset = resets[0]
    loop, sure = reset.loops[-1], turn.resets(reset.event, who) and reset.sure
    if not sure or loop.once or reset.loops[:-1] != step.loops or not _goes_round(loop.node):
        return None
    inside = [e for e in turn.events if loop in e.loops]
    passes = turn.backwards(who)
    if not all(e.event.what in (What.ZERO, What.BACKWARD) and e.loops[-1] is loop for e in inside):
        return None
    if not passes or any(p not in inside for p in passes):
        return None
    between = [e for e in turn.events if inside[-1].at < e.at < step.at]
    if any(e.event.what != What.UNSEEN for e in between) or _looks_at_gradients(loop.node, facts):
        return None
    return reset


def _goes_round(loop: ast.AST | None) -> bool:
    """Is it run to its end? One that is left early may look for a pass that succeeds."""
    return isinstance(loop, ast.For) and not any(
        isinstance(n, (ast.Break, ast.Return, ast.Try)) for n in walk(loop)
    )


def _looks_at_gradients(loop: ast.AST | None, facts: Facts) -> bool:
    """Does it read them, or hand on what has them once they are there?"""
    assert isinstance(loop, ast.For)
    parts = [loop, *run_by([loop], facts)]
    if any(isinstance(n, ast.Attribute) and n.attr == "grad" for p in parts for n in walk(p)):
        return True
    used: set[str] = set()
    ran = False
    for statement in loop.body:
        named = {
            ast.unparse(n) for n in walk(statement) if isinstance(n, (ast.Name, ast.Attribute))
        }
        if ran and named & used:
            return True
        calls = list(calls_in(statement))
        used |= {ast.unparse(call.func) for call in calls}
        used |= {
            ast.unparse(n) for c in calls if last_name(c.func) == "zero_grad" for n in walk(c.func)
        }
        ran = ran or any(last_name(c.func) in ("backward", "manual_backward") for c in calls)
    return False


def in_loop_of_passes(problem: Problem) -> bool:
    """Does the reset stand in a loop of backward passes that the step is behind?"""
    assert problem.reset is not None
    around = [loop for loop in problem.reset.loops if loop not in problem.step.loops]
    return any(loop in one.loops for loop in around for one in problem.backwards)


def adds_up(problem: Problem, facts: Facts) -> bool:
    """Are the passes parts of one: the loss is divided by how often the loop goes round, or what
    it goes over is cut from what the turn got, or made of one graph?"""
    reset = problem.reset
    assert reset is not None
    loop = reset.loops[-1].node
    if not isinstance(loop, ast.For):
        return False
    if _over_parts(loop, problem, facts):
        return True
    count = _count(loop.iter)
    return count is not None and any(
        isinstance(n, (ast.BinOp, ast.AugAssign))
        and isinstance(n.op, ast.Div)
        and ast.unparse(n.right if isinstance(n, ast.BinOp) else n.value) in count
        for n in walk(loop)
    )


def _count(many: ast.expr) -> set[str] | None:
    match many:
        case ast.Call(func=ast.Name(id="range"), args=[count]):
            return {ast.unparse(count)}
        case ast.Call(func=ast.Name(id="enumerate" | "zip"), args=[inner, *_]):
            return _count(inner)
        case ast.Name() | ast.Attribute():
            return {f"len({ast.unparse(many)})"}
    return None


def _over_parts(loop: ast.For, problem: Problem, facts: Facts) -> bool:
    """`for part in batch.chunk(4)`, `for one in losses`"""
    many = loop.iter
    if isinstance(many, ast.Call) and isinstance(many.func, ast.Name) and many.args:
        many = many.args[0]
    if isinstance(many, ast.Call) and isinstance(many.func, ast.Attribute):
        return many.func.attr in ("chunk", "split") and facts.value(many.func.value).is_tensor
    value = facts.value(many)
    parts = [*(value.items or ()), *([value.elem] if value.elem is not None else [])]
    return bool(parts) and all(part.graph == Graph.YES for part in parts)


def reset_once(problem: Problem, facts: Facts) -> tuple[Edit, ...] | str:
    """The edits that put the reset before the loop."""
    assert problem.reset is not None
    event, loop = problem.reset.event, problem.reset.loops[-1].node
    statement = event.chain[-1]
    assert isinstance(loop, ast.For) and event.receiver is not None
    if statement not in loop.body or not isinstance(statement, ast.Expr):
        return "it stands in a function that is called for each of them"
    stored = {n.id for n in walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    if any(isinstance(n, ast.Name) and n.id in stored for n in walk(statement)):
        return "the loop binds what it resets"
    removed = remove_statement(facts, statement)
    if removed is None:
        return "it cannot be taken out of its line"
    return removed, insert_before(facts, loop, facts.source.segment(statement))


def takes_another(turn: Turn, step: Placed) -> bool:
    """`for i, model in enumerate(models): ...; optimizers[i].step()`: every turn steps an optimizer
    of its own."""
    loop, optimizer = turn.node, step.event.receiver
    if not isinstance(loop, (ast.For, ast.AsyncFor)) or optimizer is None:
        return False
    varied = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    match optimizer:
        case ast.Name(id=name):
            return name in varied
        case ast.Subscript(slice=at):
            return any(isinstance(n, ast.Name) and n.id in varied for n in ast.walk(at))
    return False
