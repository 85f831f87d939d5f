"""Whether an expression gives a state without its history, itself or by a function of this file."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name

_DETACHES = ("detach", "repackage")
"""What such functions are called, for those that stand in another file."""


def detaches(facts: Facts, node: ast.AST, words: tuple[str, ...] = ()) -> bool:
    """Is a history left behind somewhere in the node: `h.detach()`, `h.data`, `cut(h)` where
    `cut` returns such? `words`: what else a name may hold that says so."""
    return _detaches(facts, node, (*_DETACHES, *words), set())


def _detaches(facts: Facts, node: ast.AST, words: tuple[str, ...], seen: set[ast.AST]) -> bool:
    for inner in ast.walk(node):
        name = getattr(inner, "attr", None) or getattr(inner, "id", None)
        if name == "data" and isinstance(inner, ast.Attribute):
            return True
        if isinstance(name, str) and any(word in name for word in words):
            return True
        if isinstance(inner, ast.Call) and any(
            _detaches(facts, given, words, seen) for given in _given_by(facts, inner, seen)
        ):
            return True
    return False


def _given_by(facts: Facts, call: ast.Call, seen: set[ast.AST]) -> list[ast.Return]:
    """What the functions of this file give that the call may mean, each looked at once."""
    found: list[ast.Return] = []
    for function in facts.index.of_kind(ast.FunctionDef):
        same = function.name == last_name(call.func) and function.name != "forward"
        if same and function not in seen:
            seen.add(function)
            found += [n for n in ast.walk(function) if isinstance(n, ast.Return)]
    return found
