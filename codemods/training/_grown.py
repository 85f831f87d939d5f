"""Methods that replace parts of a model while an attribute holds the optimizer made for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.training._groups import GAINS, is_scheduled
from autofix.codemods.training._made import Made
from autofix.codemods.training._renewed_abroad import is_set_elsewhere
from autofix.codemods.training._replaced import Replaced, replaced_in, text_of
from autofix.flow.class_table import Method, methods_of, self_name
from autofix.flow.facts import Facts
from autofix.flow.handles import OF_SELF, Scope
from autofix.flow.index import LOOPS, last_name
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import argument, calls_any, calls_in
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.statements import insert_after

_STEPS = ("step",)


@dataclass(frozen=True)
class Grown:
    statement: ast.stmt
    """The last one of a method that brings new parameters."""
    replaced: Replaced
    edits: tuple[Edit, ...] | str
    """They make the optimizer again behind it, or give it a group; or why that cannot be."""


def grown(made: Made, facts: Facts) -> Iterator[Grown]:
    """For `self.opt = Adam(self.model.parameters())`: the other methods of the class that give
    `self.model` new parameters, where nothing else ever sets the optimizer or adds to it."""
    target, node = made.target, made.statement
    made_in, owner = facts.index.function_of(node), facts.index.class_of(node)
    if (
        owner is None
        or not isinstance(target, ast.Attribute)
        or not isinstance(made_in, (ast.FunctionDef, ast.AsyncFunctionDef))
    ):
        return
    names = uses_in(facts).names
    me = self_name(made_in)
    if not isinstance(target.value, ast.Name) or target.value.id != me:
        return
    if any(len(one) == 1 and one[0].startswith(OF_SELF) for one in made.held):
        return  # a module that makes its own layers late
    stored = [
        one for one in names.stored.get(target.attr, ()) if not _is_of_other(one, owner, facts)
    ]
    if len(stored) != 1 or GAINS.search(facts.source.text):
        return
    callers = facts.index.callers(made_in.name) if made_in.name != "__init__" else ()
    callers = [caller for caller in callers if caller is not made_in]
    if made_in.name != "__init__" and {getattr(c, "name", "") for c in callers} != {"__init__"}:
        return  # it may be called again
    building = {made_in, *callers}
    for method in methods_of(owner):
        if method in building or any(calls_any(one, (method.name,)) for one in building):
            continue
        if any(optimizer_class(call, facts) for call in calls_in(method)):
            continue
        found = _grows(method, made, facts)
        if found is not None and is_set_elsewhere(facts, owner, target.attr):
            return
        if found is not None:
            again = made_again(made, method, found[0], facts)
            yield Grown(*found, NOT_AGAIN if calls_any(method, _STEPS) else again)


def _grows(method: Method, made: Made, facts: Facts) -> tuple[ast.stmt, Replaced] | None:
    """The last statement by which a method brings parameters, before it steps the optimizer or
    while it does. (Methods that it calls on the same object are asked on their own.)"""
    scope, last, steps = Scope(method), None, calls_any(method, _STEPS)
    me = self_name(method)
    for at, statement in enumerate(method.body):
        trains = calls_any(statement, _STEPS)
        if steps and not any(calls_any(later, _STEPS) for later in method.body[at:]):
            break  # it is done with training
        for one in replaced_in(statement, made.held, scope, facts):
            own = one.text.endswith(")") and one.text.rpartition(".")[0] == me
            if not one.whole and not own and not (trains and one.only_values):
                last = (statement, one)
    if last is None or not isinstance(last[0], LOOPS):
        return last
    return _in_turn(last[0], made, scope, facts), last[1]


def _in_turn(statement: ast.stmt, made: Made, scope: Scope, facts: Facts) -> ast.stmt:
    """The statement of a loop that brings the parameters: what trains comes behind it in the same
    turn, and in other turns there is nothing new."""
    inner = [
        child
        for name in ("body", "orelse")
        for child in getattr(statement, name, ())
        if any(True for _ in replaced_in(child, made.held, scope, facts))
    ]
    return _in_turn(inner[-1], made, scope, facts) if inner else statement


def _is_of_other(node: ast.expr, owner: ast.ClassDef, facts: Facts) -> bool:
    """Does another class, which does not extend this one, set it on itself?"""
    around = facts.index.class_of(node)
    mine = isinstance(node, ast.Attribute) and last_name(node.value) == "self"
    if not mine or around is None or around is owner:
        return False
    return owner not in facts.class_table(around).lineage


def made_again(
    made: Made, method: Method, behind: ast.stmt, facts: Facts
) -> tuple[Edit, ...] | str:
    """`self.opt = Adam(self.model.parameters(), lr=self.opt.defaults["lr"])`"""
    me = self_name(method)
    own = [one for one in made.held if one[0].startswith(OF_SELF)]
    path = own[0][1:] if len(own) == 1 else ("*",)
    kept, model = f"{me}.{last_name(made.target)}", ".".join((str(me), *path))
    plain = me is not None and all(part.isidentifier() for part in path)
    return made_as(kept, model, made, behind, facts) if plain else NOT_AGAIN


NOT_AGAIN = "the optimizer has to be made again for them, or get them as a group"


def made_as(
    kept: str, model: str, made: Made, behind: ast.stmt, facts: Facts
) -> tuple[Edit, ...] | str:
    """The same, by what the optimizer and the model are called there."""
    call = made.call
    given = argument(call, 0, "params")
    plain = isinstance(given, ast.Call) and last_name(given.func) == "parameters" and not given.args
    if not plain or is_scheduled(made.target, facts):
        return NOT_AGAIN
    func = f"type({kept})" if is_foreign(call) else facts.source.segment(call.func)
    around = facts.index.function_of(behind)
    if around is not None and func.partition(".")[0] in facts.index.bound_names(around):
        return f"`{func}` has another meaning there"
    settings = [("lr", value) for value in call.args[1:2]]
    settings += [(k.arg, k.value) for k in call.keywords if k.arg not in (None, "params")]
    if len(call.args) > 2 or any(k.arg is None for k in call.keywords):
        return "with which settings it is made cannot be told"
    code = [f"{model}.parameters()"]
    for name, value in settings:
        literal = isinstance(value, ast.Constant)
        text = text_of(facts, value) if literal else f'{kept}.defaults["{name}"]'
        code.append(f"{name}={text}")
    return (insert_after(facts, behind, f"{kept} = {func}({', '.join(code)})"),)
