"""Statements behind which a variable does not hold any more what the turn before has bound."""

from __future__ import annotations

import ast
from itertools import pairwise

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


def set_before(graphs: Graphs, key: str, read: ast.expr, turn: ast.stmt | None) -> bool:
    """`if kind == "a": h = f(x)` further up in the same turn: a condition that stays what it is
    holds in each turn, or in none. So what one turn has bound there, the next binds anew."""
    here = _conditions(graphs, read, turn)
    stores = [store for store, _ in graphs.stores.get(key, ()) if inside(graphs, store, turn)]
    there = [
        _conditions(graphs, s, turn) if _is_above(graphs, s, read, turn) else None for s in stores
    ]
    return (bool(there) and None not in there) or any(
        one is not None and here is not None and one <= here for one in there
    )


def _is_above(graphs: Graphs, store: ast.stmt, read: ast.expr, turn: ast.stmt | None) -> bool:
    """Does it stand before, and in no loop or `try` that the other is not in?"""
    around = graphs.facts.index.ancestors(read)
    blocks = [n for n in graphs.facts.index.ancestors(store) if inside(graphs, n, turn)]
    above = (store.end_lineno or store.lineno) < read.lineno
    return above and all(isinstance(n, (ast.If, ast.With)) or n in around for n in blocks)


def _conditions(
    graphs: Graphs, node: ast.AST, turn: ast.stmt | None
) -> set[tuple[str, bool]] | None:
    """The conditions around a node that each turn finds as they are, and which branch it is in.
    None if there is one that may change."""
    found = set()
    for inner, outer in pairwise([node, *graphs.facts.index.ancestors(node)]):
        if outer is turn:
            break
        if isinstance(outer, ast.If) and inner is not outer.test:
            if not _stays(graphs, outer.test, turn):
                return None
            found.add((ast.dump(outer.test), inner in outer.body))
    return found


def _stays(graphs: Graphs, test: ast.expr, turn: ast.stmt | None) -> bool:
    """Is a condition made of names and constants, none of which the turn binds?"""
    bound = [s for k in _tested(test) for s, _ in graphs.stores.get(k, ())]
    plain = (*_PLAIN, ast.Compare, ast.cmpop, ast.Constant)
    return all(isinstance(n, plain) for n in ast.walk(test)) and not any(
        s is turn or inside(graphs, s, turn) for s in bound
    )


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
