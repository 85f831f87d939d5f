"""Parameters that are trained if they are made of floats, and are made of integers."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._floats import is_index
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument
from autofix.flow.uses import uses_in
from autofix.flow.values import FLOATING, INTEGRAL, Graph, Kind
from autofix.model import Edit


def left_as_integers(facts: Facts, node: ast.Call) -> tuple[Edit, ...] | None:
    """The edits that make `nn.Parameter(data, requires_grad=data.is_floating_point())` one of
    floats; None if `data` may be of floats, or nothing shows that it is to be trained."""
    data, flag = node.args[0], argument(node, 1, "requires_grad")
    if flag is None or not isinstance(data, ast.Name) or not _asks(facts, flag, data):
        return None
    value = facts.value(data)
    if value.kind != Kind.TENSOR or value.dtype not in INTEGRAL - {"bool"} or value.assumed:
        return None
    if not facts.index.trains or is_index(facts, node) or not _computes(facts, node):
        return None
    name, asked = data.id, facts.source.segment(flag)
    start = facts.source.span(data)[0]
    end = facts.source.span(flag)[1]
    return (Edit(start, end, f"{name} if {asked} else {name}.float()"),)


def _asks(facts: Facts, flag: ast.expr, data: ast.Name) -> bool:
    """Is the flag `data.is_floating_point()`, or a name for that?"""
    if isinstance(flag, ast.Name):
        made = [facts.index.parents.get(s) for s in uses_in(facts).names.stores(flag)]
        match made:
            case [ast.Assign(targets=[ast.Name()], value=value)]:
                flag = value
    match flag:
        case ast.Call(func=ast.Attribute(attr="is_floating_point", value=owner), args=[]):
            return ast.unparse(owner) == data.id
        case ast.Call(args=[ast.Name(id=name)]) if last_name(flag.func) == "is_floating_point":
            return name == data.id
    return False


def _computes(facts: Facts, node: ast.Call) -> bool:
    """Is it computed with, together with floats or with what may carry a graph?"""
    for use in uses_in(facts).follow(node):
        if isinstance(use.user, ast.BinOp) and not use.contained:
            left, right = use.user.left, use.user.right
            other = facts.value(right if left is use.node else left)
            floats = other.dtype in FLOATING or other.graph > Graph.NO
            if other.is_tensor and floats and not is_index(facts, use.user):
                return True
    return False
