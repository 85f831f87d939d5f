"""Whole numbers among others that tensors are made of: these come out as integers."""

from __future__ import annotations

import ast
from typing import TypeGuard

from autofix.codemods.leaf._floats import with_dtype
from autofix.codemods.leaf._origins import Origin, origins
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, is_main_guard, last_name
from autofix.flow.syntax import keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Edit

_MAKERS = frozenset({"tensor", "as_tensor"})
_COUNTS = frozenset({"range", "zeros", "ones", "randn", "rand", "Linear", "arange", "empty", "eye"})


def raising(
    facts: Facts, node: ast.expr | ast.stmt, data: ast.expr
) -> tuple[Origin, tuple[Edit, ...]] | None:
    """For a leaf of numbers from elsewhere in the file, of which one is whole: that, and the edits
    that name the dtype."""
    call = _made(facts, data)
    value = facts.value(data)
    if call is None or value.kind != Kind.TENSOR or value.dtype is not None or value.assumed:
        return None
    if _asks(facts, node, data, call.args[0]) or _is_conditional(facts, node):
        return None
    found = origins(facts, call.args[0])
    whole = [one for one in found if one.whole]
    if not whole or any(one.numbers is None for one in found):
        return None
    return whole[0], with_dtype(facts, call)


def left_out(facts: Facts, node: ast.expr | ast.stmt, data: ast.expr) -> list[Origin]:
    """For a tensor that is made a leaf only if it is of floats: the whole numbers that stand among
    numbers that are none, and nowhere have to be whole."""
    call = _made(facts, data)
    if call is None or not facts.index.trains or not _asks(facts, node, data, call.args[0]):
        return []
    if facts.value(call).dtype is not None:
        return []
    found = origins(facts, call.args[0])
    return [
        one
        for one in found
        if one.whole and (one.typed or (one.group is not None and _is_mixed(one, found)))
        if not _counts(facts, one)
    ]


def as_floats(facts: Facts, found: list[Origin]) -> tuple[Edit, ...] | None:
    """The edits that write whole numbers as floats."""
    literals = [
        n for one in found if one.node is not None for n in ast.walk(one.node) if _is_int(n)
    ]
    if not all(facts.source.segment(n).isdecimal() for n in literals):
        return None
    ends = dict.fromkeys(facts.source.span(n)[1] for n in literals)
    return tuple(Edit(end, end, ".0") for end in ends)


def _is_int(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _made(facts: Facts, data: ast.expr) -> ast.Call | None:
    """The `torch.tensor(...)` that makes it, if that names no dtype."""
    if isinstance(data, ast.Name):
        stores = list(uses_in(facts).names.stores(data))
        made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
        if not isinstance(made, ast.Assign) or made.targets != stores:
            return None
        data = made.value
    if not isinstance(data, ast.Call) or last_name(data.func) not in _MAKERS:
        return None
    dotted = facts.library_name(data.func) or ""
    given = len(data.args) == 1 and keyword(data, "dtype") is None
    return data if dotted.startswith("torch.") and given else None


def _asks(facts: Facts, node: ast.AST, data: ast.expr, source: ast.expr) -> bool:
    """Is the leaf made under a question for floats, or where an error is caught?"""
    names = {ast.unparse(data), ast.unparse(source)}
    if isinstance(node, ast.Call):
        flags = [k.value for k in node.keywords if k.arg == "requires_grad"]
        flags += node.args[:1] if last_name(node.func) == "requires_grad_" else []
        if any(_is_question(flag, names) for flag in flags):
            return True
    inner = node
    for around in facts.index.ancestors(node):
        if isinstance(around, FUNCTIONS):
            break
        if isinstance(around, (ast.If, ast.IfExp)) and _is_question(around.test, names):
            body = around.body if isinstance(around.body, list) else [around.body]
            return inner in body
        if isinstance(around, ast.Try) and inner in around.body:
            return len(around.body) == 1 and bool(around.handlers)
        inner = around
    return False


def _is_conditional(facts: Facts, node: ast.AST) -> bool:
    """Are some of these tensors no leaves, and may well be of integers?"""
    for around in facts.index.ancestors(node):
        if isinstance(around, (ast.If, ast.IfExp, ast.BoolOp)) and not is_main_guard(around):
            return True
        if isinstance(around, FUNCTIONS):
            break
    return False


def _is_question(test: ast.expr, names: set[str]) -> bool:
    """`t.is_floating_point()`, `isinstance(v, float)`, perhaps together with more."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_is_question(value, names) for value in values)
        case ast.Call(func=ast.Attribute(attr="is_floating_point", value=owner), args=[]):
            return ast.unparse(owner) in names
        case ast.Call(args=[one]) if last_name(test.func) == "is_floating_point":
            return ast.unparse(one) in names
        case ast.Call(func=ast.Name(id="isinstance"), args=[one, ast.Name(id="float")]):
            return ast.unparse(one) in names
        case ast.Attribute(attr="is_floating_point", value=ast.Attribute(value=owner)):
            return ast.unparse(owner) in names
    return False


def _is_mixed(one: Origin, found: list[Origin]) -> bool:
    """Are all that go the same way numbers, and some of them not whole?"""
    group = [other for other in found if other.group is one.group]
    known = all(other.numbers is not None for other in group)
    return known and any(not other.whole for other in group)


def _counts(facts: Facts, one: Origin) -> bool:
    """Is something of that name used as an index or as a size?"""
    names = uses_in(facts).names
    if one.key is None:
        return False
    reads: list[ast.expr] = list(names.attributes.get(one.key, ()))
    for node in facts.index.of_kind(ast.Name):
        if node.id == one.key:
            reads.append(node)
    for taken in facts.index.of_kind(ast.Subscript):
        if isinstance(taken.slice, ast.Constant) and taken.slice.value == one.key:
            reads.append(taken)
    for read in reads:
        parent = facts.index.parents.get(read)
        if isinstance(parent, (ast.Tuple, ast.Slice)):
            read, parent = parent, facts.index.parents.get(parent)
        if isinstance(parent, ast.Subscript) and parent.slice is read:
            return True
        if isinstance(parent, ast.Call) and last_name(parent.func) in _COUNTS:
            return True
    return False
