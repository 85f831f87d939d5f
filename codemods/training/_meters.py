"""Meters of other files that add up, or list, what they are handed."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.objects import Closure
from autofix.flow.unit import is_foreign
from autofix.flow.uses import ADDING
from autofix.flow.walk import walk


def handed_to_meter(call: ast.Call, facts: Facts) -> list[ast.expr]:
    """The arguments that a method in another file keeps in its object from call to call, as they
    are: `self.sum += value * n`, `self.values.append(value)`; or part by part: `self.sums[k] +=
    values[k]`."""
    if not isinstance(call.func, ast.Attribute) or not call.args:
        return []
    ref = facts.value(call.func).ref
    method = ref.node if isinstance(ref, Closure) and ref.bound_to is not None else None
    if not isinstance(method, FUNCTIONS) or isinstance(method, ast.Lambda):
        return []
    if not is_foreign(method):
        return []
    me, *names = [a.arg for a in (*method.args.posonlyargs, *method.args.args)]
    given = dict(zip(names, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg in names}
    parts = {name: whole for node in walk(method) for name, whole in _parts(node).items()}
    stored = [
        n.id for n in walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    kept = {name for node in walk(method) for name in _kept(node, me)}
    # The name of a part is set by its loop, and once more where its value is taken out first.
    kept = {parts.get(n, n) for n in kept if stored.count(n) == (n in parts)} - {*stored}
    return [value for name, value in given.items() if name in kept]


def _parts(node: ast.AST) -> dict[str, str]:
    """`value` is a part of `values` in `for name, value in values.items():`"""
    match node:
        case ast.For(
            target=ast.Tuple(elts=[_, ast.Name(id=part)]),
            iter=ast.Call(func=ast.Attribute(value=ast.Name(id=whole), attr="items")),
        ):
            return {part: whole}
    return {}


def _kept(node: ast.AST, me: str) -> set[str]:
    match node:
        case ast.AugAssign(target=target, op=ast.Add(), value=value) if _is_of(target, me):
            return _terms(value)
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add(), left=left, right=right)):
            same = ast.unparse(target) == ast.unparse(left)
            return _terms(right) if same and _is_of(target, me) else set()
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[value]) if name in ADDING:
            return _terms(value) if _is_of(owner, me) else set()
    return set()


def _is_of(node: ast.expr, me: str) -> bool:
    """`self.sum`, `self.sums[name]`"""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return isinstance(node, ast.Name) and node.id == me


def _terms(node: ast.expr) -> set[str]:
    """The names that are added as they are, or scaled."""
    match node:
        case ast.BinOp(left=left, right=right):
            return _terms(left) | _terms(right)
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name), slice=ast.Name()):
            return {name}
    return set()
