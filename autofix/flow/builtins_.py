"""Python's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autofix.flow import shapes
from autofix.flow.access import iterate
from autofix.flow.arithmetic import operate
from autofix.flow.dotted import library_attribute
from autofix.flow.exposed import doubted, expose, expose_attributes
from autofix.flow.frame import Frame, all_cuts
from autofix.flow.instances import class_attribute
from autofix.flow.joins import join, join_all, sequence
from autofix.flow.objects import Closure, Instance
from autofix.flow.stores import store_attribute
from autofix.flow.values import (
    EMPTY,
    NONE,
    NUMBER,
    OTHER,
    STRING,
    UNKNOWN,
    Kind,
    Value,
    fresh,
    library,
    number,
)

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments

Function = Callable[["Arguments", Frame], Value]


def _cast(given: Arguments, frame: Frame) -> Value:
    """`float(t)`: a Python number, and a graph that ends here without a word."""
    cuts = EMPTY
    for value in given.values[:1]:
        cuts = frame.cut(given.node, value) if value.may_be_tensor else value.cuts
    const = given.values[0].const if given.values else None
    cast = {"float": float, "int": int, "bool": bool}.get(getattr(given.node.func, "id", ""))
    known = cast is not None and isinstance(const, (int, float)) and abs(const) < 1e15
    return number(cast(const) if known and cast is not None else None, cuts=cuts)


def _len(given: Arguments, frame: Frame) -> Value:
    value = given.values[0] if given.values else UNKNOWN
    if value.items is not None:
        return number(len(value.items))
    return shapes.size(value, 0) if value.is_tensor else number()


def _list(given: Arguments, frame: Frame) -> Value:
    if not given.values:
        items: tuple[Value, ...] | None = ()
        elem = None
    else:
        value = given.values[0]
        items = value.items if value.kind == Kind.SEQUENCE else None
        elem = None if items is not None else iterate(value, frame, given.node.args[0])
    identity = fresh()
    result = sequence(items, elem, aliases=frozenset({identity}))
    frame.state.bound[identity] = result
    return result


def _tuple(given: Arguments, frame: Frame) -> Value:
    return _list(given, frame).but(aliases=EMPTY)


def _unordered(given: Arguments, frame: Frame) -> Value:
    result = _list(given, frame)
    return sequence(None, result.elem)


def _reversed(given: Arguments, frame: Frame) -> Value:
    result = _list(given, frame)
    return sequence(result.items[::-1] if result.items is not None else None, result.elem)


def _range(given: Arguments, frame: Frame) -> Value:
    bounds = [v.const for v in given.values]
    if bounds and all(isinstance(b, int) for b in bounds) and 0 not in bounds[2:]:
        numbers = range(*bounds[:3])
        if len(numbers) <= 8:
            return sequence(tuple(number(i) for i in numbers))
    return sequence(None, number())


def _enumerate(given: Arguments, frame: Frame) -> Value:
    value = given.values[0] if given.values else UNKNOWN
    if value.kind == Kind.SEQUENCE and value.items is not None:
        return sequence(tuple(sequence((number(i), v)) for i, v in enumerate(value.items)))
    return sequence(None, sequence((number(), iterate(value, frame, given.node.args[0]))))


def _zip(given: Arguments, frame: Frame) -> Value:
    rows = [v.items for v in given.values]
    if rows and all(r is not None for r in rows):
        return sequence(tuple(sequence(t) for t in zip(*(r or () for r in rows), strict=False)))
    nodes = given.node.args
    each = tuple(
        iterate(v, frame, nodes[i] if i < len(nodes) else None) for i, v in enumerate(given.values)
    )
    return sequence(None, sequence(each))


def _map(given: Arguments, frame: Frame) -> Value:
    from autofix.flow.calls import Arguments, call_value

    if len(given.values) < 2:
        return UNKNOWN
    each = [iterate(v, frame, None) for v in given.values[1:]]
    result = call_value(given.values[0], Arguments(given.node, each), frame)
    return sequence(None, result)


def _sum(given: Arguments, frame: Frame) -> Value:
    value = given.values[0] if given.values else UNKNOWN
    if value.kind & ~Kind.SEQUENCE or value.elem is None:
        if value.is_tensor:
            return iterate(value, frame, given.node.args[0])
        return Value(Kind.UNKNOWN, value.graph, cuts=all_cuts(value))
    import ast

    first = value.elem
    total = operate(given.node, first, first, ast.Add(), frame)
    frame.program.cuts.terms.keep(total, [v for v in value.items or () if v.is_scalar])
    return (
        total
        if len(given.values) < 2
        else operate(given.node, given.values[1], total, ast.Add(), frame)
    )


def _extreme(given: Arguments, frame: Frame) -> Value:
    if len(given.values) == 1:
        return iterate(given.values[0], frame, given.node.args[0])
    return join_all(given.values) or UNKNOWN


def _abs(given: Arguments, frame: Frame) -> Value:
    value = given.values[0] if given.values else UNKNOWN
    if value.is_tensor:
        return frame.derive("`abs`", given.node, [value], value.shape, value.dtype)
    return number(cuts=value.cuts) if value.is_number else value


def _round(given: Arguments, frame: Frame) -> Value:
    return _abs(given, frame)


def _next(given: Arguments, frame: Frame) -> Value:
    return iterate(given.values[0], frame, given.node.args[0]) if given.values else UNKNOWN


def _same(given: Arguments, frame: Frame) -> Value:
    return given.values[0] if given.values else UNKNOWN


def _filter(given: Arguments, frame: Frame) -> Value:
    return (
        sequence(None, iterate(given.values[1], frame, None)) if len(given.values) > 1 else UNKNOWN
    )


def _dict(given: Arguments, frame: Frame) -> Value:
    entries: dict[Any, Value] | None = None
    if not given.values and given.exact:
        entries = dict(given.keywords)
    elem = join_all(list(given.keywords.values()))
    if given.values and given.values[0].kind == Kind.DICT:
        entries, elem = given.values[0].entries, given.values[0].elem
    elif given.values and given.values[0].elem is not None:
        pair = given.values[0].elem
        entries = _entries(given.values[0])
        elem = pair.items[1] if pair.items is not None and len(pair.items) == 2 else UNKNOWN
    identity = fresh()
    result = Value(Kind.DICT, elem=elem, entries=entries, aliases=frozenset({identity}))
    frame.state.bound[identity] = result
    return result


def _entries(pairs: Value) -> dict[Any, Value] | None:
    """Of `[("a", x), ("b", y)]`; None if not all keys are known."""
    found: dict[Any, Value] = {}
    for pair in pairs.items or ():
        key = pair.items[0].const if pair.items is not None and len(pair.items) == 2 else None
        if pair.items is None or not isinstance(key, (str, int)):
            return None
        found[key] = pair.items[1]
    return found or None


_CHOICES = {
    "torch.nn.init": "torch.nn.init.chosen_",  # whichever: it returns the tensor it is given
    "torch.optim": "torch.optim.SGD",  # whichever: it takes the parameters
}
"""What `getattr(module, name)` stands for, where the name is not known."""


def _getattr(given: Arguments, frame: Frame) -> Value:
    owner = given.values[0] if given.values else UNKNOWN
    name = given.values[1].const if len(given.values) > 1 else None
    found: Value | None = None
    if isinstance(name, str) and isinstance(owner.ref, Instance):
        found = class_attribute(owner, name, frame)
    if owner.kind == Kind.LIBRARY and isinstance(owner.ref, str):
        if isinstance(name, str) and len(given.values) == 2:
            return library_attribute(f"{owner.ref}.{name}")
        if owner.ref in _CHOICES:
            return library(_CHOICES[owner.ref])
    if found is None:
        expose(owner, frame)
        return Value(Kind.UNKNOWN, owner.graph, cuts=owner.cuts) if owner.kind else UNKNOWN
    return join(found, given.values[2]) if len(given.values) > 2 else found


def _setattr(given: Arguments, frame: Frame) -> Value:
    if len(given.values) == 3 and isinstance(given.values[1].const, str):
        store_attribute(given.values[0], given.values[1].const, given.values[2], given.node, frame)
    elif given.values and isinstance(given.values[0].ref, Instance):
        expose_attributes(given.values[0].ref, frame, all_of_them=True)
    return NONE


def _type(given: Arguments, frame: Frame) -> Value:
    owner = given.values[0] if len(given.values) == 1 else UNKNOWN
    return Value(Kind.CLASS, ref=owner.ref.info) if isinstance(owner.ref, Instance) else OTHER


def _handed_out(given: Arguments, frame: Frame) -> Value:
    """`exec(code, names)`, `vars(options)`"""
    for value in given.all():
        expose(value, frame)
    return OTHER


def _globals(given: Arguments, frame: Frame) -> Value:
    """`globals()["cache"] = x`: from here on any of them may be something else."""
    module = frame.scopes[-1] if frame.scopes else frame
    for name, value in module.state.bound.items():
        if isinstance(name, str):
            module.state.bound[name] = doubted(value)
    return UNKNOWN


def _constant(value: Value) -> Function:
    return lambda given, frame: value


def _descriptor(given: Arguments, frame: Frame) -> Value:
    value = given.values[0] if given.values else UNKNOWN
    return value if isinstance(value.ref, Closure) else UNKNOWN


BUILTINS: dict[str, Function] = {
    **dict.fromkeys(("float", "int", "bool", "complex"), _cast),
    **dict.fromkeys(("set", "frozenset"), _unordered),
    **dict.fromkeys(("max", "min"), _extreme),
    **dict.fromkeys(("iter", "super"), _same),
    **dict.fromkeys(
        ("isinstance", "hasattr", "issubclass", "callable", "id", "hash", "any", "all", "ord"),
        _constant(NUMBER),
    ),
    **dict.fromkeys(("str", "repr", "format", "input", "chr"), _constant(STRING)),
    **dict.fromkeys(("print", "delattr"), _constant(NONE)),
    **dict.fromkeys(("open", "object", "slice", "dir"), _constant(OTHER)),
    **dict.fromkeys(("exec", "vars"), _handed_out),
    "globals": _globals,
    "type": _type,
    **dict.fromkeys(("property", "staticmethod", "classmethod"), _descriptor),
    "len": _len,
    "list": _list,
    "sorted": _unordered,
    "tuple": _tuple,
    "reversed": _reversed,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "map": _map,
    "filter": _filter,
    "sum": _sum,
    "abs": _abs,
    "round": _round,
    "pow": _extreme,
    "next": _next,
    "dict": _dict,
    "getattr": _getattr,
    "setattr": _setattr,
}
