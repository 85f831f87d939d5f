"""Functions of this file that run a backward pass through what they are given."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Closure
from autofix.flow.roles import BACKWARD
from autofix.flow.syntax import argument

_PASSED = (ast.With, ast.Expr)
_SCALING = frozenset({"scale", "mean", "sum"})


@dataclass(frozen=True, slots=True)
class Helper:
    """`def update(self, loss): ... loss.backward() ...`"""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    parameter: str
    at: int
    """Which argument it is in a call."""
    backward: ast.Call
    retains: bool

    def given(self, call: ast.Call) -> ast.expr | None:
        """The loss that a call hands over."""
        if any(isinstance(a, ast.Starred) for a in call.args):
            return None
        is_method = (
            isinstance(call.func, ast.Attribute) and self.function.args.args[0].arg == "self"
        )
        return argument(call, self.at - int(is_method), self.parameter)


def helper_of(facts: Facts, call: ast.Call) -> Helper | None:
    """The one that a call surely calls."""
    known = helpers(facts).get(last_name(call.func) or "")
    ref = facts.value(call.func).ref if known else None
    node = ref.node if isinstance(ref, Closure) else None
    return next((one for one in known or () if one.function is node), None)


@functools.lru_cache(maxsize=8)
def helpers(facts: Facts) -> dict[str, list[Helper]]:
    """By the name of the function."""
    found: dict[ast.AST, Helper | None] = {}
    for call in facts.index.of_kind(ast.Call):
        if last_name(call.func) not in BACKWARD:
            continue
        function = facts.index.function_of(call)
        if function is None or last_name(call.func) == function.name:
            continue
        one = _helper(facts, function, call)
        known = found.get(function, one)
        same = one is not None and known is not None and known.parameter == one.parameter
        found[function] = one if same else None
    named: dict[str, list[Helper]] = {}
    for each in filter(None, found.values()):
        named.setdefault(each.function.name, []).append(each)
    return named


def _helper(
    facts: Facts, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> Helper | None:
    if not isinstance(call.func, ast.Attribute) or not _is_always_run(facts, function, call):
        return None
    root = _unscaled(call.func.value)
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if root not in names or root == "self":
        return None
    kept = [k.value for k in call.keywords if k.arg in ("retain_graph", "create_graph")]
    retains = any(not (isinstance(k, ast.Constant) and not k.value) for k in kept)
    if not _keeps_its_name(function, root):
        return None
    return Helper(function, root, names.index(root), call, retains)


def _unscaled(node: ast.expr) -> str | None:
    """`loss` of `scaler.scale(loss)`, `loss / 4`, `loss.mean()`"""
    match node:
        case ast.Name(id=name):
            return name
        case ast.BinOp(op=ast.Div() | ast.Mult(), left=left):
            return _unscaled(left)
        case ast.Call(func=ast.Attribute(attr=name), args=[inner]) if name in _SCALING:
            return _unscaled(inner)
        case ast.Call(func=ast.Attribute(attr=name, value=inner), args=[]) if name in _SCALING:
            return _unscaled(inner)
    return None


def _keeps_its_name(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    """Is nothing but a scaled version of it ever bound to its name?"""
    scaled: set[ast.expr] = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[target], value=value) if _unscaled(value) == name:
                scaled.add(target)
            case ast.AugAssign(target=target, op=ast.Div() | ast.Mult()):
                scaled.add(target)
    return all(
        node in scaled
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    )


def _is_always_run(
    facts: Facts, function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call
) -> bool:
    """Whichever way a condition goes, there is a backward pass."""
    for around in facts.index.ancestors(call):
        if around is function:
            return True
        if isinstance(around, ast.If):
            sides = (around.body, around.orelse)
            if not all(any(map(_runs_backward, side)) for side in sides):
                return False
        elif isinstance(around, (ast.stmt, ast.Lambda)) and not isinstance(around, _PASSED):
            return False
    return False


def _runs_backward(statement: ast.stmt) -> bool:
    return any(
        isinstance(n, ast.Call) and last_name(n.func) in BACKWARD for n in ast.walk(statement)
    )
