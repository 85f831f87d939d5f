"""Updates by hand that bind the name of a weight to a new tensor."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.leaf._held import held_elsewhere
from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.leaf._update_forms import is_update, loop_around, names_of, pairs_of, step_of
from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import last_name
from autofix.flow.roles import runs_backward
from autofix.flow.syntax import is_named
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_AGAIN = frozenset({"detach", "requires_grad_", "requires_grad", "retain_grad", "Variable"})
_AGAIN_TOO = frozenset({"Parameter", "tensor", "clone", "leaf"})


class Verdict(Enum):
    UNUSED = "nothing reads the result"
    CARRIED = "the next turn wants its gradient"
    NO_GRAD = "likewise, and it was computed under `no_grad`"
    ELSEWHERE = "an object keeps the tensor of before"


@dataclass(frozen=True, slots=True)
class Update:
    """`statement` binds `target` to `target - step`."""

    statement: ast.Assign | ast.Expr
    target: ast.expr
    value: ast.expr
    step: ast.expr | None
    """What is subtracted or added; None if the whole value has to be copied."""
    sign: str
    verdict: Verdict
    sure: bool

    @property
    def text(self) -> str:
        return ast.unparse(self.target)


def updates_from(facts: Facts, node: ast.Assign) -> list[Update]:
    """The update at `node` and those that follow it directly; none if it follows one itself."""
    if not _updates(facts, node):
        return []
    block = facts.index.block_of(node)
    at = block.index(node)
    if at and _updates(facts, block[at - 1]):
        return []
    found: list[Update] = []
    for statement in block[at:]:
        new = _updates(facts, statement)
        if not new:
            break
        found += new
    return found


def update_of_attribute(facts: Facts, node: ast.Expr) -> Update | None:
    """`setattr(self, name, t - step)`, where `t` is what that attribute was."""
    match node.value:
        case ast.Call(func=ast.Name(id="setattr"), args=[owner, key, value]):
            place = f"getattr({ast.unparse(owner)}, {ast.unparse(key)})"
        case _:
            return None
    for name in ast.walk(value):
        if not isinstance(name, ast.Name) or not is_update(facts, node, name, value):
            continue
        stores = uses_in(facts).names.stores(name)
        made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
        parts = step_of(value, name.id)
        if not isinstance(made, ast.Assign) or ast.unparse(made.value) != place or parts is None:
            continue
        if facts.index.trains and not _made_leaf_again(facts, node, name):
            verdict = Verdict.NO_GRAD if without_gradient(facts, node) else Verdict.CARRIED
            return Update(node, name, value, *parts, verdict, True)
    return None


def _updates(facts: Facts, statement: ast.stmt) -> list[Update]:
    """By the syntax first: it is hardly ever one."""
    pairs = pairs_of(statement)
    if not pairs or not all(is_update(facts, statement, *pair) for pair in pairs):
        return []
    names = [ast.unparse(target) for target, _ in pairs]
    for target, value in pairs if len(pairs) > 1 else []:
        read = {ast.unparse(n) for n in ast.walk(value) if isinstance(n, ast.expr)}
        if read & set(names) - {ast.unparse(target)}:
            return []  # the second would see what the first has changed
    assert isinstance(statement, ast.Assign)
    found = [_judged(facts, statement, *pair) for pair in pairs]
    return [f for f in found if f is not None] if None not in found else []


def _judged(
    facts: Facts, statement: ast.Assign, target: ast.expr, value: ast.expr
) -> Update | None:
    names = names_of(facts, statement, target)
    parts = next((p for name in names if (p := step_of(value, name)) is not None), None)
    if isinstance(target, ast.Subscript) and _is_of_turn(facts, target):
        return None
    if parts is None or not facts.value(target).kind & (Kind.TENSOR | Kind.UNKNOWN):
        return None
    verdict = _verdict(facts, statement, target)
    if verdict is None:
        return None
    sure = verdict != Verdict.UNUSED or _leaf_somewhere(facts, value, target)
    return Update(statement, target, value, *parts, verdict, sure)


def _is_of_turn(facts: Facts, target: ast.Subscript) -> bool:
    """Are the dict or its leaves made anew in each turn (`fast = dict(weights)`), or is there but
    one?"""
    loops = facts.index.loops_around(target)
    training = (loop for loop in loops if runs_backward(loop, facts))
    turn = next(training, facts.index.function_of(target))
    owner = ast.unparse(target.value)
    if turn is None:
        return len(loops) == 1
    for node in ast.walk(turn):
        if isinstance(node, ast.Attribute) and node.attr in ("requires_grad_", "requires_grad"):
            return True
        if is_named(node, owner) and isinstance(getattr(node, "ctx", None), ast.Store):
            return True
    return False


def _verdict(facts: Facts, statement: ast.Assign, target: ast.expr) -> Verdict | None:
    if _made_leaf_again(facts, statement, target):
        return Verdict.ELSEWHERE if held_elsewhere(facts, statement, target) else None
    if isinstance(target, ast.Name):
        reads = uses_in(facts).names.loads(target)
        used = [r for r in reads if not _about_gradient(facts, r)]
        inside = _loop_over(facts, statement, target.id)
        function = facts.index.function_of(statement)
        if not used and (
            inside or (function is not None and loop_around(facts, statement) is None)
        ):
            return Verdict.UNUSED
        if inside or not (
            _carried(facts, statement, target.id) or _comes_back(facts, statement, target.id, used)
        ):
            return None
    elif isinstance(target, ast.Attribute):
        if facts.index.function_of(statement) is None and loop_around(facts, statement) is None:
            return None
        if target.attr in ("grad", "data"):
            return None
    elif loop_around(facts, statement) is None:
        return None
    return Verdict.NO_GRAD if without_gradient(facts, statement) else Verdict.CARRIED


def _about_gradient(facts: Facts, read: ast.Name) -> bool:
    """`p.grad = None`, `p.grad.zero_()`: nothing of the new tensor's value."""
    parent = facts.index.parents.get(read)
    return isinstance(parent, ast.Attribute) and parent.attr == "grad"


