"""Code that runs only where nothing is trained."""

from __future__ import annotations

import ast
import re

from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.uses import uses_in

_EVALUATES = re.compile(
    r"(?:is_|in_|for_)?(?:predict(?:ing|ion)?|infer(?:ring|ence)?|eval(?:uat(?:e|ing|ion))?)"
    r"(?:_mode|_only)?|test_mode"
)
"""What flags are called that are set where nothing is trained."""

_WAY_BACK = re.compile(r"_*(?:inverse|backward|sample|generate)")
"""What methods are called that run a model the other way, to look at what it has learned."""


def is_way_back(node: ast.AST, demand: Demand, facts: Facts) -> bool:
    """Is it in the `inverse` beside a `forward`, of which nobody is seen to want a gradient?"""
    function, owner = facts.index.function_of(node), facts.index.class_of(node)
    name = getattr(function, "name", "")
    if owner is None or not _WAY_BACK.fullmatch(name):
        return False
    methods = {one.name for one in owner.body if isinstance(one, FUNCTIONS)}
    return "forward" in methods and demand.text == f"returned from `{name}`"


def is_for_evaluation(node: ast.AST, facts: Facts) -> bool:
    """Is it written, or its function called, only where the module is not trained?"""
    if _is_in_evaluation(node, facts):
        return True
    function = facts.index.function_of(node)
    calls = uses_in(facts).names.calls.get(getattr(function, "name", ""), ())
    return bool(calls) and all(_is_in_evaluation(call, facts) for call in calls)


def _is_in_evaluation(node: ast.AST, facts: Facts) -> bool:
    """`if not self.training and fast:`"""
    inner = node
    for owner in facts.index.ancestors(node):
        if isinstance(owner, (ast.If, ast.IfExp)) and inner is not owner.test:
            body = owner.body if isinstance(owner.body, list) else [owner.body]
            if _means_evaluation(owner.test, inner in body):
                return True
        if isinstance(inner, ast.stmt) and _trained_leaves_before(inner, facts):
            return True
        inner = owner
    return False


def _trained_leaves_before(statement: ast.stmt, facts: Facts) -> bool:
    """`if self.training: return ...` further up in the same block"""
    block = facts.index.block_of(statement)
    return any(
        isinstance(one, ast.If)
        and isinstance(one.body[-1], (ast.Return, ast.Raise))
        and _means_evaluation(one.test, False)
        for one in block[: block.index(statement)]
    )


def _means_evaluation(test: ast.expr, holds: bool) -> bool:
    """Is the module known not to be trained where the test holds, or does not hold?"""
    match test:
        case ast.Attribute(attr="training"):
            return not holds
        case ast.Name() | ast.Attribute():
            return holds and _EVALUATES.fullmatch(last_name(test) or "") is not None
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _means_evaluation(inner, not holds)
        case ast.BoolOp(op=op, values=parts):
            return isinstance(op, ast.And) == holds and any(
                _means_evaluation(part, holds) for part in parts
            )
    return False
