"""Parameters set by a name: `setattr(layer, name, ...)`, `layer._parameters[name] = ...`"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._same_shape import meaning
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk


def named_place(facts: Facts, node: ast.Assign | ast.Expr) -> tuple[ast.expr, ast.expr] | None:
    """An expression that reads the Parameter which a statement replaces, and the new value."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[owner, name, value])):
            pass
        case ast.Assign(
            targets=[
                ast.Subscript(value=ast.Attribute(value=owner, attr="_parameters"), slice=name)
            ],
            value=value,
        ):
            pass
        case _:
            return None
    if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.isidentifier():
        return ast.Attribute(owner, name.value, ast.Load()), value
    found = next(_readings(facts, value, owner, name), None)
    return (found, value) if found is not None else None


def _readings(facts: Facts, value: ast.expr, owner: ast.expr, name: ast.expr) -> Iterator[ast.expr]:
    """`getattr(layer, name)`, and `p` of `for name, p in layer.named_parameters()`."""
    spelled = ast.unparse(owner), ast.unparse(name)
    for node in walk(value):
        match node:
            case ast.Call(func=ast.Name(id="getattr"), args=[of, by]):
                if (ast.unparse(of), ast.unparse(by)) == spelled:
                    yield node
            case ast.Subscript(value=ast.Attribute(value=of, attr="_parameters"), slice=by):
                if (ast.unparse(of), ast.unparse(by)) == spelled:
                    yield node
            case ast.Name():
                if (made := meaning(facts, node)) is not None:
                    yield from _readings(facts, made, owner, name)
                elif _is_paired(facts, node, *spelled):
                    yield node


def _is_paired(facts: Facts, node: ast.Name, owner: str, name: str) -> bool:
    names = uses_in(facts).names
    stores = [one for one in names.stores(node) if node in names.loads(one)]
    pair = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    loop = facts.index.parents.get(pair) if pair is not None else None
    match loop:
        case ast.For(target=ast.Tuple(elts=[by, one]), iter=source) if one is stores[0]:
            return ast.unparse(by) == name and _lists_parameters(source, owner)
    return False


def _lists_parameters(node: ast.expr, owner: str) -> bool:
    """`layer.named_parameters()`, `list(layer._parameters.items())`"""
    match node:
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner]):
            return _lists_parameters(inner, owner)
        case ast.Call(func=ast.Attribute(value=of, attr="named_parameters")):
            return ast.unparse(of) == owner
        case ast.Call(func=ast.Attribute(value=ast.Attribute(value=of) as held, attr="items")):
            return last_name(held) == "_parameters" and ast.unparse(of) == owner
    return False
