"""Data that every turn of a training loop changes in place, by way of a name of its own for it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.alias._argument_written import calls_of
from autofix.codemods.alias._changes import Change, change, first_target
from autofix.codemods.alias._overlap import is_another_part
from autofix.codemods.alias._read_again import is_read_as_it_was
from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import FunctionNode
from autofix.flow.syntax import unsubscripted
from autofix.flow.uses import uses_in
from autofix.flow.values import INTEGRAL, Graph
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.statements import insert_before


@dataclass(frozen=True, slots=True)
class Rewritten:
    name: str
    loop: ast.stmt
    edits: tuple[Edit, ...]


def rewritten(facts: Facts, statement: ast.stmt) -> Rewritten | None:
    """`xb = x[i : i + k]`, `xb /= 255` in each epoch; the same where a function writes into its
    argument, which the loop hands in. None unless it is the first such write under that name."""
    target = first_target(statement)
    name = unsubscripted(target) if target is not None else None
    if target is None or not isinstance(name, ast.Name):
        return None
    loops = facts.rewritten_in(target)
    if not loops or not _is_data(facts, name):
        return None
    function = facts.index.function_of(statement)
    writes = _writes(facts, name, function)
    bound = _bound_once(facts, name, function)
    if bound is None or writes[0] is not statement or not _is_always_done(facts, statement):
        return None
    if _is_written_elsewhere(facts, name, writes):
        return None
    edits = _copied(facts, name, bound, statement)
    for loop in sorted(loops, key=lambda each: each.lineno):
        outside = not isinstance(bound, ast.arg) and loop not in facts.index.ancestors(bound)
        if outside and loop in facts.index.ancestors(statement):
            continue  # the name is bound before, for all turns
        again = is_another_part(facts, loop, name, bound, function)
        if again is not None and _is_no_state(facts, name, function, writes, loop, again):
            return Rewritten(name.id, loop, edits) if edits else None
    return None


def _is_data(facts: Facts, name: ast.Name) -> bool:
    value = facts.value(name)
    if value.is_single or value.dtype in INTEGRAL:
        return False  # a rate, a count
    return value.is_tensor and value.graph != Graph.YES and not (value.leaf or value.parameter)


def _writes(facts: Facts, name: ast.Name, function: FunctionNode | None) -> list[ast.stmt]:
    """All statements that write by that name, in the order of the text."""
    names = uses_in(facts).names
    found = {facts.index.statement_of(n) for n in (*names.all_loads(name), *names.stores(name))}
    return sorted(
        (
            s
            for s in found
            if s is not None
            and facts.index.function_of(s) is function
            and (target := first_target(s)) is not None
            and isinstance(root := unsubscripted(target), ast.Name)
            and root.id == name.id
        ),
        key=lambda s: s.lineno,
    )


def _bound_once(
    facts: Facts, name: ast.Name, function: FunctionNode | None
) -> ast.arg | ast.Name | None:
    """The argument, or the one place that binds the name otherwise than by writing into it."""
    stores = [
        s
        for s in uses_in(facts).names.stores(name)
        if not isinstance(facts.index.parents.get(s), ast.AugAssign)
    ]
    spec = function.args if function is not None else None
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs] if spec is not None else []
    mine = [a for a in named if a.arg == name.id and a.arg not in ("self", "cls")]
    if mine:
        return mine[0] if not stores else None
    return stores[0] if len(stores) == 1 else None


def _is_always_done(facts: Facts, statement: ast.stmt) -> bool:
    """Is it not only done on a condition (that it was not done before, say)?"""
    function = facts.index.function_of(statement)
    ends = facts.index.body_nodes(function) if function is not None else []
    left = [
        n for n in ends if isinstance(n, (ast.Return, ast.Raise)) if n.lineno < statement.lineno
    ]
    return not any(
        isinstance(owner, (ast.If, ast.Try, ast.Match)) and not _asks_for_training(owner)
        for node in (statement, *left)
        for owner in facts.index.ancestors(node)
        if facts.index.function_of(owner) is function
    ) and not any(facts.index.parents.get(node) is function for node in left)


def _asks_for_training(node: ast.stmt) -> bool:
    """`if self.training:`"""
    return isinstance(node, ast.If) and any(
        isinstance(n, ast.Attribute) and n.attr == "training" for n in walk(node.test)
    )


def _is_written_elsewhere(facts: Facts, name: ast.Name, writes: list[ast.stmt]) -> bool:
    """Does anything else write into the memory: is it filled anew, or the state of something?"""
    memory = facts.value(name).storage
    index = facts.index
    for node in (
        *index.of_kind(ast.AugAssign),
        *index.of_kind(ast.Assign),
        *index.of_kind(ast.Call),
    ):
        owner: ast.expr | None = None
        match node:
            case ast.AugAssign(target=target):
                owner = unsubscripted(target)
            case ast.Assign(targets=targets):
                owner = next(
                    (unsubscripted(t) for t in targets if isinstance(t, ast.Subscript)), None
                )
            case ast.Call(func=ast.Attribute(attr=attr, value=target)):
                if attr.endswith("_") and not attr.startswith("_"):
                    owner = unsubscripted(target)
        outs = (
            [k.value for k in node.keywords if k.arg == "out"] if isinstance(node, ast.Call) else []
        )
        named = [one for one in (owner, *outs) if isinstance(one, (ast.Name, ast.Attribute))]
        if index.statement_of(node) not in writes and any(
            facts.value(one).storage & memory for one in named
        ):
            return True
    return False


def _is_no_state(
    facts: Facts,
    name: ast.Name,
    function: FunctionNode | None,
    writes: list[ast.stmt],
    loop: ast.stmt,
    overlaps: bool,
) -> bool:
    """Can the changes not be meant to add up from turn to turn?"""
    changes = [change(facts, name, function, one, loop) for one in writes]
    if None in changes:
        return False
    if overlaps or {Change.CONSTANT, Change.RANDOM} & set(changes):
        return True
    return is_read_as_it_was(facts, name, function, writes, loop)


def _copied(
    facts: Facts, name: ast.Name, bound: ast.arg | ast.Name, statement: ast.stmt
) -> tuple[Edit, ...]:
    """The name gets a tensor of its own."""
    function = facts.index.function_of(statement)
    if isinstance(bound, ast.arg) and isinstance(function, ast.FunctionDef):
        calls = list(calls_of(facts, function))
        if any(isinstance(facts.index.parents.get(call), ast.Expr) for call in calls):
            return _copied_for(facts, name, function, calls)
        body = function.body if function is not None else [statement]
        first = body[1] if function and ast.get_docstring(function) and body[1:] else body[0]
        return (insert_before(facts, first, f"{name.id} = {name.id}.clone()"),)
    value = _value_of(facts, bound) if isinstance(bound, ast.Name) else None
    if value is None or isinstance(value, (ast.BinOp, ast.IfExp, ast.Await)):
        return (insert_before(facts, statement, f"{name.id} = {name.id}.clone()"),)
    end = facts.source.span(value)[1]
    return (Edit(end, end, ".clone()"),)


def _copied_for(
    facts: Facts, name: ast.Name, function: FunctionNode, calls: list[ast.Call]
) -> tuple[Edit, ...]:
    """`xb = x[i : i + k]`, `prepare(xb)`: the function is called for what it does to a part that
    its caller has given a name."""
    given = given_to(facts, function, calls[0], name.id) if len(calls) == 1 else None
    if not isinstance(given, ast.Name):
        return ()
    bound = _bound_once(facts, given, facts.index.function_of(calls[0]))
    value = _value_of(facts, bound) if isinstance(bound, ast.Name) else None
    if value is None or not isinstance(value, (ast.Subscript, ast.Call)):
        return ()
    end = facts.source.span(value)[1]
    return (Edit(end, end, ".clone()"),)


def _value_of(facts: Facts, bound: ast.Name) -> ast.expr | None:
    """What a name is bound to, be it in a tuple."""
    match facts.index.parents.get(bound):
        case ast.Assign(targets=[only], value=value) if only is bound:
            return value
        case ast.AnnAssign(value=value):
            return value
        case ast.Tuple(elts=parts) as both:
            match facts.index.parents.get(both):
                case ast.Assign(targets=[only], value=ast.Tuple(elts=values)) if only is both:
                    return values[parts.index(bound)] if len(values) == len(parts) else None
    return None
