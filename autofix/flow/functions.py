"""Functions of the analysed file: called with what they are called with."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from autofix.flow.decorators import is_replaced
from autofix.flow.exposed import doubted, hand_out
from autofix.flow.frame import Frame, all_cuts
from autofix.flow.index import FunctionNode, Index, has_decorator, last_name
from autofix.flow.joins import join, join_all, sequence
from autofix.flow.modes import mode_of
from autofix.flow.objects import ClassInfo, Closure, Instance, instance_value
from autofix.flow.parameters import bind_parameters
from autofix.flow.placeholders import unsettle
from autofix.flow.program import ABROAD, CONTEXTS, DEPTH, INLINED, Program
from autofix.flow.state import State, merge, saved_outside
from autofix.flow.unit import is_foreign
from autofix.flow.values import EMPTY, NONE, UNKNOWN, Graph, Kind, Value, fresh
from autofix.flow.walk import walk
from autofix.flow.writes import memory_in


def call_closure(
    closure: Closure,
    values: Sequence[Value],
    keywords: Mapping[str, Value],
    node: ast.AST,
    frame: Frame,
) -> Value:
    """The value of a call, by interpreting the body with these arguments."""
    program, function = frame.program, closure.node
    given = [*closure.first, *values]
    keywords = {**closure.named, **keywords}
    if closure.bound_to is not None and not has_decorator(function, "staticmethod"):
        given.insert(0, closure.bound_to)
    if not _may_enter(program, function):
        answer = program.answers.get(function)
        if answer is not None and frame.state.grad and _is_data(answer):
            return answer
        return _opaque(given, keywords, getattr(function, "name", None), frame)
    if function in program.active:  # a call inside a call of it stands for all that are
        given = [value.but(const=None) for value in given]
        keywords = {name: value.but(const=None) for name, value in keywords.items()}
    key = _memo_key(closure, given, keywords, frame)
    if key in program.memo:
        known = program.memo[key]
        if known.kind == Kind.OPTIMIZER:
            program.renewed.update(program.cuts.loops)
        handed = EMPTY.union(*(all_cuts(v) for v in (*given, *keywords.values())))
        program.cuts.again((all_cuts(known) | _cuts_in_object(known, frame)) - handed)
        program.writes.again(*program.writes_of[key], memory_in(known), program.cuts)
        return known
    program.called.add(function)
    if frame.state.grad:
        program.reached.add(function)
    inner = Frame(program, frame.state.entered(), function, closure.scopes)
    began, logged = fresh(), len(program.writes.log)
    bind_parameters(inner, function, given, keywords, called=True)
    program.callers.append(frame)
    program.calls.append(node)
    with _where(program, is_foreign(function)):
        result = run_body(inner, closure)
    result = doubted(result) if is_replaced(function, program) else result
    program.calls.pop()
    program.callers.pop()
    frame.state.saved, frame.state.broken = inner.state.saved, inner.state.broken
    switched = _leaves_mode(inner, closure, frame)
    kept = _copy_back(inner.state, frame.state) and not (inner.global_names or inner.outer_names)
    if kept and not switched:
        program.memo[key] = result
        program.writes_of[key] = (began, program.writes.log[logged:])
    program.answers[function] = join(program.answers.get(function, result), result)
    return result


def _cuts_in_object(value: Value, frame: Frame) -> frozenset[int]:
    if not isinstance(value.ref, Instance):
        return EMPTY
    mine = value.ref.identity
    held = (v for k, v in frame.state.bound.items() if isinstance(k, tuple) and k[0] == mine)
    return EMPTY.union(*map(all_cuts, held))


def _leaves_mode(inner: Frame, closure: Closure, frame: Frame) -> bool:
    """`torch.set_grad_enabled(False)` as a statement holds beyond the function. True if it does."""
    before, after = frame.state, inner.state
    if after.grad == before.grad or getattr(closure.node, "decorator_list", None):
        return False
    if not after.grad:
        stated = after.off is not None and inner.index.parents.get(after.off)
        if not isinstance(stated, ast.Expr):
            return False  # a condition told so
    elif not _states_mode(closure.node):
        return False  # it returns out of `with torch.enable_grad():`
    before.grad, before.off = after.grad, after.off
    return True


def _states_mode(function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and last_name(node.value.func) == "set_grad_enabled"
        for node in walk(function)
    )


def _is_data(value: Value) -> bool:
    """A tensor or a tuple of them, none with a graph or cut from one: after two dozen calls that
    gave this, the next gives it too."""
    if value.items is not None:
        return all(_is_data(item) for item in value.items)
    return value.kind == Kind.TENSOR and value.graph == Graph.NO and not value.cuts


def _may_enter(program: Program, function: FunctionNode) -> bool:
    if program.skims or len(program.active) >= DEPTH or program.active.count(function) > 1:
        return False
    program.visited[function] = program.visited.get(function, 0) + 1
    if is_foreign(function) and program.spent_abroad >= ABROAD:
        return False
    if program.visited[function] > CONTEXTS and not _switches(function):
        return False
    return program.spent_here < INLINED * program.share


@functools.lru_cache(maxsize=512)
def _switches(function: FunctionNode) -> bool:
    """Does it say which parameters require grad? What it did before is no answer then."""
    nodes = walk(function)
    return any(isinstance(n, ast.Attribute) and n.attr.startswith("requires_grad") for n in nodes)


def _where(program: Program, foreign: bool) -> AbstractContextManager[None]:
    return program.abroad() if foreign else nullcontext()


def index_of(function: FunctionNode, frame: Frame) -> Index:
    """The syntax of the file that a function is in."""
    closure = frame.program.closures.get(function)
    return closure.scopes[-1].index if closure is not None else frame.index


def _opaque(
    given: Sequence[Value], keywords: Mapping[str, Value], name: str | None, frame: Frame
) -> Value:
    values = [*given, *keywords.values()]
    hand_out(values, name, frame)
    cuts = frozenset().union(*map(all_cuts, values))
    return Value(Kind.UNKNOWN, Graph.MAYBE if frame.state.grad else Graph.NO, cuts=cuts)


def _memo_key(
    closure: Closure, given: Sequence[Value], keywords: Mapping[str, Value], frame: Frame
) -> tuple[object, ...]:
    """Values and scopes stand for themselves in it, and so live as long as it does."""
    bound = frame.state.bound
    objects = {v.ref.identity for v in given if isinstance(v.ref, Instance)}
    attributes = tuple(
        frame.state.look(value)
        for key, value in bound.items()
        if isinstance(key, tuple) and key[0] in objects
    )
    return (
        closure.node,
        frame.state.grad,
        frame.state.off,
        frame.program.switched,
        tuple(v.key() for v in given),
        tuple((k, v.key()) for k, v in keywords.items()),
        attributes,
        closure.scopes[0] if closure.scopes else None,
    )


def _copy_back(inner: State, outer: State) -> bool:
    """What the callee did to objects that outlive it. True if it changed none."""
    unchanged = True
    for key, value in inner.bound.items():
        if isinstance(key, str):
            continue
        if key in outer.bound and outer.bound[key] is not value:
            unchanged = False
        outer.bound[key] = value
    return unchanged


def run_body(inner: Frame, closure: Closure) -> Value:
    """Interpret the body; the result is joined over every `return`, or over what is yielded."""
    program, function = inner.program, closure.node
    program.active.append(function)
    try:
        if isinstance(function, ast.Lambda):
            value = inner.eval(function.body)
            inner.give(value, function.lineno)
            return value
        for decorator in function.decorator_list:
            mode = mode_of(decorator, program.values.get(decorator, UNKNOWN), inner)
            if mode is not None:
                inner.state.off = decorator if inner.state.grad else inner.state.off
                inner.state.grad = mode
        if closure.owner is not None and closure.owner.is_autograd_function:
            inner.state.grad = False
        inner.run(function.body)
        _join_exits(inner)
    finally:
        program.active.pop()
    if inner.yielded:
        return sequence(None, join_all(inner.yielded))
    return join_all(inner.returned) or NONE


def _join_exits(inner: Frame) -> None:
    state = inner.state
    for left in inner.left_at:
        state = merge(state, left) if not state.dead else left
    if inner.left_at and not inner.yielded:
        ways = inner.left_at if inner.state.dead else [*inner.left_at, inner.state]
        callers = inner.program.callers[-1:]
        state.saved = saved_outside(ways, callers[0].state if callers else State())
    inner.state = state


def enter(
    function: FunctionNode,
    program: Program,
    owner: ClassInfo | None = None,
    needed: str | None = None,
    grad: bool = True,
    supposed: bool = False,
) -> Value:
    """Interpret a function as the world outside would call it."""
    if function in program.active or len(program.active) >= DEPTH:
        return UNKNOWN
    closure = program.closures.get(function)
    scopes = closure.scopes if closure is not None else (program.module,)
    parent = scopes[-1].index.parents.get(function)
    if owner is None and isinstance(parent, ast.ClassDef):
        owner = program.classes.get(parent)
    if program.finished and scopes and scopes[0] is program.module:
        heap = dict(program.module_heap)
    else:
        heap = scopes[0].state.heap() if scopes else {}
    unsettle(heap, program)
    outside = program.module.state
    state = State(heap, grad and outside.grad, off=outside.off, saved=outside.saved)
    frame = Frame(program, state, function, scopes, needed=needed, supposed=supposed)
    given: list[Value] = []
    instance: Instance | None = None
    if owner is not None and not has_decorator(function, "staticmethod"):
        instance = Instance(owner)
        is_class = has_decorator(function, "classmethod")
        given = [Value(Kind.CLASS, ref=owner) if is_class else instance_value(instance)]
    bind_parameters(frame, function, given, {})
    with _where(program, is_foreign(function)):
        result = run_body(frame, Closure(function, scopes, owner))
    if instance is not None and not program.skims:
        settle(instance, frame.state)
    return result


def settle(instance: Instance, state: State) -> None:
    """After a method ran: the class's table learns what its lists and dicts hold by now."""
    for name in list(instance.info.table):
        value = state.bound.get((instance.identity, name))
        if value is not None and value.aliases:
            instance.info.note(name, state.look(value))
