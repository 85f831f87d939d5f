"""Where code changes a tensor in place."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import is_module_class
from autofix.flow.syntax import is_true, keyword, unsubscripted
from autofix.flow.writes import NOT_WRITES

TRIGGER = r"[-+*/%]=(?!=)|_\(|inplace\b|True\)|\]\s*=(?!=)"
NODES = (ast.Assign, ast.AugAssign, ast.Call)


@dataclass(frozen=True, slots=True)
class Place:
    """One write."""

    node: ast.expr | ast.stmt
    """What is reported: the assignment, or the call."""
    target: ast.expr
    """The expression whose tensor is written; the call that makes a module working in place."""
    base: ast.expr
    """`x` of the target `x[0][1]`."""
    statement: ast.stmt
    is_module: bool = False


@functools.lru_cache(maxsize=8)  # each of the rules asks of the same node
def places(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> tuple[Place, ...]:
    """The writes that a statement or call makes itself, by its syntax."""
    return tuple(_places(node, facts))


def _places(node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts) -> Iterator[Place]:
    if isinstance(node, ast.Call):
        yield from _called(node, facts)
        return
    targets = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
    for target in targets:  # grows while it is read
        if isinstance(target, (ast.Tuple, ast.List)):
            targets += target.elts
        elif isinstance(target, ast.Subscript) or isinstance(node, ast.AugAssign):
            if isinstance(target, ast.Name) and _never_a_tensor(target, facts):
                continue
            if facts.may_hold_tensor(unsubscripted(target)):
                yield Place(node, target, unsubscripted(target), node)


def _called(node: ast.Call, facts: Facts) -> Iterator[Place]:
    name = last_name(node.func)
    if name is None:
        return
    flag = flag_of(node)
    if flag is None and (not name.endswith("_") or name.endswith("__") or name in NOT_WRITES):
        return
    statement = facts.index.statement_of(node)
    if statement is None:
        return
    if flag is not None:
        dotted = facts.library_name(node.func)
        if dotted is not None and is_module_class(dotted):
            yield Place(node, node, node, statement, is_module=True)
        elif dotted is not None and node.args:
            yield Place(node, node.args[0], unsubscripted(node.args[0]), statement)
        return
    if isinstance(node.func, ast.Attribute):
        op = torch_api.method(name)
        known = op is not None and op.alias == "self" and facts.may_hold_tensor(node.func.value)
        if known and facts.library_name(node.func) is None:
            yield Place(node, node.func.value, unsubscripted(node.func.value), statement)
            return
    dotted = facts.library_name(node.func)
    if dotted is not None and node.args and torch_api.function(dotted) is not None:
        yield Place(node, node.args[0], unsubscripted(node.args[0]), statement)


def flag_of(node: ast.Call) -> ast.expr | None:
    """The `True` that makes a function or module work in place, as in `nn.ReLU(True)`."""
    flag = keyword(node, "inplace")
    if is_true(flag):
        return flag
    name = last_name(node.func) or ""
    if name[:1].isupper() and node.args and is_true(node.args[-1]):
        return node.args[-1] if torch_api.inplace_position(name) == len(node.args) - 1 else None
    return None


def _never_a_tensor(name: ast.Name, facts: Facts) -> bool:
    """Is the name only ever set to a number, a string, a list or `len(...)`? (By the syntax alone,
    which spares most of a file.)"""
    function = facts.index.function_of(name)
    if function is None:
        return False
    if any(isinstance(a, ast.arg) and a.arg == name.id for a in ast.walk(function.args)):
        return False
    found = False
    for node in facts.index.body_nodes(function):
        if isinstance(node, ast.Name) and node.id == name.id and isinstance(node.ctx, ast.Store):
            parent = facts.index.parents.get(node)
            if isinstance(parent, ast.AugAssign):
                continue
            if not (isinstance(parent, ast.Assign) and _is_plain(parent.value)):
                return False
            found = True
    return found


def _is_plain(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.List() | ast.JoinedStr() | ast.ListComp() | ast.Dict():
            return True
        case ast.UnaryOp(operand=inner):
            return _is_plain(inner)
        case ast.Call(func=ast.Name(id="len" | "int" | "float" | "str" | "list" | "set")):
            return True
    return False
