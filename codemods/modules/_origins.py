"""What a value is made of: by way of local names, and in each branch."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.syntax import is_true, keyword
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in

Origin = tuple[ast.expr, ...]
"""The expressions that lead to a value, the last one first."""
ALWAYS = ast.Constant(value=True)
_DEPTH = 3


def origins(facts: Facts, node: ast.expr) -> list[Origin]:
    """How a value may be made; not beyond a name that is read again behind `node`, or is kept
    somewhere else."""
    base = _base(facts, node)
    if base is not None and _is_read_on(facts, base):
        return [(node,)]
    return _origins(facts, node, _DEPTH)


def _origins(facts: Facts, node: ast.expr, depth: int) -> list[Origin]:
    if isinstance(node, ast.IfExp):
        return [o for part in (node.body, node.orelse) for o in _origins(facts, part, depth)]
    if isinstance(node, ast.Name):
        bound = _bound_to(facts, node) if depth else []
        return [o for value in bound for o in _origins(facts, value, depth - 1)] or [(node,)]
    base = _base(facts, node)
    if base is None:
        given = _given_by(facts, node) if depth else []
        inside = [o for value in given for o in _origins(facts, value, depth - 1)]
        return [(node, *origin) for origin in inside] or [(node,)]
    return [(node, *origin) for origin in _origins(facts, base, depth)]


def _given_by(facts: Facts, node: ast.expr) -> list[ast.expr]:
    """What the function of this file that is called returns; nothing where an argument says whether
    that requires grad."""
    names = uses_in(facts).names
    if not isinstance(node, ast.Call) or last_name(node.func) not in names.definitions:
        return []
    ref = facts.value(node.func).ref
    function = ref.node if isinstance(ref, Closure) else None
    if function is None or isinstance(function, ast.Lambda) or is_foreign(function):
        return []
    inner = list(facts.index.body_nodes(function))
    flags = [switch_of(n) for n in inner if isinstance(n, ast.Call)]
    returned = [n.value for n in inner if isinstance(n, ast.Return)]
    sure = all(flag is None or is_true(flag) for flag in flags)
    return [value for value in returned if value is not None] if sure and all(returned) else []


def switch_of(call: ast.Call) -> ast.expr | None:
    """The flag of `torch.zeros(3, requires_grad=flag)` and `x.requires_grad_(flag)`."""
    if last_name(call.func) == "requires_grad_":
        return next(iter([*call.args, *(k.value for k in call.keywords)]), ALWAYS)
    return keyword(call, "requires_grad")


def _base(facts: Facts, node: ast.expr) -> ast.Name | None:
    """`x` of `x.view(3).float() * 0.1`, if something binds it."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Call(func=ast.Attribute(value=inner)) | ast.BinOp(left=inner):
                node = inner
            case _:
                return None
    return node if uses_in(facts).names.stores(node) else None


def _bound_to(facts: Facts, name: ast.Name) -> list[ast.expr]:
    """All that a local name may stand for, where lines above bind it; nothing where that is not
    known."""
    found: list[ast.expr] = []
    for store in uses_in(facts).names.stores(name):
        statement = facts.index.parents.get(store)
        if not isinstance(statement, ast.Assign) or statement.targets != [store]:
            return []
        if store.lineno < name.lineno:
            found.append(statement.value)
    return found


def _is_read_on(facts: Facts, name: ast.Name) -> bool:
    """Is it read below, or does another statement store it in an object?"""
    loads = uses_in(facts).names.all_loads(name)
    return any(
        load.lineno > name.lineno or _is_kept(facts, load) for load in loads if load is not name
    )


def _is_kept(facts: Facts, load: ast.Name) -> bool:
    statement = facts.index.parents.get(load)
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute)
