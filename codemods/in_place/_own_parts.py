"""Memory that is not what was kept: of one object after the other, or of integers."""

from __future__ import annotations

import ast

from autofix.flow.abroad import seen_from
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.values import FLOATING, INTEGRAL, Graph
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


def is_integer_copy(one: Break, base: ast.expr, statement: ast.stmt, facts: Facts) -> bool:
    """`x[:, 0] = self.embed(x[:, 0].long())[:, 0]`: what is given numbers with a fraction holds
    such, and the integers that were kept are a copy of them."""
    kept = [facts.value(operand) for operand in one.save.operands]
    if not kept or not all(value.dtype in INTEGRAL for value in kept):
        return False
    if facts.value(base).dtype in FLOATING:
        return True
    written = getattr(statement, "value", None)
    if not isinstance(written, ast.expr):
        return False
    value = facts.value(written)
    return value.graph == Graph.YES or (value.is_tensor and value.dtype in FLOATING)
