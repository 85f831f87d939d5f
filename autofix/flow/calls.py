"""Calls: their arguments, and where each kind of callee is handled."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from autofix.flow.access import iterate
from autofix.flow.callbacks import escape
from autofix.flow.exposed import hand_out
from autofix.flow.frame import Frame, all_cuts, expression
from autofix.flow.functions import call_closure
from autofix.flow.index import last_name
from autofix.flow.instances import class_attribute, construct
from autofix.flow.joins import join_all
from autofix.flow.labels import is_data
from autofix.flow.library import call_library
from autofix.flow.methods import call_method
from autofix.flow.modules import call_module, module_method
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.syntax import is_none, keyword
from autofix.flow.values import EMPTY, UNKNOWN, Either, Graph, Kind, Value


@dataclass(slots=True)
class Arguments:
    """The evaluated arguments of one call."""

    node: ast.Call
    values: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    exact: bool = True
    """No `*args` or `**kwargs` of unknown content."""
    rest: Value | None = None
    """Any element of the `*args` of unknown length that end the positional arguments."""

    def get(self, position: int, *names: str) -> Value | None:
        """The argument at a position (counted from 0) or under one of its names."""
        if 0 <= position < len(self.values):
            return self.values[position]
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        return None

    def named(self, name: str, order: tuple[str, ...]) -> Value | None:
        """The argument `name`, wherever `order` says it stands."""
        return self.get(order.index(name) if name in order else -1, name)

    def all(self) -> list[Value]:
        return [*self.values, *self.keywords.values()]


def arguments(node: ast.Call, frame: Frame) -> Arguments:
    found = Arguments(node)
    for argument in node.args:
        found.rest = None
        if isinstance(argument, ast.Starred):
            value = frame.eval(argument.value)
            if value.items is not None:
                found.values.extend(value.items)
            else:
                found.exact = False
                if value.is_tensor or (value.kind == Kind.UNKNOWN and value.graph == Graph.NO):
                    found.rest = iterate(value, frame, argument.value)
                found.values.append(found.rest or value.elem or UNKNOWN)
        else:
            found.values.append(frame.eval(argument))
    for named in node.keywords:
        value = frame.eval(named.value)
        if named.arg is not None:
            found.keywords[named.arg] = value
        elif value.entries is not None:
            found.keywords.update({k: v for k, v in value.entries.items() if isinstance(k, str)})
        else:
            found.exact = False
    return found


@expression(ast.Call)
def _call(node: ast.Call, frame: Frame) -> Value:
    modes = frame.program.modes
    modes[node] = modes.get(node, False) or frame.state.grad
    if isinstance(node.func, ast.Attribute):
        kept = keyword(node, "set_to_none") if node.func.attr == "zero_grad" else None
        if kept is not None and frame.eval(kept).const is not True:
            frame.program.zeroed.append(node)
        receiver = _super(node.func.value, frame) or frame.eval(node.func.value)
        result = _call_on(receiver, node.func, node, frame)
        if result is not None:
            return result
    target = frame.eval(node.func)
    return call_value(target, arguments(node, frame), frame)


def _super(node: ast.expr, frame: Frame) -> Value | None:
    """`super()` in a method: the object, looked at through its base classes."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if node.func.id != "super" or frame.function is None:
        return None
    self_name = frame.function.args.args[0].arg if frame.function.args.args else ""
    receiver = frame.state.bound.get(self_name)
    if receiver is None or not isinstance(receiver.ref, Instance):
        return None
    return Value(receiver.kind, ref=("super", receiver, frame.function))


def _call_on(receiver: Value, func: ast.Attribute, node: ast.Call, frame: Frame) -> Value | None:
    """A method call; None if the attribute is an ordinary value that is then called."""
    if isinstance(receiver.ref, Either) and _have_method(receiver.ref, func.attr):
        return None
    if isinstance(receiver.ref, tuple) and receiver.ref[0] == "super":
        return _call_super(receiver.ref[1], receiver.ref[2], func.attr, node, frame)
    if isinstance(receiver.ref, Instance):
        found = class_attribute(receiver, func.attr, frame)
        if found is None and receiver.kind & Kind.MODULE:
            return module_method(receiver, func.attr, arguments(node, frame), frame)
        return None
    if receiver.kind == Kind.MODULE:
        return module_method(receiver, func.attr, arguments(node, frame), frame)
    if isinstance(receiver.ref, ClassInfo) and receiver.ref.is_autograd_function:
        return _apply(receiver.ref, node, frame) if func.attr == "apply" else None
    if receiver.kind & (Kind.LIBRARY | Kind.CLASS | Kind.FUNCTION):
        return None
    return call_method(receiver, func, arguments(node, frame), frame)


