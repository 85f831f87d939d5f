"""What each simple statement, and each definition, does to the state."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from autofix.flow import shapes
from autofix.flow.annotations import annotated
from autofix.flow.arithmetic import operate
from autofix.flow.callbacks import register
from autofix.flow.decorators import is_unseen
from autofix.flow.frame import Frame, statement
from autofix.flow.functions import call_closure
from autofix.flow.imported import import_module, import_names, unresolved
from autofix.flow.joins import sequence
from autofix.flow.mappings import updated
from autofix.flow.narrowing import narrow, remember
from autofix.flow.objects import ClassInfo, Closure, setter_of
from autofix.flow.state import RETURNED
from autofix.flow.stores import assign, replace_contents
from autofix.flow.values import EMPTY, NONE, Graph, Kind, Value, Why
from autofix.flow.writes import overwrite


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
    if old.kind == Kind.DICT and isinstance(node.op, ast.BitOr) and old.aliases:
        frame.state.store(old, updated(old, right))
        return
    new = operate(node, old, right, node.op, frame)
    if old.is_tensor and new.is_tensor:
        frame.program.cuts.memory.written(old, new)
        if not _is_element(node.target, frame) and not isinstance(node.op, ast.MatMult):
            overwrite(node.target, old, frame)
        stays = old.graph > Graph.NO and (old.leaf or not frame.state.grad)
        if stays:
            new = old  # changed (or an error), but what it is to autograd stays
        spoiled = frame.program.writes.spoiled(old.storage) if old.graph > Graph.NO else EMPTY
        new = new.but(
            storage=old.storage,
            shape=old.shape,
            shape_id=old.shape_id,
            dtype=old.dtype,
            cuts=new.cuts | spoiled,
        )
        if isinstance(node.target, ast.Name) and not stays:
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
        elif is_unseen(decorator, frame.program):
            register(made, frame)


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
    frame.give(value, node.lineno)
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
        if isinstance(target, ast.Subscript):
            owner = frame.eval(target.value)
            if owner.kind == Kind.SEQUENCE:
                replace_contents(owner, sequence(None, owner.elem), target.value, frame)


@statement(ast.Import)
def _import(node: ast.Import, frame: Frame) -> None:
    import_module(node, frame)


@statement(ast.ImportFrom)
def _import_from(node: ast.ImportFrom, frame: Frame) -> None:
    import_names(node, frame)


@statement(ast.Global)
def _global(node: ast.Global, frame: Frame) -> None:
    frame.global_names.update(node.names)


@statement(ast.Nonlocal)
def _nonlocal(node: ast.Nonlocal, frame: Frame) -> None:
    frame.outer_names.update(node.names)


@statement(ast.Pass)
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


if hasattr(ast, "TypeAlias"):
    statement(ast.TypeAlias)(_nothing)
