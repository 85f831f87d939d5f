"""Weights that are brought back into their bounds between a forward and its backward pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow.events import loss_of
from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.handles import Scope, any_related, handles
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.losses import sources
from autofix.flow.roles import BACKWARD, is_optimizer
from autofix.flow.syntax import calls_in, mentions
from autofix.flow.turns import held_by
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Edit
from autofix.rewrite.statements import moved_behind

PROJECTIONS = frozenset(
    {"clamp_", "clamp_min_", "clamp_max_", "clip_", "renorm_", "mul_", "div_", "abs_", "relu_"}
)
_LISTS = frozenset({"parameters", "named_parameters"})


@dataclass(frozen=True)
class Between:
    """A projection that runs when a loss is computed and its backward pass is not yet made."""

    loss: ast.Name
    backward: ast.stmt
    edits: tuple[Edit, ...]
    """They put it behind the step; empty where that cannot be done."""


def between(facts: Facts, node: ast.stmt, weight: ast.expr) -> Between | None:
    """What the projection `node` of a weight is in between, if it is."""
    if not _is_projection(facts, node, weight):
        return None
    for statement, subject in _runs(facts, node, weight):
        found = _in_block(facts, statement, subject)
        if found is not None:
            return found
    return None


def _is_projection(facts: Facts, node: ast.stmt, weight: ast.expr) -> bool:
    """Does a statement compute with the weight alone, and numbers?"""
    text = ast.unparse(weight)
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name))):
            if name not in PROJECTIONS:
                return False
        case ast.Assign(value=value):
            if not mentions(value, text):
                return False
        case ast.AugAssign(op=ast.Mult() | ast.Div()):
            pass
        case _:
            return False
    own = {n for part in mentions(node, text) for n in ast.walk(part)}
    if any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(node)):
        return False
    return not any(
        facts.value(n).kind & Kind.TENSOR
        for n in ast.walk(node)
        if isinstance(n, (ast.Name, ast.Attribute)) and isinstance(n.ctx, ast.Load) and n not in own
        if not mentions(n, text)
    )


def _runs(facts: Facts, node: ast.stmt, weight: ast.expr) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """The statements that do it, all of it and nothing else, and whose weights they change."""
    subject, statement = weight, node
    while (parent := facts.index.parents.get(statement)) is not None:
        if isinstance(parent, ast.For) and isinstance(weight, ast.Name):
            if not any(n.id == weight.id for n in _names(parent.target)):
                break
            subject = _owner(parent.iter)
        elif isinstance(parent, (*FUNCTIONS, ast.Lambda)):
            if isinstance(parent, FUNCTIONS) and _rest(parent.body) == [statement]:
                yield from _calls(facts, parent, subject)
            break
        elif not isinstance(parent, (ast.With, ast.If)) or getattr(parent, "orelse", None):
            break
        if parent.body != [statement]:
            break
        statement = parent
    yield statement, subject


def _names(node: ast.AST) -> list[ast.Name]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Name)]


def _owner(many: ast.expr) -> ast.expr:
    """The model of `model.parameters()`; else the list itself."""
    match many:
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in _LISTS:
            return owner
    return many


def _rest(body: list[ast.stmt]) -> list[ast.stmt]:
    """A body without its docstring."""
    match body:
        case [ast.Expr(value=ast.Constant()), *rest]:
            return rest
    return body


def _calls(
    facts: Facts, function: ast.FunctionDef | ast.AsyncFunctionDef, subject: ast.expr
) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """The statements that are calls of the function, and whose weights it changes there."""
    given = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}
    for call in uses_in(facts).calls_of(function):
        statement = facts.index.parents.get(call)
        if not isinstance(call, ast.Call) or not isinstance(statement, ast.Expr):
            continue
        there: ast.expr | None = subject
        if isinstance(subject, ast.Name) and subject.id in given:
            there = given_to(facts, function, call, subject.id)
        if there is not None:
            yield statement, there


def _in_block(facts: Facts, statement: ast.stmt, subject: ast.expr) -> Between | None:
    block = facts.index.block_of(statement)
    at = block.index(statement)
    scope = Scope(facts.index.function_of(statement))
    behind = block[at + 1 :]
    for backward in behind:
        loss = _run_back(backward)
        if loss is None:
            if any(last_name(c.func) in (*BACKWARD, "step") for c in calls_in(backward)):
                return None
            continue
        made = [_place(facts, store, block) for store in uses_in(facts).names.stores(loss)]
        if not made or any(one is None or at <= one <= block.index(backward) for one in made):
            return None
        who = handles(subject, scope, facts)
        step = _step(facts, block[block.index(backward) + 1 :])
        held = held_by(step[1], scope, facts) if step is not None else None
        if held is not None and not any_related(held, who):
            return None
        if held is None and not _goes_through(facts, loss, subject, scope):
            return None
        later = [s for s in block if s not in (statement, *_kept_in_bounds(facts, block, made))]
        if _writes(later):
            return None
        edits = moved_behind(facts, [statement], step[0]) if step is not None else None
        return Between(loss, backward, edits or ())
    return None


def _run_back(statement: ast.stmt) -> ast.Name | None:
    match statement:
        case ast.Expr(value=ast.Call(func=func) as call) if last_name(func) in BACKWARD:
            loss = loss_of(call)
            return loss if isinstance(loss, ast.Name) else None
    return None


def _place(facts: Facts, node: ast.AST, block: list[ast.stmt]) -> int | None:
    around: list[ast.AST] = [node, *facts.index.ancestors(node)]
    return next((at for at, one in enumerate(block) if one in around), None)


def _goes_through(facts: Facts, loss: ast.Name, subject: ast.expr, scope: Scope) -> bool:
    if isinstance(subject, (ast.Tuple, ast.List)):
        return any(_goes_through(facts, loss, one, scope) for one in subject.elts)
    if _is_leaf(facts, subject) and isinstance(subject, ast.Name):
        return subject.id in _computed_with(facts, loss)
    return any_related(sources(loss, scope, facts).parts, handles(subject, scope, facts))


def _computed_with(facts: Facts, loss: ast.Name) -> set[str]:
    """The variables that a value is computed with, by the assignments of its scope."""
    names = uses_in(facts).names
    found: set[str] = set()
    todo: list[ast.Name] = [loss]
    while todo:
        one = todo.pop()
        if one.id in found:
            continue
        found.add(one.id)
        for store in names.stores(one):
            statement = facts.index.statement_of(store)
            value = getattr(statement, "value", None)
            todo += _names(value) if isinstance(value, ast.expr) else []
    return found


def _kept_in_bounds(
    facts: Facts, block: list[ast.stmt], made: list[int | None]
) -> Iterator[ast.stmt]:
    """The statements behind the forward pass that only bring weights into their bounds."""
    for at, statement in enumerate(block):
        writes = [n for n in ast.walk(statement) if isinstance(n, ast.Attribute) and _past(n)]
        if all(at > (one or 0) for one in made) and all(
            inner is not None and _is_projection(facts, inner, write.value)
            for write in writes
            if (inner := facts.index.statement_of(write))
        ):
            yield statement


def _is_leaf(facts: Facts, node: ast.expr) -> bool:
    value = facts.value(node)
    return value.is_tensor and value.leaf


def _writes(statements: list[ast.stmt]) -> bool:
    """Are weights written past the graph? Then they may be changed for a while only, and set
    back."""
    nodes = (n for statement in statements for n in ast.walk(statement))
    return any(isinstance(n, ast.Attribute) and _past(n) for n in nodes)


def _past(node: ast.Attribute) -> bool:
    return node.attr in ("data", "copy_", "load_state_dict")


def _step(facts: Facts, behind: list[ast.stmt]) -> tuple[ast.stmt, ast.expr] | None:
    """The first statement that steps an optimizer, and that."""
    for statement in behind:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="step"), args=args)):
                for one in (owner, *args):
                    if is_optimizer(one, facts):
                        return statement, one
    return None
