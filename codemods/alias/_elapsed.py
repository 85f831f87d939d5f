"""Do weights change between the place where they are kept and the one where they are brought
back?"""

from __future__ import annotations

import ast
import re

from autofix.codemods.alias._training import changes_weights, head
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.order import Order, Set
from autofix.flow.syntax import all_arguments, unsubscripted
from autofix.flow.uses import Use, uses_in

_WRITES = re.compile(r"\.(?:step|copy_|mul_|add_|lerp_)\s*\(|_foreach_")


def changes_between(
    facts: Facts, owner: ast.expr, start: ast.stmt, end: ast.stmt, use: Use
) -> list[ast.stmt]:
    """The statements of one function that change weights on the way from `start` to `end`; none if
    what is held at `end` is not what was held at `start`."""
    order = _order(facts, start)
    others = _made_again(facts, owner)
    rebound = _rebound(facts, start, use)
    kills = {start, *rebound, *others}
    after = [s for s in order.after(start, kills) if s is not end and s not in others]
    after = [s for s in after if s is not start or s not in rebound]  # what it binds is new
    after = [s for s in after if not _is_given(use.node, s)]
    events = [s for s in after if changes_weights(facts, s)]
    if use.user is not end and isinstance(use.user, ast.Call):
        events = [s for s in events if s is not facts.index.statement_of(use.user)]
    events = [s for s in events if not _only_loads_other(facts, s, owner)]
    later: Set = order.after_any(events, kills)
    return events if end in later else []


def _is_given(held: ast.expr, statement: ast.stmt) -> bool:
    """Is a call handed what is held? It works on the dict, and nothing happens behind its back."""
    text = ast.unparse(held)
    calls = (n for n in head(statement) if isinstance(n, ast.Call))
    return any(ast.unparse(a) == text for call in calls for a in all_arguments(call))


def _made_again(facts: Facts, owner: ast.expr) -> set[ast.stmt]:
    """The statements that bind the name of the model to another model."""
    if not isinstance(owner, ast.Name):
        return set()
    stores = uses_in(facts).names.stores(owner)
    found = {at for store in stores if (at := facts.index.statement_of(store)) is not None}
    return {at for at in found if not _reads(at, owner.id)}


def _reads(statement: ast.stmt, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        for n in ast.walk(statement)
    )


def _order(facts: Facts, node: ast.stmt) -> Order:
    return Order(facts.index.function_of(node) or facts.tree)


def _rebound(facts: Facts, start: ast.stmt, use: Use) -> set[ast.stmt]:
    """The statements that give the name or attribute that holds the dict another value."""
    node = use.node
    while isinstance(node, (ast.Subscript, ast.Call)):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    if not any(_is_stored(n, node) for n in ast.walk(start)):
        return set()  # a name for what was taken out of what holds it
    found: set[ast.stmt] = set()
    names = uses_in(facts).names
    if isinstance(node, ast.Name):
        stores: list[ast.expr] = list(names.stores(node))
    elif isinstance(node, ast.Attribute):
        text = ast.dump(node.value)
        stores = [s for s in names.stored.get(node.attr, ()) if ast.dump(s.value) == text]
    else:
        return found
    for store in stores:
        statement = facts.index.statement_of(store)
        if statement is not None:
            found.add(statement)
    return found


def _is_stored(node: ast.AST, held: ast.expr) -> bool:
    """`best` in `best = ...`, where `held` reads it."""
    if isinstance(held, ast.Name):
        return isinstance(node, ast.Name) and node.id == held.id
    same = isinstance(node, ast.Attribute) and isinstance(held, ast.Attribute)
    return same and (node.attr, ast.dump(node.value)) == (held.attr, ast.dump(held.value))  # type: ignore[attr-defined]


def _only_loads_other(facts: Facts, statement: ast.stmt, owner: ast.expr) -> bool:
    """`target.load_state_dict(...)` as the only thing that looks like training."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="load_state_dict", value=other))):
            return ast.unparse(other) != ast.unparse(owner)
    return False


def _is_trained(facts: Facts, start: ast.stmt) -> bool:
    """Is it kept on a condition (when it is the best), or does the file write into weights?"""
    return _WRITES.search(facts.source.text) is not None or any(
        isinstance(parent, ast.If) for parent in facts.index.ancestors(start)
    )


def is_of_object(use: Use) -> bool:
    """`self.best.weights`: an object has it until then. (A local `best.weights` may be another.)"""
    node = unsubscripted(use.node)
    return isinstance(node, ast.Attribute) and isinstance(unsubscripted(node.value), ast.Attribute)


def waits(facts: Facts, owner: ast.expr, start: ast.stmt, end: ast.stmt, use: Use) -> bool:
    """Are the weights changed before a function is given the dict, or in there? (From one function
    right into the next, no time goes by.)"""
    loaded = facts.index.function_of(end)
    if not isinstance(loaded, FUNCTIONS):
        return False
    if isinstance(use.node, ast.Name) and any(
        facts.index.function_of(store) is not loaded
        for store in uses_in(facts).names.stores(use.node)
    ):
        return True  # a variable of the outer function
    first = loaded.body[0]
    if first is not end and changes_weights(facts, first):
        return True
    if changes_between(facts, owner, first, end, use):
        return True
    given = [facts.index.statement_of(c) for c in uses_in(facts).calls_of(loaded)]
    return any(
        at is not None
        and facts.index.function_of(at) is facts.index.function_of(start)
        and changes_between(facts, owner, start, at, use)
        for at in given
    )


def in_other_method(facts: Facts, start: ast.stmt, end: ast.stmt, owner: ast.expr) -> bool | None:
    """Kept in an attribute by one method, loaded into `owner` by another: there is no reason to
    keep it but that the model changes in between."""
    kept, loaded = facts.index.function_of(start), facts.index.function_of(end)
    if not isinstance(kept, FUNCTIONS) or not _is_trained(facts, start):
        return None
    if isinstance(owner, ast.Attribute):  # a model that is made again has memory of its own
        for store in uses_in(facts).names.stored.get(owner.attr, ()):
            inside = facts.index.function_of(store)
            here = facts.index.statement_of(store) is start  # `best.w = self.w.data`
            if inside is not None and inside.name != "__init__" and not here:
                return None
    return None if loaded is None else True
