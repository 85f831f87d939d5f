"""The edits that make a tensor of floats of one of integers, with the same numbers."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import keyword
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.arguments import append_method
from autofix.rewrite.names import spell

_CASTS = frozenset({"long", "int", "short"})
_RANDOM = frozenset({"randint", "randperm", "randint_like"})
_TAKE_DTYPE = frozenset(
    {"tensor", "arange", "full", "zeros", "ones", "randint", "randperm", "eye", "empty"}
    | {"zeros_like", "ones_like", "full_like", "randint_like", "as_tensor", "linspace"}
)


def made_float(facts: Facts, node: ast.expr | ast.stmt, data: ast.expr) -> tuple[Edit, ...] | str:
    """`data` is the tensor of integers, and `node` tells it to require a gradient."""
    if isinstance(data, ast.Name):
        store = uses_in(facts).names.stores(data)
        made = [facts.index.parents.get(s) for s in store]
        if isinstance(node, ast.expr) and not isinstance(facts.index.parents.get(node), ast.Expr):
            return append_method(facts, data, ".float()")
        match made:
            case [ast.Assign(targets=[ast.Name()], value=value)] if value is not None:
                if not is_index(facts, value):
                    return _creation(facts, value)
        return "where it is made is not known, or another use of it needs integers"
    if isinstance(node, ast.stmt):
        return "where it is made is not known"
    return _creation(facts, data, inside=data is not node)


def is_index(facts: Facts, value: ast.expr) -> bool:
    """Is the value used between brackets somewhere?"""
    return any(
        isinstance(use.user, ast.Subscript) and use.user.slice is use.node
        for use in uses_in(facts).follow(value)
    )


def _creation(facts: Facts, made: ast.expr, inside: bool = True) -> tuple[Edit, ...] | str:
    """The expression that makes the tensor, as one that makes floats."""
    call = made if isinstance(made, ast.Call) else None
    name = last_name(call.func) if call is not None else None
    if call is not None and name in _CASTS and isinstance(call.func, ast.Attribute):
        end = facts.source.span(call.func)[1]
        return (Edit(end - len(name or ""), end, "float"),)
    dotted = (facts.library_name(call.func) or "") if call is not None else ""
    drawn = inside and name in _RANDOM  # drawn as integers, to be the same numbers
    if call is not None and dotted.startswith("torch.") and name in _TAKE_DTYPE and not drawn:
        return with_dtype(facts, call)
    return append_method(facts, made, ".float()") if inside else "its arguments are not known"


def with_dtype(facts: Facts, call: ast.Call) -> tuple[Edit, ...]:
    """The edits that make a call of a constructor one of floats."""
    given = keyword(call, "dtype")
    spelling = spell(facts, f"torch.{_dtype(facts)}", call)
    if given is not None:
        start, end = facts.source.span(given)
        return (Edit(start, end, spelling.code), *spelling.edits)
    if last_name(call.func) in ("tensor", "as_tensor") and call.args:
        literals = _integers(call.args[0])
        if literals and all(facts.source.segment(n).isdecimal() for n in literals):
            ends = [facts.source.span(n)[1] for n in literals]
            return tuple(Edit(end, end, ".0") for end in ends)
    last = max((facts.source.span(a)[1] for a in call.args), default=None)
    if last is None:
        return append_method(facts, call, ".float()")
    first = next((k for k in call.keywords), None)
    if first is not None:
        at = facts.source.offset(first.lineno, first.col_offset)
        return (Edit(at, at, f"dtype={spelling.code}, "), *spelling.edits)
    return append_method(facts, call, ".float()")


def _dtype(facts: Facts) -> str:
    return "get_default_dtype()" if "set_default_dtype" in facts.source.text else "float32"


def _integers(node: ast.expr) -> list[ast.Constant]:
    """The numbers of a literal; none if there is anything else in it."""
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return [node]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _integers(inner)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            found = [_integers(e) for e in elements]
            return [n for part in found for n in part] if all(found) else []
    return []
