"""The edits that make a copy of what only shares memory."""

from __future__ import annotations

import ast

from autofix.codemods.alias._aliases import Alias
from autofix.codemods.alias._weights import Of, uncut
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.order import Order
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.names import spell


def copied_weights(facts: Facts, node: ast.expr) -> tuple[Edit, ...]:
    """`w.data`, or a list or dict of weights."""
    match node:
        case ast.ListComp(elt=inner) | ast.DictComp(value=inner):
            return _appended(facts, inner)
        case ast.Call(func=ast.Name(id=name), args=[source]) if name in ("list", "tuple", "dict"):
            return (Edit(*facts.source.span(node), _comprehension(facts, name, source)),)
    return _appended(facts, node)


def copied(facts: Facts, alias: Alias) -> tuple[Edit, ...]:
    node = alias.node
    start, end = facts.source.span(node)
    match node:
        case ast.ListComp() | ast.DictComp():
            return copied_weights(facts, node)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "dict"), args=[_]):
            return copied_weights(facts, node)
        case ast.Call() if alias.of in (Of.WEIGHTS, Of.GRADIENTS) and not uncut(node)[1]:
            spelled = spell(facts, "copy.deepcopy", node)
            opening = Edit(start, start, f"{spelled.code}(")
            return (*spelled.edits, opening, Edit(end, end, ")"))
    if alias.of == Of.GRADIENT and _may_be_none(facts, alias):
        text = facts.source.segment(node)
        return (Edit(end, end, f".clone() if {text} is not None else None"),)
    return _appended(facts, node)


def _appended(facts: Facts, node: ast.expr) -> tuple[Edit, ...]:
    end = facts.source.span(node)[1]
    whole = isinstance(node, ast.Name) or (
        isinstance(node, ast.Attribute) and node.attr not in ("data", "grad")
    )
    return (Edit(end, end, ".detach().clone()" if whole else ".clone()"),)


def _comprehension(facts: Facts, name: str, source: ast.expr) -> str:
    """`list(model.parameters())` with a copy of each."""
    text = facts.source.segment(source)
    if last_name(source.func if isinstance(source, ast.Call) else source) == "named_parameters":
        pairs = f"name, p in {text}"
        made = (
            "{name: p.detach().clone() for "
            if name == "dict"
            else "[(name, p.detach().clone()) for "
        )
        return f"{made}{pairs}{'}' if name == 'dict' else ']'}"
    listed = f"p.detach().clone() for p in {text}"
    return f"tuple({listed})" if name == "tuple" else f"[{listed}]"


def _may_be_none(facts: Facts, alias: Alias) -> bool:
    """May the gradient not be there yet: can the program come here without a backward pass?"""
    scope = facts.index.function_of(alias.statement) or facts.tree
    order = Order(scope)
    gradient = f"{alias.base}.grad"
    if any(
        isinstance(n, ast.Attribute) and ast.unparse(n.value) == gradient
        for statement in _beside(facts, alias.statement)
        for n in ast.walk(statement)
    ):
        return False  # `w.grad.zero_()` would raise
    passes = {
        s
        for call in uses_in(facts).names.calls.get("backward", ())
        if (s := facts.index.statement_of(call)) is not None
    }
    first = scope.body[0]
    if first in passes:
        return False
    return alias.statement is first or alias.statement in order.after(first, passes)


def _beside(facts: Facts, statement: ast.stmt) -> list[ast.stmt]:
    """The simple statements of the same block."""
    block = facts.index.block_of(statement)
    return [s for s in block if isinstance(s, (ast.Assign, ast.Expr, ast.AugAssign))]
