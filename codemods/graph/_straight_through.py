"""Hard values that are to pass a gradient on: straight-through sums, and samples of one token."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._operands import is_method, operand
from autofix.codemods.graph._unwrapping import appended, replaced
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, is_true, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Edit

_ROUNDING = frozenset({"round", "floor", "ceil", "trunc", "sign"})
_MOST = 30
"""Expressions that are followed for one hard value."""


def cancelled(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`x` of `- x` in `x + (x.round() - x)`, where `node` makes the hard value: without a
    `detach()` the two cancel out, and what is left has no gradient."""
    for total in _sums(node, facts):
        terms = list(_terms(total, 1))
        for sign, term in terms:
            if sign > 0 or facts.value(term).graph < Graph.YES:
                continue
            rest = [(s, t) for s, t in terms if t is not term]
            twins = [t for s, t in rest if s > 0 and ast.dump(t) == ast.dump(term)]
            others = [t for _, t in rest if t not in twins[:1]]
            if twins and others and all(_is_hard(t, facts) for t in others):
                first = [n for n in facts.cuts_before(others[0]) if isinstance(n, ast.expr)]
                return term if node is min(first, key=_place, default=None) else None
    return None


def detached(term: ast.expr, facts: Facts) -> list[Edit]:
    return appended(facts, term, ".detach()")


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _is_hard(node: ast.expr, facts: Facts) -> bool:
    value = facts.value(node)
    return value.is_tensor and value.graph == Graph.NO and bool(value.cuts)


def _sums(node: ast.expr, facts: Facts) -> Iterator[ast.BinOp]:
    """The sums that a hard value goes into, by way of other operations on it."""
    todo, seen = [node], {node}
    while todo and len(seen) < _MOST:
        for use in uses_in(facts).follow(todo.pop()):
            user = use.user
            if isinstance(user, ast.Attribute):
                user = facts.index.parents.get(user) or user
            top = _top(user, facts) if isinstance(user, ast.BinOp) else None
            if top is not None and facts.value(top).graph == Graph.YES:
                yield top
            elif isinstance(user, (ast.BinOp, ast.Call)) and user not in seen:
                seen.add(user)
                todo += [user] if _is_hard(user, facts) else []


def _top(node: ast.BinOp, facts: Facts) -> ast.BinOp:
    while True:
        parent = facts.index.parents.get(node)
        if not (isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Add, ast.Sub))):
            return node
        node = parent


def _terms(node: ast.expr, sign: int) -> Iterator[tuple[int, ast.expr]]:
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            yield from _terms(left, sign)
            yield from _terms(right, sign if isinstance(op, ast.Add) else -sign)
        case _:
            yield sign, node


def looked_up(node: ast.Call, facts: Facts) -> tuple[ast.Call, str] | None:
    """`embedding(sample.argmax(-1))` of a Gumbel-softmax sample that is used for nothing else: the
    call, and the product with the rows that gives the same and has a gradient."""
    sample = node.func.value if isinstance(node.func, ast.Attribute) else None
    call = facts.index.parents.get(node)
    if not isinstance(sample, ast.Name) or not isinstance(call, ast.Call) or call.args != [node]:
        return None
    value, layer = facts.value(sample), facts.value(call.func)
    last = argument(node, 0, "dim")
    if last is None or ast.unparse(last) != "-1" or layer.ref != "torch.nn.Embedding":
        return None
    if value.graph < Graph.YES or not layer.kind & Kind.MODULE or not _is_only_use(sample, facts):
        return None
    segment = facts.source.segment
    return call, f"{segment(sample)} @ {segment(call.func)}.weight"


def _is_only_use(sample: ast.Name, facts: Facts) -> bool:
    """Is it made by a hard `gumbel_softmax`, and read here alone?"""
    names = uses_in(facts).names
    for store in names.stores(sample):
        if sample in names.loads(store):
            statement = facts.index.statement_of(store)
            made = getattr(statement, "value", None)
            if not isinstance(made, ast.Call) or names.loads(store) != [sample]:
                return False
            hard = is_true(keyword(made, "hard"))
            if facts.library_name(made.func) != "torch.nn.functional.gumbel_softmax" or not hard:
                return False
    return True


def passed_through(node: ast.expr, facts: Facts) -> list[Edit] | None:
    """`x + (x.round() - x).detach()`, where a name or an attribute is rounded."""
    if not isinstance(node, ast.Call) or last_name(node.func) not in _ROUNDING:
        return None
    source = operand(node, facts)
    plain = isinstance(source, (ast.Name, ast.Attribute)) and len(node.args) + len(
        node.keywords
    ) == int(not is_method(node, facts))
    if source is None or not plain:
        return None
    hard, soft = facts.source.segment(node), facts.source.segment(source)
    text = f"({soft} + ({hard} - {soft}).detach())"
    parent = facts.index.parents.get(node)
    if isinstance(parent, (ast.Assign, ast.Return)):
        text = text[1:-1]
    return replaced(facts, node, text)
