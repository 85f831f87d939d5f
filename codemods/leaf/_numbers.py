"""Is an expression a number rather than a tensor? By the analysis, else by its other uses."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.values import Kind

_TAKE_SIZES = frozenset({"zeros", "ones", "empty", "rand", "randn", "eye", "range", "Linear"})


def is_number(facts: Facts, node: ast.expr, depth: int = 0) -> bool:
    value = facts.value(node)
    if value.kind & Kind.NUMBER and not value.kind & (Kind.TENSOR | Kind.NUMPY):
        return True
    if isinstance(node, ast.BinOp):
        return all(is_number(facts, n, depth) for n in (node.left, node.right))
    if isinstance(node, ast.UnaryOp):
        return is_number(facts, node.operand, depth)
    if value.kind != Kind.UNKNOWN or depth > 4:
        return False
    bound = _only_binding(facts, node)
    return _used_as_size(facts, node) or (bound is not None and is_number(facts, bound, depth + 1))


def _only_binding(facts: Facts, node: ast.expr) -> ast.expr | None:
    """What the function around `node` sets that name or attribute to, if it does so once."""
    function = facts.index.function_of(node)
    if function is None or not isinstance(node, (ast.Name, ast.Attribute)):
        return None
    wanted = ast.unparse(node)
    found = [
        facts.index.parents[other]
        for other in facts.index.body_nodes(function)
        if isinstance(other, (ast.Name, ast.Attribute))
        and isinstance(other.ctx, ast.Store)
        and ast.unparse(other) == wanted
    ]
    match found:
        case [ast.Assign(value=value)]:
            return value
    return None


def _used_as_size(facts: Facts, node: ast.expr) -> bool:
    """Is the same name given to `torch.zeros`, `nn.Linear` or `range` in this function? They take
    numbers only."""
    function = facts.index.function_of(node)
    if function is None or not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    wanted = ast.dump(node)
    return any(
        isinstance(call, ast.Call)
        and last_name(call.func) in _TAKE_SIZES
        and any(ast.dump(a) == wanted for a in call.args if isinstance(a, type(node)))
        for call in facts.index.body_nodes(function)
    )
