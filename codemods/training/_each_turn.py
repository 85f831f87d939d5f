"""A loop that makes another model in each turn, for an optimizer that was made before it."""

from __future__ import annotations

import ast

from autofix.codemods.training._called import is_trained_otherwise
from autofix.codemods.training._made import Made
from autofix.codemods.training._replaced import Replaced, reads
from autofix.flow.facts import Facts
from autofix.flow.handles import Scope
from autofix.flow.walk import walk


def made_in_turn(made: Made, loop: ast.stmt, one: Replaced, facts: Facts) -> ast.stmt | None:
    """The statement of the loop that makes the model anew, where all that the loop does with the
    optimizer comes behind it, as in a cross-validation."""
    statement = facts.index.statement_of(one.node)
    body = getattr(loop, "body", [])
    if not one.whole or statement not in body or not isinstance(statement, ast.Assign):
        return None
    if not made.plain or made.one_of_several or not isinstance(made.target, ast.Name):
        return None
    at = body.index(statement)
    before, after = body[:at], body[at + 1 :]
    if reads(made.target, before, facts) or not reads(made.target, after, facts):
        return None
    if is_trained_otherwise(one, body[at:], Scope(facts.index.function_of(loop)), facts):
        return None
    name = ast.unparse(statement.targets[0])
    trained = any(_is(node, name, ast.Load) for node in _nodes(after))
    anew = any(_is(node, made.target.id, ast.Store) for node in walk(loop))
    again = any(_is(node, name, ast.Store) for node in _nodes(after))
    return statement if trained and not anew and not again else None


def _nodes(statements: list[ast.stmt]) -> list[ast.AST]:
    return [node for statement in statements for node in walk(statement)]


def _is(node: ast.AST, name: str, context: type[ast.expr_context]) -> bool:
    return (
        isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, context)
        and ast.unparse(node) == name
    )
