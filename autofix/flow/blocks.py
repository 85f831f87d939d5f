"""What statements with a block do to the state: branches, loops, `with`, `try` and `match`."""

from __future__ import annotations

import ast
from collections.abc import Callable

from autofix.flow.access import iterate
from autofix.flow.batches import as_data
from autofix.flow.frame import Frame, statement
from autofix.flow.index import is_main_guard
from autofix.flow.instances import call_special
from autofix.flow.modes import mode_of
from autofix.flow.narrowing import narrow
from autofix.flow.saved import next_element
from autofix.flow.state import merge, settled
from autofix.flow.stores import assign
from autofix.flow.values import NONE, UNKNOWN, UNSEEN, Kind, Value

TURNS = 3
"""How often a loop's body is interpreted at most; the lattice is low."""


@statement(ast.If)
def _if(node: ast.If, frame: Frame) -> None:
    frame.eval(node.test)
    literal = node.test.value if isinstance(node.test, ast.Constant) else None
    other = frame.state.fork()
    unreached = is_main_guard(node) and not (frame.index.trains or _starts(frame))
    if unreached or literal is False or narrow(node.test, True, frame) is None:
        frame.state.dead = True
    frame.run(node.body)
    after_body = frame.state
    frame.state = other
    if literal is True or narrow(node.test, False, frame) is None:
        frame.state.dead = True
    frame.run(node.orelse)
    frame.state = merge(after_body, frame.state)


def _starts(frame: Frame) -> bool:
    return frame.own_module is not None and frame.own_module.starts


@statement(ast.For, ast.AsyncFor)
def _for(node: ast.For, frame: Frame) -> None:
    iterable = frame.eval(node.iter)
    frame.program.record_before(node, frame.state.bound)
    before = frame.state.fork()

    def turn() -> None:
        element = as_data(iterate(iterable, frame, node.iter), node)
        if not iterable.is_tensor:
            next_element(element, node, frame)
        assign(node.target, element, frame)
        frame.run(node.body)

    _turns(node, frame, turn)
    if iterable.items == ():
        frame.state = merge(before, frame.state)
    frame.run(node.orelse)


@statement(ast.While)
def _while(node: ast.While, frame: Frame) -> None:
    frame.program.record_before(node, frame.state.bound)
    before = frame.state.fork()

    def turn() -> None:
        frame.eval(node.test)
        narrow(node.test, True, frame)
        frame.run(node.body)

    _turns(node, frame, turn)
    if not (isinstance(node.test, ast.Constant) and node.test.value):
        frame.state = merge(before, frame.state)
    frame.run(node.orelse)


def _turns(node: ast.stmt, frame: Frame, turn: Callable[[], None]) -> None:
    """Interpret a loop's body until nothing new is learned. A loop is taken to run at least once:
    code whose loops never run computes nothing that could be repaired."""
    frame.exits.append([])
    frame.program.cuts.loops.append(node)
    frame.program.cuts.turns.append(0)
    frame.program.cuts.carried.start(node)
    after = frame.state
    for _ in range(TURNS):
        frame.program.cuts.turns[-1] += 1
        before = frame.state
        frame.state = before.fork()
        turn()
        for left in frame.exits[-1]:
            frame.state = merge(frame.state, left.revived())
        frame.exits[-1].clear()
        after = frame.state
        if after.dead:
            break
        if settled(before, after, frame.program.cuts.turns[-1] == 1):
            break
        frame.state = merge(before, after)
    frame.program.cuts.loops.pop()
    frame.program.cuts.turns.pop()
    frame.exits.pop()
    frame.state = after


@statement(ast.With, ast.AsyncWith)
def _with(node: ast.With, frame: Frame) -> None:
    grad, off = frame.state.grad, frame.state.off
    managers = []
    for item in node.items:
        value = frame.eval(item.context_expr)
        managers.append(value)
        mode = mode_of(item.context_expr, value, frame)
        if mode is not None:
            frame.state.grad = mode
        if item.optional_vars is not None:
            assign(item.optional_vars, _entered(value, item.context_expr, frame), frame)
    for inner in node.body:
        if grad and not frame.state.grad:
            frame.state.off = inner
        frame.run([inner])
    frame.state.grad, frame.state.off = grad, off
    for item, manager in zip(node.items, managers, strict=True):
        call_special(manager, "__exit__", [NONE] * 3, item.context_expr, frame)


def _entered(manager: Value, node: ast.expr, frame: Frame) -> Value:
    """What `with manager as name:` binds."""
    if manager.kind == Kind.SEQUENCE:  # a generator, made a context manager by its decorator
        return iterate(manager, frame, node)
    entered = call_special(manager, "__enter__", [], node, frame)
    if entered is not None:
        return entered
    return manager if manager.kind & Kind.OBJECT else UNKNOWN


@statement(ast.Try, *([ast.TryStar] if hasattr(ast, "TryStar") else []))
def _try(node: ast.Try, frame: Frame) -> None:
    before = frame.state.fork()
    frame.run(node.body)
    after_body = frame.state
    thrown = merge(before, after_body.revived())
    frame.run(node.orelse)
    result = frame.state
    for handler in node.handlers:
        frame.state = thrown.fork()
        if handler.name:
            frame.bind(handler.name, Value(Kind.UNKNOWN, cuts=UNSEEN))
        frame.run(handler.body)
        result = merge(result, frame.state)
    frame.state = result
    if node.finalbody:
        dead, frame.state.dead = frame.state.dead, False
        frame.run(node.finalbody)
        frame.state.dead = frame.state.dead or dead


@statement(ast.Match)
def _match(node: ast.Match, frame: Frame) -> None:
    frame.eval(node.subject)
    before = frame.state
    result = before.fork()
    for case in node.cases:
        frame.state = before.fork()
        for name in ast.walk(case.pattern):
            if isinstance(name, (ast.MatchAs, ast.MatchStar)) and name.name:
                frame.bind(name.name, UNKNOWN)
        frame.run(case.body)
        result = merge(result, frame.state)
    frame.state = result
