"""Layers that a model makes itself when it is called for the first time."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.codemods.training._called import gets_another
from autofix.codemods.training._groups import GAINS
from autofix.codemods.training._made import Made
from autofix.codemods.training._replaced import (
    Replaced,
    arguments_inside,
    makes_parameters,
    may_be_known,
    run_by,
    text_of,
)
from autofix.flow.facts import Facts
from autofix.flow.handles import Scope, handles
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.syntax import calls_in
from autofix.flow.walk import walk

_DEPTH = 2
_FIXED = frozenset({"requires_grad", "requires_grad_"})
_KEEPING = frozenset({"to", "cuda", "cpu", "float", "double", "train", "eval", "parameters"})
"""What may be asked of a model without a call of it."""


def made_by_first_call(
    made: Made, later: Sequence[ast.stmt], facts: Facts
) -> Iterator[tuple[int, Replaced]]:
    """The first of the statements behind the optimizer that calls the model, if that makes its
    layers, and nothing can have called it before."""
    scope = Scope(facts.index.function_of(made.statement))
    for at, statement in enumerate(later):
        if isinstance(statement, (ast.For, ast.While)):
            return  # it trains, and nothing can move there
        for text, call, inner in _calls(statement, scope, facts):
            owners = handles(call.func, inner, facts)
            model = facts.value(call.func).ref
            if not owners & made.held or not isinstance(model, Instance):
                continue
            late = _made_late(model.info, facts)
            known = gets_another(made.held, later[at:], scope, facts)
            if late is not None and not known and _is_new(made, facts):
                yield at, Replaced(late, text, False, False)
            return


def _calls(
    statement: ast.stmt, scope: Scope, facts: Facts, depth: int = _DEPTH, text: str = ""
) -> Iterator[tuple[str, ast.Call, Scope]]:
    """The calls that a statement makes, itself or in functions of the project."""
    for node in run_by(statement):
        if not isinstance(node, ast.Call):
            continue
        said = text or f"{text_of(facts, node.func)}()"
        yield said, node, scope
        ref = facts.value(node.func).ref if depth and may_be_known(node, facts) else None
        if isinstance(ref, Closure) and not isinstance(ref.node, ast.Lambda):
            inner = Scope(ref.node, arguments_inside(node, ref, scope, facts))
            for one in ref.node.body:
                yield from _calls(one, inner, facts, depth - 1, said)


def _made_late(info: ClassInfo, facts: Facts) -> ast.Attribute | None:
    """`self.head` of `if self.head is None: self.head = nn.Linear(...)` in `forward`, or in a
    method that is called there."""
    methods = {m.name: m for m in reversed(info.methods())}
    init, forward = methods.get("__init__"), methods.get("forward")
    names = {getattr(n, "attr", "") for one in info.lineage for n in walk(one.node)}
    if init is None or forward is None or names & _FIXED or GAINS.search(facts.source.text):
        return None
    guarded = [n for n in walk(forward) if isinstance(n, ast.If) and _asks_self(n.test)]
    parts: list[ast.AST] = [statement for one in guarded for statement in (*one.body, *one.orelse)]
    called = {last_name(c.func) for part in parts for c in calls_in(part) if _is_own(c)}
    if {last_name(c.func) for c in calls_in(init)} & {*called, "forward", "self"}:
        return None  # they are there from the beginning
    parts += [methods[name] for name in called if name in methods]
    for node in (n for part in parts for n in walk(part)):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self")) as target]):
                if makes_parameters(node.value, facts, whole=False):
                    return target
    return None


def _asks_self(test: ast.expr) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "self" for n in walk(test))


def _is_own(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "self"


def _is_new(made: Made, facts: Facts) -> bool:
    """Was the model made in the same block, and not called or handed on since?"""
    block = facts.index.block_of(made.statement)
    scope = Scope(facts.index.function_of(made.statement))
    for statement in reversed(block[: block.index(made.statement)]):
        match statement:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as place], value=ast.Call() as c):
                if handles(place, scope, facts) & made.held:
                    return isinstance(facts.value(c.func).ref, ClassInfo)
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            continue
        for node in walk(statement):
            if (
                isinstance(node, (ast.Name, ast.Attribute))
                and handles(node, scope, facts) & made.held
            ):
                around = facts.index.parents.get(node)
                if not isinstance(around, ast.Attribute) or around.attr not in _KEEPING:
                    return False
    return False
