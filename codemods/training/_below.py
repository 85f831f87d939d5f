"""Subclasses whose `__init__` brings parameters after that of the base class made the optimizer."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.codemods.training._groups import GAINS
from autofix.codemods.training._grown import Grown, made_again
from autofix.codemods.training._made import Made
from autofix.codemods.training._replaced import reads, replaced_in
from autofix.flow.class_table import Method, Store, methods_of, self_name, stores_of
from autofix.flow.evidence import static_name
from autofix.flow.facts import Facts
from autofix.flow.handles import OF_SELF, Scope
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import calls_in
from autofix.flow.torch_api import is_optimizer
from autofix.flow.turns import held_by_call


def grown_below(node: ast.Expr, facts: Facts) -> Iterator[tuple[Made, Grown]]:
    """For `super().__init__()`, where that makes an optimizer: what the statements behind it add to
    what the optimizer was made with."""
    init, owner = facts.index.function_of(node), facts.index.class_of(node)
    if owner is None or not isinstance(init, ast.FunctionDef) or node not in init.body:
        return
    if not isinstance(node.value, ast.Call) or last_name(node.value.func) != "__init__":
        return
    found = _made_by_base(node, init, owner, facts) if init.name == "__init__" else None
    later = init.body[init.body.index(node) + 1 :]
    if found is None or any(optimizer_class(c, facts) for s in later for c in calls_in(s)):
        return
    made, base = found
    scope, last = Scope(init), None
    for statement in later:
        for one in replaced_in(statement, made.held, scope, facts):
            last = (statement, one)
    if last is None:
        return
    edits = made_again(made, init, last[0], facts)
    between = later[: later.index(last[0]) + 1]
    if is_handed_on(made, base) or reads(made.target, between, facts):
        edits = "it is used before; make another one for the new parameters"
    yield made, Grown(*last, edits)


def _made_by_base(
    node: ast.Expr, init: Method, owner: ast.ClassDef, facts: Facts
) -> tuple[Made, Method] | None:
    table = facts.class_table(owner)
    base = initialiser_above(table.info.lineage[1:] if table.info is not None else ())
    me = self_name(init)
    if base is None or me is None or (mine := self_name(base[1])) is None:
        return None
    calls = optimizers_of(*base)
    if len(calls) != 1 or GAINS.search(facts.source.text):
        return None
    store, call = calls[0]
    if len(table.stores[store.attribute]) != 1:
        return None
    scope = Scope(base[1], {mine: frozenset({(f"{OF_SELF}{owner.name}",)})})
    held = held_by_call(call, scope, facts)
    target = ast.parse(f"{me}.{store.attribute}", mode="eval").body
    assert isinstance(target, ast.Attribute)
    made = Made(node, call, target, held, plain=False) if held else None
    return (made, base[1]) if made is not None else None


def initialiser_above(lineage: Sequence[ClassInfo]) -> tuple[ClassInfo, Method] | None:
    """The nearest `__init__`, and the class that defines it."""
    for info in lineage:
        for method in methods_of(info.node):
            if method.name == "__init__":
                return info, method
    return None


def optimizers_of(info: ClassInfo, method: Method) -> list[tuple[Store, ast.Call]]:
    """The optimizers that a method makes and keeps, also in another file."""
    return [
        (store, store.value)
        for store in stores_of(method, info.node)
        if isinstance(store.value, ast.Call)
        and is_optimizer(static_name(store.value.func, info.scopes[0]) or "")
    ]


def is_handed_on(made: Made, method: Method) -> bool:
    """Does the base class do anything else with it, such as make a schedule?"""
    return any(
        isinstance(n, ast.Attribute)
        and n.attr == last_name(made.target)
        and isinstance(n.ctx, ast.Load)
        for n in ast.walk(method)
    )
