"""Parameters that a function sorts into lists, of which an optimizer gets its groups."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope, handles
from autofix.flow.syntax import argument
from autofix.flow.uses import ADDING
from autofix.flow.walk import walk

LISTING = frozenset({"parameters", "named_parameters"})


def sorted_out(call: ast.Call, scope: Scope, facts: Facts) -> Handles:
    """The modules of `body` in `Adam([{"params": body}, {"params": head}])`, where the function
    around takes the lists out of their parameters, in comprehensions or one by one."""
    given = argument(call, 0, "params")
    if given is None or scope.function is None:
        return NOBODY
    parts, seen = [given], set[str]()
    for part in parts:  # grows while it is read
        for name in _names(part) - seen:
            seen.add(name)
            parts += _put_into(name, scope.function)
    owners = [
        node.value
        for part in parts
        for node in walk(part)
        if isinstance(node, ast.Attribute) and node.attr in LISTING
    ]
    held = [handles(owner, scope, facts) for owner in owners]
    return NOBODY.union(*held) if all(held) else NOBODY


def _names(part: ast.expr) -> set[str]:
    """But for those of the settings of a group."""
    found: set[str] = set()
    todo: list[ast.AST] = [part]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            todo += [v for k, v in pairs if not isinstance(k, ast.Constant) or k.value == "params"]
            continue
        if isinstance(node, ast.Name):
            found.add(node.id)
        todo += ast.iter_child_nodes(node)
    return found


def _put_into(name: str, function: ast.AST) -> Iterator[ast.expr]:
    """What a name is bound to, or gets appended, and what the loops around that go through."""
    for node in walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                yield value
            case ast.AugAssign(target=ast.Name(id=bound), value=value) if bound == name:
                yield value
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in ADDING:
                if name in _names(owner):
                    yield from node.args
            case ast.For(iter=many) if any(_adds_to(name, n) for n in walk(node)):
                yield many


def _adds_to(name: str, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in ADDING:
            return name in _names(owner)
    return False
