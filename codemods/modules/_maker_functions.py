"""Functions and methods of this file that make a layer at each call, and give it back."""

from __future__ import annotations

import ast
import functools

from autofix.flow.class_table import ClassTable, How, self_name, weighted
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import Closure
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk


def is_made_by_function(facts: Facts, call: ast.Call) -> bool:
    """`self._make(3)`, `make_head(3)`"""
    if last_name(call.func) not in uses_in(facts).names.definitions:
        return False
    ref = facts.value(call.func).ref
    return isinstance(ref, Closure) and _makes(facts, ref.node)


@functools.lru_cache(maxsize=128)
def _makes(facts: Facts, function: ast.AST) -> bool:
    if not isinstance(function, FUNCTIONS) or is_foreign(function):
        return False
    if function.name in ("forward", "__call__") or any(
        last_name(d) != "staticmethod" for d in function.decorator_list
    ):
        return False  # it may keep what it has made
    nodes = walk(function)
    if any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal)) for n in nodes):
        return False
    given = [n.value for n in nodes if isinstance(n, ast.Return)]
    return bool(given) and all(one is not None and _is_made(facts, one, function) for one in given)


def _is_made(facts: Facts, node: ast.expr, function: ast.AST) -> bool:
    """A call of a class, or a local name for what it made."""
    match node:
        case ast.Call(func=func):
            name = last_name(func) or ""
            value = facts.value(node)
            return name[:1].isupper() and value.kind == Kind.MODULE and weighted(value) is True
        case ast.Name():
            stores = uses_in(facts).names.stores(node)
            made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
            return (
                isinstance(made, ast.Assign)
                and isinstance(made.value, ast.Call)
                and len(made.targets) == 1
                and _is_made(facts, made.value, function)
            )
    return False


def runs_in_initialiser(table: ClassTable, name: str) -> bool:
    """May `__init__` call a method at its end: does it read nothing but what is set there?"""
    method = table.methods.get(name)
    me = self_name(method) if method is not None else None
    if method is None:
        return False
    read = {
        n.attr
        for n in walk(method)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == me
    }
    return all(is_set_there(table, attribute) for attribute in read)


def is_set_there(table: ClassTable, attribute: str) -> bool:
    stores = table.stores.get(attribute, [])
    return bool(stores) and all(
        s.how in (How.ASSIGNED, How.REGISTERED) and s.method.name == "__init__" for s in stores
    )