def _loop_over(facts: Facts, statement: ast.stmt, name: str) -> bool:
    """Is the name bound by a loop around, or in the body of the innermost one, in each turn?"""
    loop = loop_around(facts, statement)
    if loop is None:
        return False
    for node in ast.walk(loop):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            owner = facts.index.statement_of(node)
            before = (node.lineno, node.col_offset) < (statement.lineno, statement.col_offset)
            if owner is not statement and before and not isinstance(owner, ast.AugAssign):
                return True
    return False


def _carried(facts: Facts, statement: ast.Assign, name: str) -> bool:
    """Does the next turn of a loop start with the new tensor, and run a backward pass?"""
    loop = loop_around(facts, statement)
    while loop is not None:
        others = [
            n
            for n in ast.walk(loop)
            if isinstance(n, ast.Name)
            and n.id == name
            and isinstance(n.ctx, ast.Store)
            and facts.index.statement_of(n) is not statement
        ]
        if any(not _is_again_update(facts, n) for n in others):
            return False
        if runs_backward(loop, facts):
            return True
        loop = loop_around(facts, loop)
    return False


def _is_again_update(facts: Facts, store: ast.Name) -> bool:
    statement = facts.index.statement_of(store)
    if isinstance(statement, ast.AugAssign):
        return True
    return statement is not None and any(
        target is store and is_update(facts, statement, target, value)
        for target, value in pairs_of(statement)
    )


def _comes_back(facts: Facts, statement: ast.Assign, name: str, used: list[ast.Name]) -> bool:
    """`w = step(w, lr)` in a training loop, and the function returns the new tensor."""
    function = facts.index.function_of(statement)
    calls = uses_in(facts).calls_of(function)
    if function is None or not calls or loop_around(facts, statement) is not None:
        return False
    if not all(isinstance(facts.index.statement_of(r), ast.Return) for r in used):
        return False
    for call in calls:
        bound, loop = facts.index.statement_of(call), loop_around(facts, call)
        given = given_to(facts, function, call, name)
        if loop is None or not isinstance(bound, ast.Assign) or given is None:
            return False
        again = [n for n in ast.walk(bound.targets[0]) if ast.unparse(n) == ast.unparse(given)]
        if not again or not runs_backward(loop, facts) or _made_leaf_again(facts, bound, given):
            return False
    return True


def _made_leaf_again(facts: Facts, statement: ast.stmt, target: ast.expr) -> bool:
    """Does anything around make it a leaf again, or keep the gradient of what is none?"""
    name = ast.unparse(target)
    scope = facts.index.function_of(statement)
    body = facts.index.body_nodes(scope) if scope is not None else list(ast.walk(facts.tree))
    loop = loop_around(facts, statement)
    for node in body:
        if facts.index.function_of(node) is not scope:
            continue
        match node:
            case ast.Attribute(value=owner, attr=attr) if (
                attr in _AGAIN and ast.unparse(owner) == name
            ):
                if attr in ("retain_grad", "requires_grad_") or not isinstance(node.ctx, ast.Load):
                    return True
            case ast.Assign(targets=[again], value=value):
                if node is statement or ast.unparse(again) != name:
                    continue
                if loop is not None and loop not in facts.index.ancestors(node):
                    continue
                words = {
                    last_name(n)
                    for n in ast.walk(value)
                    if isinstance(n, (ast.Name, ast.Attribute))
                }
                if words & (_AGAIN | _AGAIN_TOO):
                    return True
    return False


def _leaf_somewhere(facts: Facts, value: ast.expr, target: ast.expr) -> bool:
    """Is it known to be a tensor that requires a gradient, or one of the parameters of a model?"""
    name = ast.unparse(target)
    for node in ast.walk(value):
        if isinstance(node, ast.expr) and ast.unparse(node) == name:
            found = facts.value(node)
            return found.leaf or found.parameter or bool(found.kind & Kind.UNKNOWN)
    return False
