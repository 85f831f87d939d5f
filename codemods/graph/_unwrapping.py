"""Edits that leave of a call or attribute only the expression inside."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.syntax import all_arguments
from autofix.model import Edit

_TIGHT = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant)
_BINDING = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Attribute, ast.Subscript, ast.BoolOp)


def unwrapped(facts: Facts, whole: ast.expr, inner: ast.expr, after: str = "") -> list[Edit]:
    """Edits that leave `inner` of `whole`, with the code `after` behind it."""
    if whole is inner and not after:
        return []
    start, end = facts.source.span(whole)
    begin, stop = facts.source.span(inner)
    loose = not isinstance(inner, _TIGHT)
    broken = "\n" in facts.source.text[begin:stop] and not isinstance(inner, ast.List)
    around = facts.index.parents.get(whole)
    bound = isinstance(around, _BINDING) and not (
        isinstance(around, ast.Subscript) and around.slice is whole
    )
    if (loose and (after or bound or isinstance(around, ast.Starred))) or broken:
        return [Edit(start, begin, "("), Edit(stop, end, ")" + after)]
    return [edit for edit in (Edit(start, begin, ""), Edit(stop, end, after)) if _does(edit)]


def appended(facts: Facts, node: ast.expr, after: str) -> list[Edit]:
    """Edits that put a method call behind an expression."""
    start, end = facts.source.span(node)
    if isinstance(node, _TIGHT):
        return [Edit(end, end, after)]
    return [Edit(start, start, "("), Edit(end, end, ")" + after)]


def constant_for(facts: Facts, read: ast.Call) -> list[Edit]:
    """`x.detach().numpy()`, `np.f(x.detach())`: what raises once x has a graph reads the same."""
    if facts.library_name(read.func) is None and isinstance(read.func, ast.Attribute):
        at = facts.source.span(read.func.value)[1]
        return [Edit(at, at, ".detach()")]
    values = ((argument, facts.value(argument)) for argument in all_arguments(read))
    cut = [argument for argument, value in values if value.is_tensor and value.cuts]
    return [edit for argument in cut for edit in appended(facts, argument, ".detach()")]


def wrapped(facts: Facts, node: ast.expr, function: str) -> list[Edit]:
    """Edits that put a call around an expression."""
    start, end = facts.source.span(node)
    return [Edit(start, start, function + "("), Edit(end, end, ")")]


def replaced(facts: Facts, node: ast.expr, text: str) -> list[Edit]:
    start, end = facts.source.span(node)
    return [Edit(start, end, text)]


def argument_removed(facts: Facts, call: ast.Call, name: str) -> list[Edit]:
    """Edits that take a keyword argument, with the comma before it, out of a call."""
    parts: list[ast.expr] = all_arguments(call)
    for keyword in call.keywords:
        if keyword.arg != name:
            continue
        at = parts.index(keyword.value)
        start, end = facts.source.span(keyword.value)
        text = facts.source.text
        begin = text.rfind(name, 0, start)
        if at:
            before = facts.source.span(parts[at - 1])[1]
            begin = text.find(",", before)
            return [Edit(begin, end, "")]
        return [Edit(begin, end, "")]
    return []


def _does(edit: Edit) -> bool:
    return edit.end > edit.start or bool(edit.text)
