"""LibCST for one expression or statement at a time: exact text in, exact text out.

Only the text of the node that a fix changes is ever parsed, so comments and spacing around and
inside it stay, and a file without a fix never loads LibCST.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import libcst as cst

from autofix.rewrite.edits import minimal

if TYPE_CHECKING:
    from autofix.flow.facts import Facts
    from autofix.model import Edit


def expression(facts: Facts, node: ast.expr) -> cst.BaseExpression:
    """The LibCST tree of an expression, comments and line breaks included."""
    return parse(facts.source.segment(node))


def parse(code: str) -> cst.BaseExpression:
    """Parse an expression which may span lines."""
    if "\n" not in code and "\r" not in code:
        return cst.parse_expression(code)
    # The parentheses make line breaks legal; they stand outside the node and go again.
    wrapped = cst.parse_expression(f"({code})")
    return wrapped.with_changes(lpar=wrapped.lpar[1:], rpar=wrapped.rpar[:-1])


def code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def replace(facts: Facts, node: ast.expr | ast.stmt, new: cst.CSTNode | str) -> tuple[Edit, ...]:
    """The edits that put `new` where `node` stands."""
    start, end = facts.source.span(node)
    return minimal(facts.source.text, start, end, new if isinstance(new, str) else code(new))


def dotted(name: str) -> cst.BaseExpression:
    return cst.parse_expression(name)


def tight(value: cst.BaseExpression) -> cst.BaseExpression:
    """The expression, in parentheses if `.name` after it would bind to a part of it."""
    follow = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.List, cst.ListComp, cst.Dict)
    if value.lpar or isinstance(value, follow):
        return value
    return value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def stands_alone(facts: Facts, node: ast.expr) -> bool:
    """Is nothing before or behind the expression that could bind to a part of it?"""
    around = facts.index.parents.get(node)
    if isinstance(around, ast.Call):
        return around.func is not node
    return isinstance(around, (ast.Assign, ast.AnnAssign, ast.Return, ast.keyword, ast.List))


def bare(value: cst.BaseExpression) -> cst.BaseExpression:
    """The expression without redundant parentheses around it (an argument needs none)."""
    if value.lpar and not isinstance(value, (cst.Tuple, cst.GeneratorExp, cst.Yield)):
        if isinstance(value, cst.NamedExpr) or "\n" in code(value):
            return value
        return value.with_changes(lpar=value.lpar[1:], rpar=value.rpar[:-1])
    return value


def call(
    function: str | cst.BaseExpression,
    *args: cst.BaseExpression | str,
    **keywords: cst.BaseExpression | str,
) -> cst.Call:
    """`function(args, name=value)`."""
    func = dotted(function) if isinstance(function, str) else function
    positional = [cst.Arg(_node(a)) for a in args]
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    named = [
        cst.Arg(_node(value), keyword=cst.Name(name), equal=equal)
        for name, value in keywords.items()
    ]
    return cst.Call(func, [*positional, *named])


def method(
    value: cst.BaseExpression,
    name: str,
    *args: cst.BaseExpression | str,
    **keywords: cst.BaseExpression | str,
) -> cst.Call:
    """`value.name(args)`."""
    return call(cst.Attribute(tight(value), cst.Name(name)), *args, **keywords)


def _node(value: cst.BaseExpression | str) -> cst.BaseExpression:
    return cst.parse_expression(value) if isinstance(value, str) else value


def in_place_of(new: cst.BaseExpression, old: cst.BaseExpression) -> cst.BaseExpression:
    """The call `new`, laid out as the call `old` was: with its line breaks, and the comments around
    the argument that stays (the first; keywords after it are gone)."""
    if not (isinstance(new, cst.Call) and isinstance(old, cst.Call)):
        return new
    if len(new.args) != 1 or not old.args or old.args[0].keyword is not None:
        return new
    first = old.args[0]
    commented = isinstance(first.comma, cst.Comma) and "#" in code(first.comma)
    keeps_comma = len(old.args) == 1 or commented
    comma = first.comma if keeps_comma else cst.MaybeSentinel.DEFAULT
    after = first.whitespace_after_arg
    if len(old.args) > 1 and not keeps_comma:
        after = old.args[-1].whitespace_after_arg
    argument = first.with_changes(value=new.args[0].value, comma=comma, whitespace_after_arg=after)
    return old.with_changes(func=new.func, args=[argument], lpar=new.lpar, rpar=new.rpar)
