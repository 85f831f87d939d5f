"""Whether what an object keeps is set anew, or cut off, in each turn of a loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.training._graphs import Graphs
from autofix.codemods.training._kept_states import reachable
from autofix.codemods.training._renewed_around import is_renewed_around, is_set, sets
from autofix.flow.class_table import Method, methods_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name, root_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_DEPTH = 3
_RENEWING = re.compile(r"detach|repackage|reset|init|clear|begin")


def is_renewed(
    graphs: Graphs,
    info: ClassInfo,
    entry: Method,
    attribute: str,
    call: ast.Call,
    turn: ast.stmt | None,
) -> bool:
    """Is the object another one in each turn, or is the attribute set by something else that each
    turn runs?"""
    facts = graphs.facts
    mine = reachable(facts, info, entry)
    around = {entry.name, getattr(graphs.scope, "name", entry.name)}
    names = {
        method.name
        for one in info.lineage
        for method in methods_of(one.node)
        if method not in mine and method.name != "__init__" and sets(method, attribute)
        if not any(last_name(c.func) in around for c in calls_in(method))
    }
    inside = turn if turn is not None else graphs.scope
    if _is_made_in(graphs, root_name(call.func), inside):
        return True
    for node in _run_by(facts, inside, mine, _DEPTH):
        if isinstance(node, ast.Call) and last_name(node.func) in names:
            return True
        if is_set(node, attribute) or _may_renew(facts, node, root_name(call.func), attribute):
            return True
    return turn is None and is_renewed_around(graphs, f"self.{attribute}", names, mine)


def _is_made_in(graphs: Graphs, root: str | None, inside: ast.AST) -> bool:
    """`model = Model()` in each turn"""
    return any(
        statement is not inside and any(node is statement for node in ast.walk(inside))
        for statement, _ in graphs.stores.get(root or "", ())
    )


def _run_by(facts: Facts, inside: ast.AST, mine: set[Method], depth: int) -> Iterator[ast.AST]:
    """What stands in a piece of code, and in the functions of this file that it calls."""
    definitions = uses_in(facts).names.definitions
    todo, seen = [(inside, depth)], {inside, *mine}
    while todo:
        body, left = todo.pop()
        for node in ast.walk(body):
            yield node
            if not isinstance(node, ast.Call) or not left:
                continue
            for function in definitions.get(last_name(node.func) or "", ()):
                if isinstance(function, FUNCTIONS) and function not in seen:
                    seen.add(function)
                    todo.append((function, left - 1))


def _may_renew(facts: Facts, node: ast.AST, root: str | None, attribute: str) -> bool:
    """`detach_states(model)` of a function in another file"""
    if not isinstance(node, ast.Call):
        return False
    given = [n for a in node.args for n in ast.walk(a)]
    if not any(isinstance(n, ast.Name) and n.id == root for n in given):
        return False
    ref = facts.value(node.func).ref
    if isinstance(ref, Closure) and isinstance(ref.node, FUNCTIONS):
        return sets(ref.node, attribute)
    unknown = facts.value(node.func).kind & Kind.UNKNOWN
    return bool(unknown) and _RENEWING.search(last_name(node.func) or "") is not None
