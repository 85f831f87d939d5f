"""Branches that exclude each other: what is kept in one of them is not what the other writes."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.writes import Break


def kept_by_other_branch(one: Break, base: ast.expr, statement: ast.stmt, facts: Facts) -> bool:
    """`if moved: new = turn(old)`, `else: new = old`, and then `new *= 2`: where `old` was kept,
    `new` is the result of that."""
    if one.save.own or not isinstance(base, ast.Name):
        return False
    function = facts.index.function_of(statement)
    places = [n for n in (*one.save.calls, one.save.node) if not is_foreign(n)]
    inside = [n for n in places if facts.index.function_of(n) is function]
    made = facts.index.statement_of(inside[0]) if inside else None
    branch = facts.index.parents.get(made) if made is not None else None
    if not isinstance(branch, ast.If) or branch in facts.index.ancestors(statement):
        return False
    if _bound_to(made, base.id) is None:
        return False
    other = branch.orelse if made in branch.body else branch.body
    held = [value for each in other if (value := _bound_to(each, base.id)) is not None]
    loops = facts.index.loops_around(branch)
    if not loops:
        return True
    return bool(held) and all(_is_renewed(value, loops[0], facts) for value in held)


def never_both(one: ast.AST, statement: ast.stmt, facts: Facts) -> bool:
    """Do they stand in different arms of `if mode == "a": ... elif mode == "b":`, in a function
    that never changes what is asked?"""
    function = facts.index.function_of(statement)
    if is_foreign(one) or facts.index.function_of(one) is not function:
        return False
    mine = {statement, *facts.index.ancestors(statement)}
    other = {one, *facts.index.ancestors(one)}
    return any(
        isinstance(branch, ast.If)
        and any(
            mine & set(arm) and other & set(rest)
            for arm, rest in ((branch.body, branch.orelse), (branch.orelse, branch.body))
        )
        and _is_settled(branch.test, facts)
        for branch in mine & other
    )


def _is_settled(test: ast.expr, facts: Facts) -> bool:
    """Does it ask only names that the function is given, or sets before any loop?"""
    names = [n for n in ast.walk(test) if isinstance(n, ast.Name)]
    plain = not any(isinstance(n, (ast.Call, ast.Subscript, ast.Attribute)) for n in ast.walk(test))
    stores = [store for name in names for store in uses_in(facts).names.stores(name)]
    return plain and bool(names) and not any(map(facts.index.loops_around, stores))


def _bound_to(statement: ast.stmt | None, name: str) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
            return value
    return None


def _is_renewed(value: ast.expr, loop: ast.stmt, facts: Facts) -> bool:
    """Is it computed there, or the name of what each turn of the loop binds anew?"""
    if not isinstance(value, ast.Name):
        return not isinstance(value, (ast.Attribute, ast.Subscript))
    stores = uses_in(facts).names.stores(value)
    return any(loop in facts.index.ancestors(store) for store in stores)