def _apply(function: ClassInfo, node: ast.Call, frame: Frame) -> Value:
    """`Round.apply(x, step)`; what its `backward` has no gradient for is a number to it."""
    given = arguments(node, frame)
    found = function.find("backward")
    body = ast.walk(found.ref.node) if found is not None and isinstance(found.ref, Closure) else ()
    ways = [
        n.value.elts for n in body if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)
    ]
    for at, value in enumerate(given.values):
        if ways and all(at < len(way) and is_none(way[at]) for way in ways):
            given.values[at] = value.but(graph=Graph.NO, cuts=EMPTY, why=None)
    return unknown_call(given, frame)


def _have_method(objects: Either, name: str) -> bool:
    infos = [v.ref.info for v in objects.values if isinstance(v.ref, Instance)]
    return len(infos) == len(objects.values) and all(info.find(name) for info in infos)


def _call_super(
    receiver: Value, function: ast.AST, name: str, node: ast.Call, frame: Frame
) -> Value:
    given = arguments(node, frame)
    info: ClassInfo = receiver.ref.info
    here = next((i for i, c in enumerate(info.lineage) if function in c.node.body), 0)
    for parent in info.lineage[here + 1 :]:
        found = parent.body.get(name)
        if found is not None and isinstance(found.ref, Closure):
            return call_closure(found.ref.bind(receiver), given.values, given.keywords, node, frame)
    return UNKNOWN


def call_value(target: Value, given: Arguments, frame: Frame) -> Value:
    """Call whatever `target` is."""
    ref = target.ref
    if isinstance(ref, Either):
        return join_all([call_value(one, given, frame) for one in ref.values]) or UNKNOWN
    if isinstance(ref, Closure):
        values = _filled(given, ref)
        return call_closure(ref, values, given.keywords, given.node, frame)
    if isinstance(ref, ClassInfo):
        return construct(ref, given.values, given.keywords, given.node, frame)
    if isinstance(ref, Instance):
        name = "forward" if ref.info.is_module else "__call__"
        found = class_attribute(target, name, frame)
        if found is not None and isinstance(found.ref, Closure):
            return call_closure(found.ref, given.values, given.keywords, given.node, frame)
    if target.kind & Kind.MODULE:
        return call_module(target, given.values, given.node, frame)
    if target.kind == Kind.LIBRARY and isinstance(ref, str):
        return call_library(ref, given, frame)
    return unknown_call(given, frame, target)


def _filled(given: Arguments, closure: Closure) -> list[Value]:
    """`f(*t)` of a tensor t: each parameter that is not named gets one of its elements."""
    if given.rest is None:
        return given.values
    spec = closure.node.args
    names = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    skipped = 1 if closure.bound_to is not None else 0
    open_ = [n for n in names[skipped + len(given.values) :] if n not in given.keywords]
    return [*given.values, *([given.rest] * len(open_))]


def unknown_call(given: Arguments, frame: Frame, target: Value = UNKNOWN) -> Value:
    """A callee that cannot be seen: anything may come back, with the cuts of what went in."""
    cuts = target.cuts
    why = None
    for value in given.all():
        cuts = cuts | all_cuts(value)
        why = why or value.why
        escape(value, frame)
    hand_out(given.all(), last_name(given.node.func), frame)
    graph = Graph.MAYBE if frame.state.grad else Graph.NO
    if cuts and _is_criterion(given.node.func) and _gets_constants(given):
        graph = Graph.NO  # a loss function has nothing of its own to learn
    return Value(Kind.UNKNOWN, graph, cuts=cuts, why=why)


_CRITERION = re.compile(r"(?:.*_)?(?:criterion|criteria|loss|loss_?f(?:n|unc|unction|ct)?)\d*")


def _gets_constants(given: Arguments) -> bool:
    """`criterion(output, y)` of an output that was cut, and of labels."""
    first, *others = given.values or [UNKNOWN]
    if first.graph > Graph.NO or not first.cuts:
        return False
    return all(v.graph == Graph.NO or is_data(first, v, given.node) for v in others)


def _is_criterion(func: ast.expr) -> bool:
    return _CRITERION.fullmatch((last_name(func) or "").lower()) is not None
