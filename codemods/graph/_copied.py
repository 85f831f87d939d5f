"""May the copy of a tensor be meant as a stop, by what becomes of the tensor and of the copy?"""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind


def has_twin(node: ast.Call, data: ast.expr, facts: Facts) -> bool:
    """`a = torch.tensor(z[i])` and `b = torch.tensor(z[j])`, of which one is no target: where one
    is an accident, so is the other."""
    if not isinstance(data, ast.Subscript) or not isinstance(data.value, ast.Name):
        return False
    function = facts.index.function_of(node)
    for call in facts.index.of_kind(ast.Call):
        if call is node or facts.index.function_of(call) is not function or not call.args:
            continue
        match call.args[0]:
            case ast.Subscript(value=ast.Name(id=name)) if name == data.value.id:
                if ast.unparse(call.func) == ast.unparse(node.func) and not facts.is_target(call):
                    return True
    return False


def is_used_alive(data: ast.expr, facts: Facts) -> bool:
    """Is the tensor that is copied used with its graph, too? Then somebody has made two of it.
    (A copy that takes the very name of the tensor is no second one.)"""
    if not isinstance(data, ast.Name) or _takes_its_name(data, facts):
        return False
    names = uses_in(facts).names
    for store in names.stores(data):
        reads = names.loads(store)
        if any(read is data for read in reads) and any(
            read is not data and _is_alive(read, facts) for read in reads
        ):
            return True
    return False


def is_kept_for_a_layer(node: ast.Call, facts: Facts) -> bool:
    """`skips.append(torch.tensor(h))` in a `forward`: what later layers are given is no stop."""
    function = facts.index.function_of(node)
    around = facts.index.parents.get(node)
    if getattr(function, "name", "") != "forward":
        return False
    if isinstance(around, ast.List):
        around = facts.index.parents.get(around)
        if isinstance(around, ast.Assign):  # `skips = [torch.tensor(h)]`
            return True
    if not isinstance(around, ast.Call):
        return False
    listed = last_name(around.func) in ("append", "cat", "concat", "stack")
    return listed or facts.value(around.func).kind == Kind.MODULE


def _takes_its_name(data: ast.Name, facts: Facts) -> bool:
    statement = facts.index.statement_of(data)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(t, ast.Name) and t.id == data.id for t in targets)


def _is_alive(read: ast.Name, facts: Facts) -> bool:
    """Does a graph go on from here?"""
    user = facts.index.parents.get(read)
    if isinstance(user, ast.Attribute):
        call = facts.index.parents.get(user)
        user = call if isinstance(call, ast.Call) and call.func is user else user
    elif isinstance(user, ast.keyword):
        user = facts.index.parents.get(user)
    if not isinstance(user, (ast.Call, ast.BinOp, ast.Attribute, ast.Subscript)):
        return False
    result = facts.value(user)
    return bool(result.kind & Kind.TENSOR) and result.graph > Graph.NO
