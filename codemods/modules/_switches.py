"""What a program says about whether a tensor requires grad: where it is made, or later."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from autofix.codemods.modules._origins import ALWAYS, Origin, switch_of
from autofix.flow.class_table import Store
from autofix.flow.facts import Facts
from autofix.flow.syntax import is_true
from autofix.flow.walk import walk


def wants_grad(facts: Facts, calls: Iterable[ast.Call]) -> bool:
    """Does one of them make a tensor that requires grad, at least sometimes?"""
    flags = [flag for call in calls if (flag := switch_of(call)) is not None]
    return any(is_true(flag) or not _is_off(facts, flag) for flag in flags)


def set_later(facts: Facts, store: Store) -> bool:
    """`self.w.requires_grad = True`, in the same method."""
    return next(_switched(facts, store), None) is not None


def _switched(facts: Facts, store: Store) -> Iterator[tuple[ast.AST, ast.expr]]:
    """The statements that do so, with the flag."""
    for node in facts.index.body_nodes(store.method):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Attribute(attr=name), attr="requires_grad")],
                value=flag,
            ) if name == store.attribute and not _is_off(facts, flag):
                yield node, flag
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr=name), attr="requires_grad_")
            ):
                flag = switch_of(node) or ALWAYS
                if name == store.attribute and not _is_off(facts, flag):
                    yield facts.index.statement_of(node) or node, flag


def _is_off(facts: Facts, flag: ast.expr) -> bool:
    known = flag.value if isinstance(flag, ast.Constant) else facts.value(flag).const
    return known is False


def flag_of(facts: Facts, store: Store, made: Origin) -> str | None:
    """What a Parameter needs as `requires_grad=`, to require grad when the tensor does; None if
    that is always."""
    beside = facts.index.parents.get(store.statement)
    later = list(_switched(facts, store))
    if later:
        always = any(facts.index.parents.get(statement) is beside for statement, _ in later)
        return None if always else "False"
    for call in (n for one in made for n in walk(one) if isinstance(n, ast.Call)):
        flag = switch_of(call)
        if flag is None or is_true(flag):
            continue
        assert store.value is not None
        if call in walk(store.value):
            return facts.source.segment(flag)
        return f"{facts.source.segment(store.value)}.requires_grad"
    return None
