"""May a name still be read? Told from the text of the function around it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.flow.index import FUNCTIONS

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


def read_later(name: str, statement: ast.stmt, facts: Facts) -> bool:
    """May the value that `name` has after `statement` be read? Told from the text: a read after
    it that no plain assignment at its own level comes before."""
    function = facts.index.function_of(statement)
    nodes = facts.index.body_nodes(function) if function is not None else list(ast.walk(facts.tree))
    last = (statement.end_lineno or 0, statement.end_col_offset or 0)
    limit = _bound_again(name, statement, facts)
    first = _outermost_loop(statement, facts)
    for node in nodes:
        if not (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)):
            continue
        here = (node.lineno, node.col_offset)
        if here >= last:
            if (limit is None or here < limit) and not _own_meaning(name, node, statement, facts):
                return True
        elif first is not None and (first.lineno, first.col_offset) <= here and limit is None:
            inside = statement in facts.index.ancestors(node)
            if not inside and not _rebound_before(name, node, first, facts):
                return True
    return False


def _outermost_loop(statement: ast.stmt, facts: Facts) -> ast.stmt | None:
    found = None
    for owner in facts.index.ancestors(statement):
        if isinstance(owner, (*FUNCTIONS, ast.ClassDef)):
            break
        if isinstance(owner, (ast.For, ast.While)):
            found = owner
    return found


def _rebound_before(name: str, node: ast.AST, loop: ast.stmt, facts: Facts) -> bool:
    """Is the name bound in every turn of `loop` before `node` reads it?"""
    if _own_meaning(name, node, loop, facts):
        return True
    assert isinstance(loop, (ast.For, ast.While))
    here = facts.index.statement_of(node)
    for statement in ast.walk(loop):
        if isinstance(statement, ast.stmt) and statement is not here:
            before = (statement.end_lineno or 0) <= getattr(node, "lineno", 0)
            if before and _binds(statement, name):
                return True
    return isinstance(loop, ast.For) and _names(loop.target, name)


def _bound_again(name: str, statement: ast.stmt, facts: Facts) -> tuple[int, int] | None:
    """Where, after the statement and in its own block or one around it, the name is bound anew."""
    node: ast.AST = statement
    while (parent := facts.index.parents.get(node)) is not None:
        block = facts.index.block_of(node)
        for later in block[block.index(node) + 1 :] if isinstance(node, ast.stmt) else ():
            if _binds(later, name):
                return later.end_lineno or 0, later.end_col_offset or 0
            if isinstance(later, ast.For) and _names(later.target, name):
                return later.lineno, later.col_offset
        if isinstance(parent, (*FUNCTIONS, ast.Module)):
            return None
        node = parent
    return None


def _binds(statement: ast.stmt, name: str) -> bool:
    """`name = ...` that does not read the name itself."""
    if not isinstance(statement, ast.Assign):
        return False
    return any(_names(t, name) for t in statement.targets) and not any(
        isinstance(n, ast.Name) and n.id == name for n in ast.walk(statement.value)
    )


def _names(target: ast.expr, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        for n in ast.walk(target)
    )


def _own_meaning(name: str, node: ast.AST, statement: ast.stmt, facts: Facts) -> bool:
    """Does a loop, comprehension or function around `node` give the name a meaning of its own?"""
    around = facts.index.ancestors(statement)
    for owner in facts.index.ancestors(node):
        if owner in around:
            return False
        match owner:
            case ast.For(target=target) if _names(target, name) and not _inside(node, owner.iter):
                return True
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                if any(_names(g.target, name) for g in owner.generators):
                    return True
            case ast.Lambda() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if any(isinstance(a, ast.arg) and a.arg == name for a in ast.walk(owner.args)):
                    return True
                if any(_names(n, name) for n in ast.walk(owner) if isinstance(n, ast.Name)):
                    return True
    return False


def _inside(node: ast.AST, tree: ast.AST) -> bool:
    return any(n is node for n in ast.walk(tree))
