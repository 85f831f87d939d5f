"""Is data that was changed in place by one name read by another as what it was?"""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode
from autofix.flow.objects import Closure, Instance
from autofix.flow.syntax import calls_in, is_named
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk

_NO_VALUES = frozenset({"shape", "size", "dtype", "device", "numel", "dim", "ndim"})


def is_read_as_it_was(
    facts: Facts,
    name: ast.Name,
    function: FunctionNode | None,
    writes: list[ast.stmt],
    loop: ast.stmt,
) -> bool:
    """Does a turn use what it has computed from the old values (`w -= mean`, `net(w) + mean`), so
    that the next one finds another mean? Or does it read the memory by another name?"""
    last = max(w.lineno for w in writes)
    for made in _made_of(facts, name, writes):
        if any(
            facts.index.statement_of(read) not in writes
            for read in uses_in(facts).names.loads(made)
        ):
            return True
    memory = facts.value(name).storage
    if loop in facts.index.ancestors(writes[0]):
        return _is_read(facts, loop, memory, {name.id}, last)
    for statement in walk(loop):
        if (
            function is not None
            and isinstance(statement, (ast.Assign, ast.AnnAssign))
            and any(is_run_by(facts, call, function) for call in calls_in(statement))
        ):
            return _is_read(facts, loop, memory, _bound(statement), statement.end_lineno or 0)
    return False


def _is_read(facts: Facts, loop: ast.stmt, memory: frozenset[int], by: set[str], line: int) -> bool:
    """Is the memory read for its values behind a line of the loop, by none of these names?"""
    return bool(by) and any(
        isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Load)
        and node.lineno > line
        and not (isinstance(node, ast.Name) and node.id in by)
        and facts.value(node).storage & memory
        and not _is_asked_about(loop, node)
        for node in walk(loop)
    )


def is_run_by(facts: Facts, call: ast.Call, function: FunctionNode) -> bool:
    """Does it call the function, or the object whose `__call__` or `forward` that is?"""
    ref = facts.value(call.func).ref
    if isinstance(ref, Instance):
        found = ref.info.find(getattr(function, "name", ""))
        ref = found.ref if found is not None else None
    return isinstance(ref, Closure) and ref.node is function


def _made_of(facts: Facts, name: ast.Name, writes: list[ast.stmt]) -> list[ast.Name]:
    """`m` of `m = w.mean()`, before `w -= m`."""
    used = {n.id for w in writes for n in walk(w) if isinstance(n, ast.Name)} - {name.id}
    found = []
    for each in used:
        node = next(n for w in writes for n in walk(w) if isinstance(n, ast.Name) and n.id == each)
        for store in uses_in(facts).names.stores(node):
            made = facts.index.parents.get(store)
            before = store.lineno <= max(w.lineno for w in writes)
            if isinstance(made, ast.Assign) and before:
                read = [n for n in walk(made.value) if is_named(n, name.id)]
                if any(not _is_asked_about(made, n) for n in read):
                    found.append(store)
    return found


def _is_asked_about(around: ast.AST, node: ast.AST) -> bool:
    """`x.shape`: the values do not matter."""
    return any(
        isinstance(n, ast.Attribute) and n.value is node and n.attr in _NO_VALUES
        for n in walk(around)
    )


def _bound(statement: ast.stmt) -> set[str]:
    return {
        n.id for n in walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
