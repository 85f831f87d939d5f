"""Memory of an object of which a loop takes one after the other."""

from __future__ import annotations

import ast

from autofix.flow.abroad import seen_from
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.writes import Break


def is_of_another_object(one: Break, base: ast.expr, statement: ast.stmt, facts: Facts) -> bool:
    """`self.weight *= 0.9`, which every object does before it keeps `self.weight`, where a loop
    calls one object after the other: no object writes what it has kept itself."""
    if not isinstance(base, ast.Attribute) or not isinstance(base.value, ast.Name):
        return False
    if not any(_is_each_of_loop(call, facts) for call in one.save.calls):
        return False
    writer, keeper = facts.index.function_of(statement), facts.index.function_of(one.save.node)
    if writer is None or keeper is None or facts.index.loops_around(one.save.node):
        return False
    return _comes_first(statement, writer, one.save.node, keeper, facts)


def _is_each_of_loop(call: ast.AST, facts: Facts) -> bool:
    """`part(x)` in `for part in self.parts:`"""
    here = seen_from(facts, call)
    if here is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return False
    for around in here.index.ancestors(call):
        targets: list[ast.expr] = []
        if isinstance(around, (ast.For, ast.AsyncFor)):
            targets = [around.target]
        elif isinstance(around, (ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)):
            targets = [loop.target for loop in around.generators]
        names = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        if call.func.id in names:
            return True
    return False


def _comes_first(
    statement: ast.stmt,
    writer: FunctionNode,
    kept: ast.AST,
    keeper: FunctionNode,
    facts: Facts,
) -> bool:
    """Does one call of the method write before it keeps, and never behind that?"""
    line = getattr(kept, "lineno", 0)
    if writer is keeper:
        return statement.lineno < line and not facts.index.loops_around(statement)
    name = getattr(writer, "name", "")
    calls = [
        node
        for node in facts.index.body_nodes(keeper)
        if isinstance(node, ast.Call) and last_name(node.func) == name
    ]
    return bool(calls) and all(call.lineno < line for call in calls)
