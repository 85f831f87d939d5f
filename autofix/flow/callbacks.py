"""Functions that are handed to code which is not seen, and may be called by it at any time."""

from __future__ import annotations

import ast
import functools

from autofix.flow.frame import Frame
from autofix.flow.functions import run_body
from autofix.flow.index import FunctionNode
from autofix.flow.objects import Closure
from autofix.flow.parameters import bind_parameters
from autofix.flow.program import DEPTH
from autofix.flow.state import State
from autofix.flow.values import Value
from autofix.flow.walk import walk


def escape(value: Value, frame: Frame) -> None:
    """A function is handed to code we cannot see, which will call it and use what it returns."""
    if isinstance(value.ref, Closure):
        _call_unseen(value.ref, frame, "returned to the caller of the function it is passed to")


def register(value: Value, frame: Frame) -> None:
    """A function is handed to code that may call it, sooner or later."""
    if not isinstance(value.ref, Closure) or not _reaches_out(value.ref.node):
        return
    if not isinstance(frame.index.parents.get(value.ref.node), ast.ClassDef):
        _call_unseen(value.ref, frame, None)


def _call_unseen(closure: Closure, frame: Frame, needed: str | None) -> None:
    program, function = frame.program, closure.node
    if program.skims or function in program.active or len(program.active) >= DEPTH:
        return
    if not frame.state.grad:
        return
    program.visited[function] = program.visited.get(function, 0) + 1
    program.reached.add(function)
    inner = Frame(program, State(frame.state.heap()), function, closure.scopes, needed=needed)
    given = [closure.bound_to] if closure.bound_to is not None else []
    active = program.active
    program.active = []
    bind_parameters(inner, function, given, {})
    program.active = active
    run_body(inner, closure)
    frame.state.absorb(inner.state)


@functools.lru_cache(maxsize=512)
def _reaches_out(function: FunctionNode) -> bool:
    """Does it store anything outside of itself, as far as its text tells?"""
    return any(
        isinstance(node, (ast.Global, ast.Nonlocal))
        or (isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Attribute) and node.attr in _FILLING)
        for node in walk(function)
    )


_FILLING = frozenset("append appendleft add extend insert update setdefault put".split())
