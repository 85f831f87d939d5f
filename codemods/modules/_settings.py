"""Settings of an object: attributes that are set while it is made, and ask what it does later."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping

from autofix.codemods.modules._built import runs_once
from autofix.flow.class_table import How, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name

_OF_SETTINGS = (
    ast.BoolOp,
    ast.boolop,
    ast.UnaryOp,
    ast.Not,
    ast.Compare,
    ast.cmpop,
    ast.Constant,
    ast.Attribute,
    ast.Name,
    ast.expr_context,
)


def ways_of_setting(
    facts: Facts, owner: ast.ClassDef, me: str, stores: Collection[ast.stmt]
) -> Mapping[ast.stmt, ast.stmt]:
    """For each `if self.fits:` with all `stores` in one arm, the first statement of that arm: an
    object that goes the other way never makes what these set."""
    found: dict[ast.stmt, ast.stmt] = {}
    for store in list(stores)[:1]:
        for node, arm in _arms(facts, owner, me, store):
            if all(_is_in(facts, other, arm) for other in stores):
                found[node] = arm[0]
    return found


def is_left_out(facts: Facts, node: ast.expr) -> bool:
    """Does it stand in one arm of `if self.flag:`, in a method of which the object needs the
    result only in the other arm?"""
    method, owner = facts.index.function_of(node), facts.index.class_of(node)
    if owner is None or not isinstance(method, ast.FunctionDef):
        return False
    mine = dict(_settings_around(facts, owner, method, node))
    calls = list(_calls_by_itself(facts, owner, method)) if mine else []
    return bool(calls) and all(
        any(mine.get(test, way) != way for test, way in _settings_around(facts, owner, by, call))
        for by, call in calls
    )


def _calls_by_itself(
    facts: Facts, owner: ast.ClassDef, method: ast.FunctionDef
) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    """`self(x)`, `self.forward(x)` in the class, where a gradient of the result is needed."""
    for caller in owner.body:
        if not isinstance(caller, ast.FunctionDef) or (me := self_name(caller)) is None:
            continue
        for node in ast.walk(caller):
            if not isinstance(node, ast.Call):
                continue
            whole = isinstance(node.func, ast.Name) and node.func.id == me
            by_name = last_name(node.func) == method.name and isinstance(node.func, ast.Attribute)
            if (by_name or (whole and method.name == "forward")) and _is_used(facts, node):
                yield caller, node


def _is_used(facts: Facts, call: ast.Call) -> bool:
    """Not of `self(x).data`."""
    parent = facts.index.parents.get(call)
    return not (isinstance(parent, ast.Attribute) and parent.attr in ("data", "detach", "argmax"))


def _settings_around(
    facts: Facts, owner: ast.ClassDef, method: ast.FunctionDef, node: ast.AST
) -> Iterator[tuple[str, bool]]:
    me = self_name(method)
    if me is None:
        return
    for above, arm in _arms(facts, owner, me, node):
        test, way = above.test, arm is above.body
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, way = test.operand, not way
        yield ast.dump(test), way


def _arms(
    facts: Facts, owner: ast.ClassDef, me: str, node: ast.AST
) -> Iterator[tuple[ast.If, list[ast.stmt]]]:
    for above in facts.index.ancestors(node):
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return
        if isinstance(above, ast.If) and _asks_setting(facts, owner, me, above.test):
            for arm in (above.body, above.orelse):
                if arm and _is_in(facts, node, arm):
                    yield above, arm


def _is_in(facts: Facts, node: ast.AST, arm: list[ast.stmt]) -> bool:
    return any(one is node or one in facts.index.ancestors(node) for one in arm)


def _asks_setting(facts: Facts, owner: ast.ClassDef, me: str, test: ast.expr) -> bool:
    nodes = list(ast.walk(test))
    if not all(isinstance(node, _OF_SETTINGS) for node in nodes):
        return False
    owned = [n.value for n in nodes if isinstance(n, ast.Attribute)]
    names = [n for n in nodes if isinstance(n, ast.Name)]
    if not names or any(n.id != me or n not in owned for n in names):
        return False
    return all(
        _is_setting(facts, owner, n.attr)
        for n in nodes
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    )


def _is_setting(facts: Facts, owner: ast.ClassDef, attribute: str) -> bool:
    """Is it set by what makes the object, and by nothing else?"""
    table = facts.class_table(owner)
    stores = table.stores.get(attribute, [])
    return bool(stores) and all(
        store.how == How.ASSIGNED and runs_once(facts, table.lineage, store.method)
        for store in stores
    )
