"""Leaves that are made where a tensor is made: `requires_grad=True`, `.requires_grad_()`."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.leaf._numbers import is_number
from autofix.codemods.leaf._operations import MOVES, Chain
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments, is_true
from autofix.flow.values import Graph, Kind
from autofix.model import Edit
from autofix.rewrite.arguments import append_method, remove_keyword, remove_method


@dataclass(frozen=True, slots=True)
class Leaf:
    """The call that gives a leaf, by a flag or (`flag` None) by `.requires_grad_()`."""

    call: ast.Call
    flag: ast.keyword | None

    @property
    def data(self) -> ast.expr:
        """What the leaf is made of; with a flag, the call itself without it."""
        if self.flag is None and isinstance(self.call.func, ast.Attribute):
            return self.call.func.value
        return self.call


def leaf_made(facts: Facts, call: ast.Call) -> Leaf | None:
    """The leaf that `call` makes beyond doubt; Parameters are another matter."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        if all(is_true(a) for a in all_arguments(call)) and facts.value(call).kind == Kind.TENSOR:
            return Leaf(call, None)
        return None
    flag = next((k for k in call.keywords if k.arg == "requires_grad"), None)
    if flag is None or not is_true(flag.value):
        return None
    name = last_name(call.func) or ""
    if name.endswith("Parameter") or not name:
        return None
    value = facts.value(call)
    return Leaf(call, flag) if value.kind == Kind.TENSOR and value.leaf else None


def without_leaf(facts: Facts, leaf: Leaf) -> Edit:
    """The edit after which the same call gives the same tensor, but no leaf."""
    if leaf.flag is not None:
        return remove_keyword(facts, leaf.call, leaf.flag)
    return remove_method(facts, leaf.call)


def leaf_of(facts: Facts, node: ast.expr, detach: bool) -> tuple[Edit, ...]:
    """The edits that make a leaf of what `node` gives."""
    return append_method(facts, node, f"{'.detach()' if detach else ''}.requires_grad_()")


def may_have_graph(facts: Facts, leaf: Leaf, chain: Chain) -> bool:
    """Could the result have a graph although the leaf is none any more?"""
    if leaf.flag is None and facts.value(leaf.data).graph > Graph.NO:
        return True
    return any(
        _carries(facts, other)
        for operation in chain.operations
        if operation.name.strip(".()`") not in MOVES
        for other in _others(facts, operation.node, chain.inner)
    )


def _carries(facts: Facts, node: ast.expr) -> bool:
    value = facts.value(node)
    if not value.kind & (Kind.TENSOR | Kind.UNKNOWN) or value.graph == Graph.NO:
        return False
    return not is_number(facts, node)


def _others(facts: Facts, node: ast.expr, leaf: ast.expr) -> list[ast.expr]:
    """The operands of an operation but the one that the leaf comes in by."""
    operands: list[ast.expr] = []
    match node:
        case ast.BinOp(left=left, right=right):
            operands = [left, right]
        case ast.Call(func=func, args=args, keywords=keywords):
            operands = [*args, *(k.value for k in keywords)]
            if isinstance(func, ast.Attribute):
                operands.append(func.value)
    return [
        o for o in operands if not any(n is leaf for n in ast.walk(o)) and not _is_module(facts, o)
    ]


def _is_module(facts: Facts, node: ast.expr) -> bool:
    return facts.value(node).kind == Kind.LIBRARY
