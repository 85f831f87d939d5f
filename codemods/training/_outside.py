"""Parts that others replace in a model which an object keeps together with its optimizer."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.codemods.training._below import initialiser_above, is_handed_on, optimizers_of
from autofix.codemods.training._called import is_trained_otherwise
from autofix.codemods.training._groups import GAINS, added_groups
from autofix.codemods.training._grown import NOT_AGAIN, Grown, made_as
from autofix.codemods.training._made import Made
from autofix.codemods.training._replaced import Replaced, may_be_known, replaced_in
from autofix.flow.class_table import methods_of, self_name, stores_of
from autofix.flow.evidence import static_name
from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Scope, arguments_of, handles, related
from autofix.flow.index import root_name
from autofix.flow.objects import ClassInfo
from autofix.flow.syntax import calls_in
from autofix.flow.torch_api import is_scheduler
from autofix.flow.turns import held_by_call
from autofix.flow.uses import uses_in
from autofix.model import Edit

Brought = list[tuple[ast.stmt, Replaced]]


def replaced_outside(
    node: ast.stmt, later: Sequence[ast.stmt], facts: Facts
) -> Iterator[tuple[Made, Grown]]:
    """For `trainer = Trainer(model)`: what later statements replace in `trainer.model`; the new
    parameters go to `trainer.optimizer` as groups."""
    match node:
        case ast.Assign(targets=[ast.Name() | ast.Attribute() as place], value=ast.Call() as call):
            pass
        case _:
            return
    if not _is_reached_into(place, later) or not may_be_known(call, facts):
        return
    ref = facts.value(call.func).ref
    if not isinstance(ref, ClassInfo) or GAINS.search(facts.source.text):
        return
    made = _kept_optimizer(node, place, call, ref, facts)
    if made is None:
        return
    scope = Scope(facts.index.function_of(node))
    found: Brought = []
    trained = False
    for at, statement in enumerate(later):
        if isinstance(statement, (ast.For, ast.While)):
            trained = True
            continue
        for one in replaced_in(statement, made.held, scope, facts):
            if one.text.endswith(")") and one.text.rpartition(".")[0] == ast.unparse(place):
                return  # the class does it itself, in a method
            if not is_trained_otherwise(one, later[at:], scope, facts):
                found.append((statement, one))
    if found:
        again = NOT_AGAIN if trained else _repaired(made, found, ref, facts)
        yield made, Grown(*found[-1], again)


def _is_reached_into(place: ast.expr, later: Sequence[ast.stmt]) -> bool:
    """By the syntax alone: is `trainer.model.x` set, or anything called with `trainer.model`?"""
    root = root_name(place)
    for node in (n for statement in later for n in ast.walk(statement)):
        if isinstance(node, ast.Call):
            parts = [node.func, *node.args] if isinstance(node.func, ast.Attribute) else node.args
        else:
            stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            parts = [node] if isinstance(node, ast.Attribute) and stored else []
        if any(isinstance(p, ast.Attribute) and root_name(p) == root for p in parts):
            return True
    return False


def _kept_optimizer(
    node: ast.Assign, place: ast.expr, call: ast.Call, cls: ClassInfo, facts: Facts
) -> Made | None:
    """The one that `__init__` makes, and nobody ever again."""
    above = initialiser_above(cls.lineage)
    me = self_name(above[1]) if above is not None else None
    if above is None or me is None:
        return None
    info, init = above
    made = optimizers_of(info, init)
    if len(made) != 1:
        return None
    store, optimizer = made[0]
    others = [s for i in cls.lineage for m in methods_of(i.node) for s in stores_of(m, i.node)]
    if sum(s.attribute == store.attribute for s in others) != 1:
        return None
    stored = uses_in(facts).names.stored.get(store.attribute, ())
    if any(facts.index.class_of(one) is None for one in stored):
        return None  # given another one from outside
    scope = Scope(facts.index.function_of(node))
    whole = handles(place, scope, facts)
    arguments = {**arguments_of(call, init, 1, scope, facts), me: whole}
    held = held_by_call(optimizer, Scope(init, arguments), facts) or NOBODY
    mine = frozenset(
        one for one in held if any(len(one) == len(w) + 1 and related(one, w) for w in whole)
    )
    target = ast.parse(f"{ast.unparse(place)}.{store.attribute}", mode="eval").body
    assert isinstance(target, ast.Attribute)
    return Made(node, optimizer, target, mine, plain=False) if mine else None


def _repaired(made: Made, found: Brought, cls: ClassInfo, facts: Facts) -> tuple[Edit, ...] | str:
    for info in cls.lineage:
        names = (static_name(call.func, info.scopes[0]) for call in calls_in(info.node))
        if any(is_scheduler(name or "") for name in names):
            return "a schedule was made with the optimizer; make both again"
    groups = added_groups(made.call, made.target, found, facts)
    if groups is not None:
        return groups
    above = initialiser_above(cls.lineage)
    owner = made.target.value if isinstance(made.target, ast.Attribute) else made.target
    paths = {one[-1] for one in made.held}
    if len(paths) != 1 or above is None or is_handed_on(made, above[1]):
        return NOT_AGAIN
    model = f"{ast.unparse(owner)}.{paths.pop()}"
    return made_as(ast.unparse(made.target), model, made, found[-1][0], facts)
