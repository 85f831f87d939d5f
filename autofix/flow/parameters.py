"""What the arguments of a function are: what a call gives, or what can be told without one."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from autofix.flow.annotations import annotated
from autofix.flow.evidence import used_as_counts, used_as_size, used_as_tensor
from autofix.flow.frame import Frame, all_cuts
from autofix.flow.index import FunctionNode
from autofix.flow.joins import join, sequence
from autofix.flow.labels import names_data
from autofix.flow.values import UNKNOWN, Graph, Kind, Value, Why, fresh, tensor
from autofix.flow.writes import memory_in


def bind_parameters(
    frame: Frame,
    function: FunctionNode,
    given: Sequence[Value],
    keywords: Mapping[str, Value],
    called: bool = False,
) -> None:
    """Bind parameters to arguments, else to what defaults, annotations and uses say of them."""
    spec = function.args
    names = [*spec.posonlyargs, *spec.args]
    rest = dict(keywords)
    defaults = dict(zip([n.arg for n in reversed(names)], reversed(spec.defaults), strict=False))
    defaults.update({n.arg: d for n, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d})
    bound: dict[str, Value] = {}
    for position, parameter in enumerate([*names, *spec.kwonlyargs]):
        actual = given[position] if position < min(len(given), len(names)) else None
        if actual is None:
            actual = rest.pop(parameter.arg, None)
        bound[parameter.arg] = parameter_value(
            frame, function, parameter, actual, defaults.get(parameter.arg), called
        )
        if (actual is not None or called) and bound[parameter.arg].const is not None:
            frame.chosen |= {parameter.arg}
    if spec.vararg:
        bound[spec.vararg.arg] = sequence(
            tuple(given[len(names) :]) if given else None, UNKNOWN if not given else None
        )
    if spec.kwarg:
        bound[spec.kwarg.arg] = Value(Kind.DICT, entries=dict(rest) if rest else None, elem=UNKNOWN)
        frame.program.record(spec.kwarg, bound[spec.kwarg.arg])
    for parameter in [*names, *spec.kwonlyargs]:
        frame.program.record(parameter, bound[parameter.arg])
    frame.state.bound.update(bound)
    frame.handed = frozenset().union(*(memory_in(value) for value in bound.values()))


def parameter_value(
    frame: Frame,
    function: FunctionNode,
    parameter: ast.arg,
    actual: Value | None,
    default: ast.expr | None,
    called: bool,
) -> Value:
    if actual is not None and not actual.kind & Kind.UNKNOWN:
        return actual
    if actual is None and default is not None and called:
        return _default(frame, default)
    promised = annotated(parameter.annotation, frame)
    line = parameter.lineno
    if promised is None and used_as_tensor(parameter.arg, function, frame):
        promised = tensor(Graph.MAYBE)
    if promised is not None:
        promised = _assumed(promised)
    else:
        promised = UNKNOWN if actual is None else actual
        if actual is None and default is not None:
            promised = join(promised, _default(frame, default))
    data = (
        names_data(parameter.arg)
        or (
            promised.kind & Kind.UNKNOWN
            and _stands_for_number(parameter.arg, default, function, frame)
        )
        or used_as_counts(parameter.arg, function, frame)
    )
    if actual is not None:
        told = actual.graph == Graph.NO or (data and actual.why is None)
        graph = Graph.NO if told else max(promised.graph, actual.graph)
        return promised.but(graph=graph, cuts=all_cuts(actual), why=actual.why)
    if data or not frame.state.grad:
        return promised.but(graph=Graph.NO)
    why = Why(f"`{parameter.arg}` is an argument that may carry a graph", line)
    if promised.is_tensor:
        return promised.but(storage=frozenset({fresh()}), why=why)
    return promised


def _assumed(promised: Value) -> Value:
    """Nothing but an annotation, or what is done with it, says what it is, or what it holds."""
    elem, items = promised.elem, promised.items
    return promised.but(
        assumed=True,
        elem=None if elem is None else _assumed(elem),
        items=None if items is None else tuple(_assumed(item) for item in items),
    )


def _stands_for_number(
    name: str, default: ast.expr | None, function: FunctionNode, frame: Frame
) -> bool:
    """Is a number what an argument is by default, or is it the size of something?"""
    value = _default(frame, default) if default is not None else UNKNOWN
    plain = value.kind == Kind.NUMBER and not isinstance(value.const, bool)
    return plain or used_as_size(name, function, frame)


def _default(frame: Frame, node: ast.expr) -> Value:
    value = frame.program.values.get(node)
    return value if value is not None else frame.eval(node)
