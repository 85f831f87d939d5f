"""Methods that register parts of a Module, and are called by its `__init__` too early."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._initialiser import BaseCall, Way, base_calls, registering
from autofix.flow.class_table import ClassTable, Method, attribute_of, self_name
from autofix.flow.facts import Facts


def early_filler(
    facts: Facts, table: ClassTable, method: Method, call: BaseCall
) -> tuple[ast.stmt, str] | None:
    """The statement before `super().__init__()` whose call of a method of the object sets what has
    to be registered, in this class or a subclass of it, and the name of the method."""
    for statement in method.body:
        if statement.lineno >= call.statement.lineno:
            return None
        if not isinstance(statement, (ast.Expr, ast.Assign)):
            continue
        for node in ast.walk(statement):
            name = (
                attribute_of(node.func, self_name(method)) if isinstance(node, ast.Call) else None
            )
            if name is not None and _fills(facts, table, method, name):
                return statement, name
    return None


def _fills(facts: Facts, table: ClassTable, init: Method, name: str) -> bool:
    return any(
        bool(registering(facts, one, one.methods[name]))
        for one in _made_by(facts, table, init)
        if name in one.methods and not base_calls(facts, one.methods[name])
    )


def _made_by(facts: Facts, table: ClassTable, init: Method) -> Iterator[ClassTable]:
    """The class and those subclasses whose objects `init` makes first of all."""
    yield table
    for info in list(facts.program.classes.values()):
        if info.node is table.node or table.node not in (one.node for one in info.lineage):
            continue
        other = facts.class_table(info.node)
        own = other.methods.get("__init__")
        if own is init or (own is not None and _asks_only_super(facts, own)):
            yield other


def _asks_only_super(facts: Facts, init: Method) -> bool:
    return all(call.way in (Way.SUPER, Way.OLD) for call in base_calls(facts, init))
