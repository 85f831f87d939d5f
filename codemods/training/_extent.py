"""Does an expression surely give a tensor of several elements? By shape, or by how it is made."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import graphs_around, key_of
from autofix.codemods.training._taken import Chosen, chosen_by, holds, is_dead
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import Closure, Instance
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_ELEMENTWISE = frozenset(
    "abs pow square exp log log1p expm1 sqrt sigmoid tanh relu softplus clamp clamp_min clamp_max "
    "float double half neg mul add sub div where maximum minimum to cuda cpu clone contiguous "
    "leaky_relu gelu logsigmoid nan_to_num relu_ masked_fill".split()
)
_DEPTH = 8


def is_many(facts: Facts, node: ast.expr, depth: int = _DEPTH) -> bool:
    value = facts.value(node)
    if value.is_tensor and value.shape is not None:
        return not value.is_single
    if not depth or not value.kind & (Kind.TENSOR | Kind.UNKNOWN):
        return False
    match node:
        case ast.Name() | ast.Attribute() if key_of(node) is not None:
            return _bound_many(facts, node, depth)
        case ast.BinOp(op=ast.MatMult()):
            return False
        case ast.BinOp(left=left, right=right):
            return is_many(facts, left, depth - 1) or is_many(facts, right, depth - 1)
        case ast.UnaryOp(operand=inner):
            return is_many(facts, inner, depth - 1)
        case ast.IfExp(body=body, orelse=other):
            return is_many(facts, body, depth - 1) and is_many(facts, other, depth - 1)
        case ast.Call():
            return _called_many(facts, node, None, depth)
    return False


def criterion_of(facts: Facts, call: ast.Call) -> bool:
    """Is it a loss that is asked not to reduce: `reduction="none"`, here or where it was made?"""
    flags: dict[str, object] = {
        k.arg: k.value.value for k in call.keywords if k.arg and isinstance(k.value, ast.Constant)
    }
    name = facts.library_name(call.func) or ""
    if name.startswith("torch.nn.functional."):
        return flags.get("reduction") == "none" or flags.get("reduce") is False
    value = facts.value(call.func)
    if value.kind == Kind.MODULE and isinstance(value.ref, str) and value.ref.endswith("Loss"):
        made = {k: v.const for k, v in (value.entries or {}).items()}
        return made.get("reduction") == "none" or made.get("reduce") is False
    return False


def _bound_many(facts: Facts, node: ast.expr, depth: int) -> bool:
    """Every binding of the variable in this function gives several elements."""
    graphs = graphs_around(facts, node)
    found = []
    for statement, value in graphs.stores.get(key_of(node) or "", ()):
        if value is None or not isinstance(statement, (ast.Assign, ast.AnnAssign)):
            return False
        if not _reaches(facts, statement, node) or is_dead(facts, statement, {}):
            continue
        if any(n is node for n in ast.walk(value)):
            return False
        at = _position(statement, key_of(node))
        if at is not None and isinstance(value, ast.Call):
            found.append(_called_many(facts, value, at, depth - 1))
        else:
            found.append(is_many(facts, value, depth - 1))
    return bool(found) and all(found)


def _reaches(facts: Facts, statement: ast.stmt, node: ast.expr) -> bool:
    """Can the binding be seen by this read, which other bindings may hide?"""
    graphs = graphs_around(facts, node)
    read = facts.index.statement_of(node)
    kills = {s for s, _ in graphs.stores.get(key_of(node) or "", ())}
    return read in graphs.order.after(statement, kills)


def _position(statement: ast.stmt, key: str | None) -> int | None:
    """Where in `a, b = f()` the variable stands."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        elements = statement.targets[0].elts
        return next((i for i, e in enumerate(elements) if key_of(e) == key), None)
    return None


def _called_many(facts: Facts, call: ast.Call, at: int | None, depth: int) -> bool:
    if at is None and criterion_of(facts, call):
        return True
    name = last_name(call.func) or ""
    library = facts.library_name(call.func)
    if at is None and name in _ELEMENTWISE:
        if library is not None and library.startswith("torch."):
            return any(is_many(facts, a, depth - 1) for a in call.args)
        if isinstance(call.func, ast.Attribute):
            return is_many(facts, call.func.value, depth - 1)
    function = _function_called(facts, call)
    if function is None or not depth:
        return False
    chosen = chosen_by(facts, call, function)
    returns = [n for n in ast.walk(function) if isinstance(n, ast.Return)]
    given = [n.value for n in returns if not is_dead(facts, n, chosen)]
    found = []
    for value in given:
        if at is not None:
            pair = isinstance(value, ast.Tuple) and at < len(value.elts)
            value = value.elts[at] if pair else None  # type: ignore[union-attr]
        found.append(value is not None and _given_many(facts, value, chosen, depth - 1))
    return bool(found) and all(found)


def _given_many(facts: Facts, value: ast.expr, chosen: Chosen, depth: int) -> bool:
    """What a function returns; of a choice, the part that is taken."""
    if isinstance(value, ast.IfExp):
        parts = [(value.body, True), (value.orelse, False)]
        known = holds(facts, value.test, chosen)
        taken = [part for part, when in parts if known in (None, when)]
        return all(_given_many(facts, part, chosen, depth) for part in taken)
    return is_many(facts, value, depth)


def _function_called(facts: Facts, call: ast.Call) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function of this file that a call runs: of a module, its `forward`."""
    known = uses_in(facts).names.function_named(call.func)
    ref = facts.value(call.func).ref
    if isinstance(ref, Instance):
        found = ref.info.find("forward") or ref.info.find("__call__")
        ref = found.ref if found is not None else None
    function = known if known is not None else ref.node if isinstance(ref, Closure) else None
    return function if isinstance(function, FUNCTIONS) else None
