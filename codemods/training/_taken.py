"""Branches that depend on a word, as on `reduction`, and which of them are taken."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS

Chosen = dict[str, str]
"""Arguments of a function that are known words."""


def chosen_by(
    facts: Facts, call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Chosen:
    """The arguments of which a call says the value, or leaves it to the default."""
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    if names[:1] == ["self"]:
        del names[0]
    given = dict(zip(names, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg}
    if any(isinstance(a, ast.Starred) for a in call.args) or any(not k.arg for k in call.keywords):
        return {}
    defaults = dict(zip(reversed(names), reversed(spec.defaults), strict=False))
    found = {name: given.get(name, defaults.get(name)) for name in names}
    values = {name: facts.value(node).const for name, node in found.items() if node is not None}
    return {name: const for name, const in values.items() if isinstance(const, str)}


def is_dead(facts: Facts, node: ast.stmt, chosen: Chosen) -> bool:
    """Does it stand in a branch that is never taken: `if self.reduction == "mean":` where no
    object of the class is made so?"""
    inner: ast.AST = node
    for owner in facts.index.ancestors(node):
        if isinstance(owner, FUNCTIONS):
            break
        if isinstance(owner, ast.If):
            known = holds(facts, owner.test, chosen)
            if known is not None and known != (inner in owner.body):
                return True
        if isinstance(inner, ast.stmt):
            block = facts.index.block_of(inner)
            if any(_has_left(facts, before, chosen) for before in block[: block.index(inner)]):
                return True
        inner = owner
    return False


def _has_left(facts: Facts, node: ast.stmt, chosen: Chosen) -> bool:
    """`if reduction == "mean": return ...` where that holds."""
    if not isinstance(node, ast.If) or not isinstance(node.body[-1], (ast.Return, ast.Raise)):
        return False
    return holds(facts, node.test, chosen) is True


def holds(facts: Facts, test: ast.expr, chosen: Chosen) -> bool | None:
    match test:
        case ast.Compare(
            left=ast.Name() | ast.Attribute() as left,
            ops=[ast.Eq() | ast.NotEq() as op],
            comparators=[ast.Constant(value=str(wanted))],
        ):
            const = facts.value(left).const
            if isinstance(left, ast.Name):
                const = chosen.get(left.id, const)
            if isinstance(const, str):
                return (const == wanted) == isinstance(op, ast.Eq)
    return None
