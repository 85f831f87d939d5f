"""Where a tensor is already: `x = load().to(device)`, and later `x.clone().to(device)`."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in

_STAYS = frozenset({"clone", "detach", "contiguous", "requires_grad_", "view", "reshape"})
_STEPS = 6


def is_there(facts: Facts, data: ast.expr, move: ast.Call) -> bool:
    """Was `data` moved before as `move` moves it, to the same device spelt the same way?"""
    wanted = _destination(move)
    node: ast.expr | None = data
    for _ in range(_STEPS):
        if node is None or wanted is None:
            return False
        if isinstance(node, ast.Call) and _destination(node) == wanted:
            return True
        node = _source(facts, node)
    return False


def _destination(call: ast.Call) -> str | None:
    """What stands between the parentheses of `.to(device)` or `.cuda()`; the `device=` of
    anything else."""
    name = last_name(call.func)
    if isinstance(call.func, ast.Attribute) and name == "cuda" and not call.args:
        return "cuda()" if not call.keywords else None
    given = [k.value for k in call.keywords if k.arg == "device"]
    if name == "to" and len(call.args) == 1:
        given.append(call.args[0])
    return ast.unparse(given[0]) if len(given) == 1 else None


def _source(facts: Facts, node: ast.expr) -> ast.expr | None:
    """What `node` has its device from."""
    match node:
        case ast.Name():
            stores = uses_in(facts).names.stores(node)
            bound = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
            return bound.value if isinstance(bound, ast.Assign) and _plain(bound) else None
        case ast.Attribute(attr="data", value=owner):
            return owner
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _STAYS:
            return owner
        case ast.Call(args=[first, *_]) if (last_name(node.func) or "").endswith("_like"):
            return first
    return None


def _plain(bound: ast.Assign) -> bool:
    return all(isinstance(target, ast.Name) for target in bound.targets)
