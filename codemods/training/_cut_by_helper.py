"""Functions that are given a state and give the next one without the history of the first."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import key_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.stages import callee
from autofix.flow.syntax import taken_from

_CUTS = frozenset({"detach", "data", "item"})


def comes_back_cut(facts: Facts, bound: ast.expr, key: str) -> bool:
    """`fast = update(x, fast)`, where `update` gives `[w.detach() - step for w in fast]`."""
    for call in ast.walk(bound):
        if isinstance(call, ast.Call):
            found = _argument_of(facts, call, key)
            if found is not None and _leaves_behind(*found):
                return True
    return False


def is_differentiated_by(facts: Facts, turn: ast.AST, key: str) -> bool:
    """Are gradients by the state itself asked for, here or in a function that is given it?"""
    for call in ast.walk(turn):
        if not isinstance(call, ast.Call):
            continue
        if _asks_gradients(call, key):
            return True
        found = _argument_of(facts, call, key)
        if found is not None:
            function, name = found
            inner = (n for n in ast.walk(function) if isinstance(n, ast.Call))
            if any(_asks_gradients(n, name) for n in inner):
                return True
    return False


def _asks_gradients(call: ast.Call, name: str) -> bool:
    """`autograd.grad(loss, state)`"""
    if last_name(call.func) != "grad" or not (call.args or call.keywords):
        return False
    given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "inputs")]
    return any(isinstance(n, ast.expr) and key_of(n) == name for g in given for n in ast.walk(g))


def _argument_of(facts: Facts, call: ast.Call, key: str) -> tuple[FunctionNode, str] | None:
    """The function that is called with the state, and what it calls it."""
    at = next((i for i, a in enumerate(call.args) if key_of(a) == key), None)
    word = next((k.arg for k in call.keywords if key_of(k.value) == key), None)
    if at is None and word is None:
        return None
    found = callee(call.func, facts)
    if found is None or not isinstance(found[0], FUNCTIONS):
        return None
    function, skipped = found
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if word is not None:
        return (function, word) if word in names else None
    place = (at or 0) + skipped
    return (function, names[place]) if place < len(names) else None


def _leaves_behind(function: FunctionNode, name: str) -> bool:
    """Is what it returns made of the argument, and nowhere of more than its numbers?"""
    if isinstance(function, ast.Lambda):
        return False
    returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    if len(returned) != 1 or returned[0] is None:
        return False
    value = returned[0]
    if isinstance(value, ast.Name):
        made = [s.value for s in function.body if isinstance(s, ast.Assign) and _binds(s, value.id)]
        if not made:
            return False
        value = made[-1]
    made_of = _made_of(function, name, value)
    reads = [n for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in made_of]
    inside = {n for c in ast.walk(value) if _is_cut(c) for n in ast.walk(c)}
    used = [n for n in reads if isinstance(n.ctx, ast.Load) and not _is_iterated(value, n)]
    return bool(used) and all(n in inside for n in used)


def _binds(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(t, ast.Name) and t.id == name for t in statement.targets)


def _is_cut(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in _CUTS


def _is_iterated(value: ast.expr, name: ast.Name) -> bool:
    loops = (n for n in ast.walk(value) if isinstance(n, ast.comprehension))
    return any(name in ast.walk(loop.iter) for loop in loops)


def _made_of(function: FunctionNode, name: str, value: ast.expr) -> set[str]:
    """The names of what is computed of the argument, or is an element of it."""
    found, before = {name}, 0
    while len(found) > before:
        before = len(found)
        for node in (*ast.walk(function), *ast.walk(value)):
            if isinstance(node, (ast.For, ast.comprehension)):
                taken = taken_from(node.target, node.iter)
                found |= {name.id for name, many in taken if _mentions(many, found)}
            elif isinstance(node, ast.Assign) and _mentions(node.value, found):
                found |= _stored(node)
    return found


def _stored(node: ast.Assign) -> set[str]:
    names = (n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))
