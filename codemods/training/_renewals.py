"""Whether what an object keeps is set anew, or cut off, in each turn of a loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autofix.codemods.training._graphs import Graphs
from autofix.codemods.training._kept_states import reachable
from autofix.flow.class_table import Method, methods_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name, root_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_DEPTH = 3
_RENEWING = re.compile(r"detach|repackage|reset|init|clear|begin")
_MADE = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)


def is_repeated(graphs: Graphs, turn: ast.stmt | None) -> bool:
    """Does the turn run again, as that of a loop does, or a function that others call?"""
    if turn is not None:
        return True
    if isinstance(graphs.scope, ast.Module):
        return False
    return _is_called_again(graphs.facts, graphs.scope, _DEPTH)


def _is_called_again(facts: Facts, function: Method, depth: int) -> bool:
    calls = uses_in(facts).names.calls.get(function.name, ())
    if not calls or not depth:
        return True
    if len(calls) > 1:
        return True
    around = facts.index.function_of(calls[0])
    if facts.index.loops_around(calls[0]) or _is_comprised(facts, calls[0]):
        return True
    return (
        around is not None and around is not function and _is_called_again(facts, around, depth - 1)
    )


def _is_comprised(facts: Facts, call: ast.Call) -> bool:
    return any(isinstance(n, _MADE) for n in facts.index.ancestors(call))


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
        if method not in mine and method.name != "__init__" and _sets(method, attribute)
        if not any(last_name(c.func) in around for c in calls_in(method))
    }
    inside = turn if turn is not None else graphs.scope
    if _is_made_in(graphs, root_name(call.func), inside):
        return True
    for node in _run_by(facts, inside, mine, _DEPTH):
        if isinstance(node, ast.Call) and last_name(node.func) in names:
            return True
        if _is_set(node, attribute) or _may_renew(facts, node, root_name(call.func), attribute):
            return True
    return turn is None and _is_renewed_around(graphs, names, attribute, mine)


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


def _sets(method: Method, attribute: str) -> bool:
    return any(_is_set(node, attribute) for node in ast.walk(method))


def _is_set(node: ast.AST, attribute: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and not isinstance(node.ctx, ast.Load)
    )


def _may_renew(facts: Facts, node: ast.AST, root: str | None, attribute: str) -> bool:
    """`detach_states(model)` of a function in another file"""
    if not isinstance(node, ast.Call):
        return False
    given = [n for a in node.args for n in ast.walk(a)]
    if not any(isinstance(n, ast.Name) and n.id == root for n in given):
        return False
    ref = facts.value(node.func).ref
    if isinstance(ref, Closure) and isinstance(ref.node, FUNCTIONS):
        return _sets(ref.node, attribute)
    unknown = facts.value(node.func).kind & Kind.UNKNOWN
    return bool(unknown) and _RENEWING.search(last_name(node.func) or "") is not None


def _is_renewed_around(graphs: Graphs, names: set[str], attribute: str, mine: set[Method]) -> bool:
    """Does whoever calls the function of the turn set the attribute before each call?"""
    facts = graphs.facts
    assert not isinstance(graphs.scope, ast.Module)
    calls = uses_in(facts).names.calls.get(graphs.scope.name, ())
    renewals = [
        node
        for node in ast.walk(facts.tree)
        if (isinstance(node, ast.Call) and last_name(node.func) in names)
        or (_is_set(node, attribute) and not _is_within(facts, node, names, mine))
    ]
    turns = {next(iter(facts.index.loops_around(c)), facts.index.function_of(c)) for c in calls}
    where = {next(iter(facts.index.loops_around(r)), facts.index.function_of(r)) for r in renewals}
    return bool(turns & where) or bool(names and not calls)


def _is_within(facts: Facts, node: ast.AST, names: set[str], mine: set[Method]) -> bool:
    function = facts.index.function_of(node)
    return function is not None and (function in mine or function.name in {*names, "__init__"})
