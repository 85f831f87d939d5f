"""Tensors of a Module that something else is made from, or that hold what is written down."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from autofix.flow.class_table import ClassTable, How, Store
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.walk import walk

_VALUES = frozenset({"numpy", "tolist", "lu", "qr", "svd", "inverse", "pinverse"})
_FACTORS = _VALUES | {"eigh", "eig", "cholesky", "lu_factor", "inv", "pinv"}
_RANDOM = frozenset({"randn", "rand", "empty", "normal", "normal_", "uniform", "uniform_"})


def is_taken_apart(facts: Facts, store: Store, reads: Iterable[ast.Attribute]) -> bool:
    """`P, L, U = lu(self.w.numpy())` in the method that makes it, and no use elsewhere: the weights
    are made from it, and it is none itself."""
    found = False
    for read in reads:
        if facts.index.function_of(read) is not store.method:
            return False
        parent = facts.index.parents.get(read)
        if isinstance(parent, ast.Attribute):
            found = found or parent.attr in _VALUES
        elif isinstance(parent, ast.Call) and read in parent.args:
            found = found or last_name(parent.func) in _FACTORS
    return found


def is_filled(facts: Facts, table: ClassTable, store: Store) -> bool:
    """`for i in range(n): self.codes[i] = torch.tensor(CODES[i])` where it is made: a table of
    constants."""
    return any(
        one.how == How.ELEMENT
        and one.method is store.method
        and one.value is not None
        and _is_each(facts, one)
        and not _RANDOM & {last_name(n.func) for n in walk(one.value) if isinstance(n, ast.Call)}
        for one in table.stores[store.attribute]
    )


def _is_each(facts: Facts, store: Store) -> bool:
    """Does a loop write one element after the other?"""
    if not isinstance(store.node, ast.Subscript):
        return False
    index = {n.id for n in ast.walk(store.node.slice) if isinstance(n, ast.Name)}
    return any(
        isinstance(loop, ast.For)
        and index & {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        for loop in facts.index.loops_around(store.statement)
    )
