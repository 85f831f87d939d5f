"""What each kind of statement does to the state."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from autofix.flow import shapes
from autofix.flow.access import iterate
from autofix.flow.annotations import annotated
from autofix.flow.arithmetic import operate
from autofix.flow.frame import Frame, statement
from autofix.flow.functions import call_closure
from autofix.flow.imported import import_module, import_names, unresolved
from autofix.flow.index import is_main_guard
from autofix.flow.modes import mode_of
from autofix.flow.narrowing import narrow, remember
from autofix.flow.objects import ClassInfo, Closure, setter_of
from autofix.flow.saved import next_element
from autofix.flow.state import RETURNED, merge, settled
from autofix.flow.stores import assign
from autofix.flow.values import NONE, OTHER, UNKNOWN, Graph, Kind, Value, Why
from autofix.flow.writes import overwrite

TURNS = 3
"""How often a loop's body is interpreted at most; the lattice is low."""


@statement(ast.Assign)
def _assign(node: ast.Assign, frame: Frame) -> None:
    if len(node.targets) == 1 and _swap(node.targets[0], node.value, frame):
        return
    value = frame.eval(node.value)
    if len(node.targets) == 1 and isinstance(node.targets[0], ast.Tuple):
        value = _sizes_tell_rank(node.targets[0], node.value, value, frame)
    for target in node.targets:
        assign(target, value, frame)
        remember(target, node.value, frame)


