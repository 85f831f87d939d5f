"""Ranges and constant tensors written so that they are differentiable in what they are made of."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.graph._stacking import exported_tensor
from autofix.flow.facts import Facts
from autofix.flow.values import Graph, Value
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.names import Spelling, spell
from autofix.rewrite.nodes import replace


class CannotExpress(Exception):
    """There is no differentiable form of equal values; the message says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An argument that is a tensor with a graph, or a number taken out of one."""

    node: ast.expr
    """The tensor."""
    value: Value
    export: ast.expr | None
    """The `.item()` or `float()` around it."""


_ORDER = {
    "linspace": ("start", "end", "steps"),
    "logspace": ("start", "end", "steps", "base"),
    "full": ("size", "fill_value"),
    "full_like": ("input", "fill_value"),
    "new_full": ("size", "fill_value"),
}
_READ = frozenset({"start", "end", "fill_value"})
_PASSED_ON = frozenset({"dtype", "device", "layout"})


def endpoints(node: ast.Call, name: str, facts: Facts) -> list[Endpoint]:
    """The arguments of one of these functions that have a graph. (What gives the number of steps as
    well, as in `linspace(0, n - 1, n)`, is an integer, which has none.)"""
    given = _given(node, name)
    counted = _counted(given["steps"]) if "steps" in given else frozenset()
    read = [a for key, a in given.items() if key in _READ and not counted & _names(a)]
    found = [_endpoint(a, facts) for a in read]
    return [e for e in found if e is not None]


def _counted(steps: ast.expr) -> frozenset[str]:
    """What is read there, and not made an integer first."""
    made = [n for call in walk(steps) if isinstance(call, ast.Call) for n in walk(call)]
    return _names(steps) - frozenset().union(*map(_names, made))


def _names(node: ast.AST) -> frozenset[str]:
    """`n` and `self.n`, but not the `self` of it."""
    inside = walk(node)
    owners = [n.value for n in inside if isinstance(n, ast.Attribute)]
    found = [n for n in inside if isinstance(n, (ast.Name, ast.Attribute)) and n not in owners]
    return frozenset(map(ast.unparse, found))


def _given(node: ast.Call, name: str) -> dict[str, ast.expr]:
    positional = dict(zip(_ORDER[name], node.args, strict=False))
    return positional | {k.arg: k.value for k in node.keywords if k.arg is not None}


def _endpoint(node: ast.expr, facts: Facts) -> Endpoint | None:
    if isinstance(node, ast.Constant) or not facts.may_hold_tensor(node):
        return None
    inner = exported_tensor(node, facts)
    value = facts.value(inner or node)
    if value.is_tensor_or_number and value.graph > Graph.NO:
        return Endpoint(inner or node, value, node if inner is not None else None)
    return None


def _checked(node: ast.Call, name: str) -> dict[str, ast.expr]:
    known = {*_ORDER[name], *_PASSED_ON}
    odd = [k.arg for k in node.keywords if k.arg not in known]
    starred = any(isinstance(a, ast.Starred) for a in node.args)
    if odd or starred or len(node.args) > len(_ORDER[name]):
        what = f"`{odd[0]}=`" if odd and odd[0] else "these arguments"
        raise CannotExpress(f"{what} has no counterpart in the differentiable form")
    return _given(node, name)


def affine(node: ast.Call, name: str, facts: Facts) -> tuple[Edit, ...]:
    """`start + (end - start) * torch.linspace(0, 1, n)`; as exponents of the base for logspace."""
    given = _checked(node, name)
    start, end, steps = given.get("start"), given.get("end"), given.get("steps")
    if start is None or end is None or steps is None:
        raise CannotExpress("these arguments have no counterpart in the differentiable form")
    first, last = _text(start, facts), _text(end, facts)
    spelled = spell(facts, "torch.linspace", node)
    options = [f"{k}={facts.source.segment(v)}" for k, v in given.items() if k in _PASSED_ON]
    ramp = f"{spelled.code}({', '.join(['0', '1', facts.source.segment(steps), *options])})"
    if isinstance(start, ast.Constant) and start.value == 0:
        text = f"{_factor(last)} * {ramp}"
    elif not _is_plain(start, facts):
        lerp = _lerp(node, [start, end], facts)
        text = f"{lerp.code}({first}, {last}, {ramp})"
        spelled = Spelling(spelled.code, tuple(dict.fromkeys((*spelled.edits, *lerp.edits))))
    else:
        text = f"{_factor(first)} + ({last} - {_factor(first)}) * {ramp}"
    if name == "logspace":
        base = facts.source.segment(given["base"]) if "base" in given else "10.0"
        text = f"{_factor(base)} ** {text}" if "lerp(" in text else f"{_factor(base)} ** ({text})"
    return _written(node, text, spelled, facts)


def _lerp(node: ast.Call, ends: list[ast.expr], facts: Facts) -> Spelling:
    """`torch.lerp` reads each end once, and takes only tensors of one dtype."""
    found = [_endpoint(end, facts) for end in ends]
    usual = all(e is not None and e.value.is_tensor and e.value.dtype in _USUAL for e in found)
    if not usual or len(node.keywords) > 1:
        raise CannotExpress("the start would be computed twice: give it a name first")
    return spell(facts, "torch.lerp", node)


_USUAL = frozenset({None, "default", "float", "float32"})


def expanded(node: ast.Call, name: str, facts: Facts) -> tuple[Edit, ...]:
    """`value.expand(size).clone()`: memory of its own, as before."""
    given = _checked(node, name)
    if "fill_value" not in given or not (given.keys() & {"size", "input"}):
        raise CannotExpress("these arguments have no counterpart in the differentiable form")
    end = _endpoint(given["fill_value"], facts)
    if end is None:
        raise CannotExpress("the value is computed from several numbers")
    if not end.value.is_tensor:
        raise CannotExpress("the value is a plain number on another path")
    edits: tuple[Edit, ...] = ()
    text = _factor(_text(given["fill_value"], facts))
    text += "" if end.value.is_scalar else ".reshape(())"
    options = [f"{k}={facts.source.segment(v)}" for k, v in given.items() if k in _PASSED_ON]
    if name == "full_like":
        like = facts.source.segment(given["input"])
        if not _is_plain(given["input"], facts):
            raise CannotExpress("the tensor it is like would be computed twice")
        options = options or [like]
        text += f".to({', '.join(options)}).expand_as({like})"
    else:
        if name == "new_full" and isinstance(node.func, ast.Attribute):
            options = options or [facts.source.segment(node.func.value)]
        elif not options and end.value.dtype not in _USUAL:
            spelled = spell(facts, "torch.get_default_dtype", node)
            edits, options = spelled.edits, [f"{spelled.code}()"]
        text += f".to({', '.join(options)})" if options else ""
        text += f".expand({facts.source.segment(given['size'])})"
    return (*_written(node, f"{text}.clone()", None, facts), *edits)


def around(
    call: ast.Call, node: ast.expr, name: str, dtype: str | None, facts: Facts
) -> tuple[Edit, ...]:
    """The differentiable form where `node`, an argument, is about to be a tensor of no dimensions:
    edits of what stands around it."""
    given = _checked(call, name)
    role = next((key for key, argument in given.items() if argument is node), None)
    if role not in _READ or dtype not in _USUAL:
        raise CannotExpress("the number has no counterpart in the differentiable form")
    loose = not isinstance(node, _TIGHT)
    options = [f"{k}={facts.source.segment(v)}" for k, v in given.items() if k in _PASSED_ON]
    imports: tuple[Edit, ...] = ()
    if role == "fill_value":
        before, after = ("(" if loose else ""), (")" if loose else "")
        if name == "new_full" and isinstance(call.func, ast.Attribute):
            options = options or [facts.source.segment(call.func.value)]
        size = given.get("size")
        if name == "full_like":
            if not _is_plain(given["input"], facts):
                raise CannotExpress("the tensor it is like would be computed twice")
            like = facts.source.segment(given["input"])
            options, shape = options or [like], f".expand_as({like})"
        elif size is None:
            raise CannotExpress("these arguments have no counterpart in the differentiable form")
        else:
            shape = f".expand({facts.source.segment(size)})"
        after += (f".to({', '.join(options)})" if options else "") + shape + ".clone()"
    else:
        before, after, imports = _ramp(call, name, role, given, options, facts)
    start, end = facts.source.span(call)
    begin, stop = facts.source.span(node)
    if "\n" in before + after or "#" in facts.source.segment(call):
        raise CannotExpress("it is laid out over several lines: comments could be lost")
    return (Edit(start, begin, before), Edit(stop, end, after), *imports)


def _ramp(
    call: ast.Call,
    name: str,
    role: str,
    given: dict[str, ast.expr],
    options: list[str],
    facts: Facts,
) -> tuple[str, str, tuple[Edit, ...]]:
    """What stands before and behind the end of a range that is about to be a tensor."""
    other = given.get("start" if role == "end" else "end")
    if name != "linspace" or other is None or "steps" not in given:
        raise CannotExpress("the number has no counterpart in the differentiable form")
    spelled = spell(facts, "torch.linspace", call)
    limits = ["0", "1"] if role == "end" else ["1", "0"]
    steps = facts.source.segment(given["steps"])
    ramp = f"{spelled.code}({', '.join([*limits, steps, *options])})"
    outer = _is_operand(call, facts)
    close = ")" if outer else ""
    if isinstance(other, ast.Constant) and other.value == 0:
        loose = not isinstance(given[role], _TIGHT)
        before, after = ("(", ")") if loose else ("", "")
        return ("(" if outer else "") + before, f"{after} * {ramp}{close}", spelled.edits
    if not (_is_plain(other, facts) or isinstance(other, ast.UnaryOp)):
        raise CannotExpress("the start would be computed twice: give it a name first")
    text = _factor(_text(other, facts))
    return ("(" if outer else "") + f"{text} + (", f" - {text}) * {ramp}{close}", spelled.edits


def _is_operand(node: ast.Call, facts: Facts) -> bool:
    around = facts.index.parents.get(node)
    operator = isinstance(around, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Attribute, ast.Await))
    return operator or (isinstance(around, ast.Subscript) and around.value is node)


def _written(node: ast.Call, text: str, spelled: Spelling | None, facts: Facts) -> tuple[Edit, ...]:
    if "\n" in text or "#" in facts.source.segment(node):
        raise CannotExpress("it is laid out over several lines: comments could be lost")
    if spelled is not None and _is_operand(node, facts):
        text = f"({text})"
    return (*replace(facts, node, text), *(spelled.edits if spelled is not None else ()))


def _text(node: ast.expr, facts: Facts) -> str:
    """The tensor, where a number was taken out of one; else what stands there."""
    inner = exported_tensor(node, facts)
    text = facts.source.segment(inner or node)
    return text if isinstance(inner or node, _TIGHT) else f"({text})"


_TIGHT = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)


def _factor(text: str) -> str:
    """The text, safe to stand beside `*` and before a dot."""
    return f"({text})" if text.startswith("-") else text


def _is_plain(node: ast.expr, facts: Facts) -> bool:
    """Reading it twice does nothing twice, and costs nothing."""
    at = exported_tensor(node, facts) or node
    while isinstance(at, (ast.Attribute, ast.Subscript, ast.UnaryOp)):
        at = at.operand if isinstance(at, ast.UnaryOp) else at.value
    return isinstance(at, (ast.Name, ast.Constant))
