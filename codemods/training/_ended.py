"""Statements behind which a variable does not hold any more what the turn before has bound."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import Graphs, is_off, key_of, keys

_PLAIN = (
    *(ast.Name, ast.Attribute, ast.UnaryOp, ast.BoolOp),
    *(ast.unaryop, ast.boolop, ast.expr_context),
)
"""Of what a condition of names alone consists."""


def inside(graphs: Graphs, node: ast.AST, turn: ast.stmt | None) -> bool:
    return turn is None or turn in graphs.facts.index.ancestors(node)


def guards(graphs: Graphs, key: str, turn: ast.stmt | None) -> set[ast.stmt]:
    """`if h is not None: h = h.detach()`: where it is not taken, there is nothing to detach. Or
    `if recurrent:` around all that binds it, which is so in each turn, or in none. Or
    `if epoch > 0:` around what binds it in every turn but the first."""
    found: set[ast.stmt] = set()
    always: set[str] | None = None
    stores = [s for s, _ in graphs.stores.get(key, ()) if inside(graphs, s, turn)]
    for store in stores:
        around = _ifs_around(graphs, store, turn)
        found.update(one for one in around if key in _tested(one.test))
        found.update(one for one in around if _is_later_turn(one, store, turn))
        mine = {ast.dump(one.test) for one in around if _is_constant(graphs, one.test, turn)}
        always = mine if always is None else always & mine
    for store in stores if always else ():
        around = _ifs_around(graphs, store, turn)
        same = [one for one in around if ast.dump(one.test) in (always or ())]
        found.update(one for one in same if not _mentions(one, key))
    return found


def _is_later_turn(node: ast.If, store: ast.stmt, turn: ast.stmt | None) -> bool:
    """`if epoch > 0:`, `if i:` right around a statement, where the loop counts `epoch` or `i`."""
    if not isinstance(turn, (ast.For, ast.AsyncFor)) or store not in node.body:
        return False
    match node.test:
        case (
            ast.Name(id=name)
            | ast.Compare(
                left=ast.Name(id=name),
                ops=[ast.Gt() | ast.NotEq()],
                comparators=[ast.Constant(value=0)],
            )
            | ast.Compare(
                left=ast.Name(id=name), ops=[ast.GtE()], comparators=[ast.Constant(value=1)]
            )
        ):
            return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(turn.target))
    return False


def _mentions(node: ast.AST, key: str) -> bool:
    return any(
        isinstance(n, (ast.Name, ast.Attribute))
        and isinstance(n.ctx, ast.Load)
        and key_of(n) == key
        for n in ast.walk(node)
    )


def _ifs_around(graphs: Graphs, node: ast.stmt, turn: ast.stmt | None) -> list[ast.If]:
    """The conditions that hold where a statement runs, from the inside out."""
    found: list[ast.If] = []
    inner: ast.AST = node
    for parent in graphs.facts.index.ancestors(node):
        if parent is turn:
            break
        if isinstance(parent, ast.If) and inner in parent.body:
            found.append(parent)
        inner = parent
    return found


def _is_constant(graphs: Graphs, test: ast.expr, turn: ast.stmt | None) -> bool:
    """Is a condition of names alone that the turn does not bind?"""
    bound = [s for k in _tested(test) for s, _ in graphs.stores.get(k, ())]
    return all(isinstance(n, _PLAIN) for n in ast.walk(test)) and not any(
        inside(graphs, s, turn) for s in bound
    )


def _tested(test: ast.expr) -> set[str]:
    return {k for n in ast.walk(test) if isinstance(n, ast.expr) and (k := key_of(n)) is not None}


def detached_in_place(graphs: Graphs, key: str, turn: ast.stmt | None) -> set[ast.stmt]:
    """`h.detach_()`, `for part in h: part.detach_()`"""
    found: set[ast.stmt] = set()
    for node in ast.walk(turn or graphs.scope):
        match node:
            case ast.Call(func=ast.Attribute(attr="detach_", value=owner)) if key_of(owner) == key:
                statement = graphs.facts.index.statement_of(node)
                if statement is not None:
                    found.add(statement)
            case ast.For(iter=ast.expr() as source) if key in keys(source):
                if any(
                    isinstance(n, ast.Attribute) and n.attr == "detach_" for n in ast.walk(node)
                ):
                    found.add(node)
    return found


def without_grad(graphs: Graphs, statement: ast.stmt) -> bool:
    return is_off(graphs.facts, statement)