def _sizes_tell_rank(target: ast.Tuple, node: ast.expr, value: Value, frame: Frame) -> Value:
    """`b, n, d = x.shape` says that x has three dimensions."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr="shape"):
            pass
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="size"), args=[]):
            pass
        case _:
            return value
    owner = frame.state.bound.get(name)
    exact = not any(isinstance(e, ast.Starred) for e in target.elts)
    if owner is None or not owner.is_tensor or not exact:
        return value
    if owner.shape is not None and (None not in owner.shape or owner.rank != len(target.elts)):
        return value
    known = owner.but(
        shape=tuple(shapes.as_dim(shapes.size(owner, i)) for i in range(len(target.elts)))
    )
    frame.bind(name, known)
    return shapes.sizes(known)


def _swap(target: ast.expr, value: ast.expr, frame: Frame) -> bool:
    """`a, b = x, y`: element by element, all evaluated first."""
    if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)):
        return False
    if len(target.elts) != len(value.elts):
        return False
    if any(isinstance(e, ast.Starred) for e in (*target.elts, *value.elts)):
        return False
    values = [frame.eval(e) for e in value.elts]
    for element, one in zip(target.elts, values, strict=True):
        assign(element, one, frame)
    return True


@statement(ast.AnnAssign)
def _ann_assign(node: ast.AnnAssign, frame: Frame) -> None:
    if node.value is None:
        return
    value = frame.eval(node.value)
    if value.kind == Kind.UNKNOWN:
        value = annotated(node.annotation, frame) or value
        if value.is_tensor:  # a field: a leaf of its own rather than data handed in
            why = Why("declared as a tensor", node.lineno)
            value = value.but(computed=True, why=why)
    assign(node.target, value, frame)


@statement(ast.AugAssign)
def _aug_assign(node: ast.AugAssign, frame: Frame) -> None:
    old = frame.eval(node.target)
    right = frame.eval(node.value)
    if old.kind == Kind.SEQUENCE and isinstance(node.op, ast.Add) and old.aliases:
        frame.program.cuts.carried.grow(old.aliases, frame.program.cuts.loops)
        frame.state.store(old, operate(node, old, right, node.op, frame))
        return
    new = operate(node, old, right, node.op, frame)
    if old.is_tensor and new.is_tensor:
        frame.program.cuts.memory.written(old, new)
        if not _is_element(node.target, frame) and not isinstance(node.op, ast.MatMult):
            overwrite(node.target, old, frame)
        if old.graph > Graph.NO and (old.leaf or not frame.state.grad):
            new = old  # changed (or an error), but what it is to autograd stays
        spoiled = frame.program.writes.spoiled(old.storage)
        new = new.but(
            storage=old.storage,
            shape=old.shape,
            shape_id=old.shape_id,
            dtype=old.dtype,
            cuts=new.cuts | spoiled,
        )
        if isinstance(node.target, ast.Name):
            frame.state.mutate(old, new)
    assign(node.target, new, frame)


def _is_element(target: ast.expr, frame: Frame) -> bool:
    """`x[0]` of a tensor, not of a list of tensors: the tensor that it is part of is written."""
    return isinstance(target, ast.Subscript) and frame.eval(target.value).may_be_tensor


@statement(ast.FunctionDef, ast.AsyncFunctionDef)
def _function(node: ast.FunctionDef, frame: Frame) -> None:
    for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
        frame.eval(default)
    closure = Closure(node, (frame, *frame.scopes))
    frame.program.closures[node] = closure
    made = Value(Kind.FUNCTION, ref=closure)
    _decorate(node.decorator_list, made, frame)
    frame.bind(setter_of(node) or node.name, made)


def _decorate(decorators: Sequence[ast.expr], made: Value, frame: Frame) -> None:
    """What is decorated is taken for the thing itself, as most decorators only wrap it. They are
    called for what else they do: `@register("name")` puts it into a table."""
    for decorator in decorators:
        value = frame.eval(decorator)
        if isinstance(value.ref, Closure):
            call_closure(value.ref, [made], {}, decorator, frame)


@statement(ast.ClassDef)
def _class(node: ast.ClassDef, frame: Frame) -> None:
    bases = tuple(_base(base, frame) for base in node.bases)
    info = frame.program.classes.get(node)
    if info is None or info.scopes != (frame, *frame.scopes):
        info = ClassInfo(node, bases, (frame, *frame.scopes))
        frame.program.classes[node] = info
    inner = Frame(frame.program, frame.state.entered(), None, info.scopes)
    inner.run(node.body)
    for key, value in inner.state.bound.items():
        if isinstance(key, str):
            if isinstance(value.ref, Closure) and value.ref.owner is None:
                value.ref.owner = info
                value.ref.scopes = info.scopes
            info.body[key] = value
    made = Value(Kind.CLASS, ref=info)
    _decorate(node.decorator_list, made, frame)
    frame.bind(node.name, made)


def _base(node: ast.expr, frame: Frame) -> Value:
    """A base class; one of another file is looked up when something depends on it."""
    value = unresolved(node, frame)
    if isinstance(node, ast.Subscript) and value.ref is None:  # `Generic[T]`, `Base[int]`
        generic = unresolved(node.value, frame)
        value = generic if isinstance(generic.ref, ClassInfo | str) else value
    frame.program.record(node, value)
    return value


@statement(ast.Return)
def _return(node: ast.Return, frame: Frame) -> None:
    value = NONE if node.value is None else frame.eval(node.value)
    if frame.needed is not None:
        frame.program.cuts.need(value, frame.needed, node.lineno)
    frame.returned.append(value)
    left = frame.state.fork()
    left.bound[RETURNED] = value
    frame.left_at.append(left)
    frame.state.dead = True


@statement(ast.Expr)
def _expr(node: ast.Expr, frame: Frame) -> None:
    frame.eval(node.value)


@statement(ast.Delete)
def _delete(node: ast.Delete, frame: Frame) -> None:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.state.bound.pop(target.id, None)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            frame.program.cuts.carried.empty(frame.eval(target.value).aliases)


@statement(ast.Import)
def _import(node: ast.Import, frame: Frame) -> None:
    import_module(node, frame)


@statement(ast.ImportFrom)
def _import_from(node: ast.ImportFrom, frame: Frame) -> None:
    import_names(node, frame)


@statement(ast.Global)
def _global(node: ast.Global, frame: Frame) -> None:
    frame.global_names.update(node.names)


@statement(ast.Nonlocal, ast.Pass)
def _nothing(node: ast.stmt, frame: Frame) -> None:
    pass


@statement(ast.Raise)
def _raise(node: ast.Raise, frame: Frame) -> None:
    if node.exc is not None:
        frame.eval(node.exc)
    frame.state.dead = True


@statement(ast.Assert)
def _assert(node: ast.Assert, frame: Frame) -> None:
    frame.eval(node.test)
    narrow(node.test, True, frame)


@statement(ast.Break, ast.Continue)
def _leave(node: ast.Break | ast.Continue, frame: Frame) -> None:
    if frame.exits:
        frame.exits[-1].append(frame.state.fork())
    frame.state.dead = True


@statement(ast.If)
def _if(node: ast.If, frame: Frame) -> None:
    frame.eval(node.test)
    literal = node.test.value if isinstance(node.test, ast.Constant) else None
    other = frame.state.fork()
    unreached = is_main_guard(node) and not frame.index.trains
    if unreached or literal is False or narrow(node.test, True, frame) is None:
        frame.state.dead = True
    frame.run(node.body)
    after_body = frame.state
    frame.state = other
    if literal is True or narrow(node.test, False, frame) is None:
        frame.state.dead = True
    frame.run(node.orelse)
    frame.state = merge(after_body, frame.state)


@statement(ast.For, ast.AsyncFor)
def _for(node: ast.For, frame: Frame) -> None:
    iterable = frame.eval(node.iter)
    frame.program.record_before(node, frame.state.bound)
    before = frame.state.fork()

    def turn() -> None:
        element = iterate(iterable, frame, node.iter)
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
    for item in node.items:
        value = frame.eval(item.context_expr)
        mode = mode_of(item.context_expr, value, frame)
        if mode is not None:
            frame.state.grad = mode
        if item.optional_vars is not None:
            assign(item.optional_vars, value if value.kind & Kind.OBJECT else UNKNOWN, frame)
    for inner in node.body:
        if grad and not frame.state.grad:
            frame.state.off = inner
        frame.run([inner])
    frame.state.grad, frame.state.off = grad, off


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
            frame.bind(handler.name, OTHER)
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


if hasattr(ast, "TypeAlias"):
    statement(ast.TypeAlias)(_nothing)
