"""A dataset whose `__getitem__` writes into what it keeps: each access changes the data."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.alias._changes import first_target
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode
from autofix.flow.syntax import unsubscripted
from autofix.flow.uses import uses_in
from autofix.flow.values import INTEGRAL, Kind
from autofix.flow.walk import walk


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    kept: ast.expr
    """What the name is bound to."""
    write: ast.stmt


def item_written(facts: Facts, function: ast.FunctionDef) -> Item | None:
    """`x = self.data[i]`, `x.mul_(gain)` in `__getitem__`: the first such write."""
    owner = facts.index.parents.get(function)
    if function.name != "__getitem__" or not isinstance(owner, ast.ClassDef):
        return None
    arguments = [argument.arg for argument in function.args.args]
    for statement in facts.index.body_nodes(function):
        target = first_target(statement) if isinstance(statement, ast.stmt) else None
        name = unsubscripted(target) if target is not None else None
        if isinstance(name, ast.Attribute) and name.attr == "data":
            name = name.value
        if not isinstance(statement, ast.stmt) or not isinstance(name, ast.Name):
            continue
        kept = _kept(facts, name, arguments)
        if kept is None or _asks_for_item(facts, statement, function, {*arguments[1:], name.id}):
            continue
        if _is_tensor(facts, name, statement):
            return Item(name.id, kept, statement)
    return None


def _kept(facts: Facts, name: ast.Name, arguments: list[str]) -> ast.expr | None:
    """What the name is bound to, if that is memory of the object's own, and in one place only."""
    stores = [
        store
        for store in uses_in(facts).names.stores(name)
        if not isinstance(facts.index.parents.get(store), ast.AugAssign)
    ]
    bound = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    if not isinstance(bound, ast.Assign) or bound.targets != [stores[0]]:
        return None
    root = unsubscripted(bound.value)
    match root:
        case ast.Attribute(value=ast.Name(id=me)) if arguments[:1] == [me]:
            indices = [n.slice for n in walk(bound.value) if isinstance(n, ast.Subscript)]
            return bound.value if all(_shares(facts, index) for index in indices) else None
    return None


def _shares(facts: Facts, index: ast.expr) -> bool:
    """Is there no list or tensor in an index, which would make a copy?"""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    several = Kind.TENSOR | Kind.SEQUENCE | Kind.NUMPY
    return not any(facts.value(part).kind & several for part in parts)


def _asks_for_item(
    facts: Facts, statement: ast.stmt, function: FunctionNode, names: set[str]
) -> bool:
    """Does it depend on the item itself, as what is done once for each would?"""
    for around in facts.index.ancestors(statement):
        if around is function:
            return False
        if isinstance(around, (*FUNCTIONS, ast.Try, ast.With, ast.While)):
            return True
        if isinstance(around, ast.If):
            read = {n.id for n in walk(around.test) if isinstance(n, ast.Name)}
            if read & names:
                return True
    return True


def _is_tensor(facts: Facts, name: ast.Name, statement: ast.stmt) -> bool:
    """Surely, as only tensors have such methods or as it is known to be one; and of data."""
    value = facts.value(name)
    if value.leaf or value.parameter or value.dtype in INTEGRAL:
        return False
    if value.kind == Kind.TENSOR:
        return True
    call = statement.value if isinstance(statement, ast.Expr) else None
    method = call.func if isinstance(call, ast.Call) else None
    return isinstance(method, ast.Attribute) and bool(value.kind & (Kind.TENSOR | Kind.UNKNOWN))
