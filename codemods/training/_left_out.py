"""What a loss is computed with, beside the modules whose parameters its optimizers get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.training._problems import roots
from autofix.flow.class_table import weighted
from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope, any_related, handles
from autofix.flow.index import last_name
from autofix.flow.looks import is_looked_at
from autofix.flow.losses import sources
from autofix.flow.objects import Instance
from autofix.flow.roles import constructors
from autofix.flow.stages import callee
from autofix.flow.syntax import is_true, keyword
from autofix.flow.turns import Turn, held_by_call, turns
from autofix.flow.unit import is_foreign
from autofix.flow.users import users
from autofix.flow.uses import Use, uses_in
from autofix.flow.walk import walk

_CALM = frozenset(
    {"to", "cuda", "cpu", "float", "double", "train", "eval"} | {"forward", "state_dict"}
)
"""Methods of a module that leave open whether somebody trains it, as nothing else does."""
_LOOKS = frozenset({"print", "isinstance", "type", "len", "id", "repr", "str"})
_VALUES = frozenset({"item", "detach", "tolist", "shape", "size"})
_FIXED = frozenset(
    {"requires_grad", "requires_grad_", "load_state_dict", "no_grad", "data", "from_pretrained"}
    | {"load", "backward", "step", "grad", "parameters", "named_parameters", "optim"}
)
"""A class that speaks of these has its own idea of what it trains."""
_DEPTH = 3


@dataclass(frozen=True)
class LeftOut:
    target: ast.Name | ast.Attribute
    """Where it is made, and bound to this."""
    loss: ast.expr
    leaf: bool
    """It is a leaf itself, and no module."""


def left_out(optimizer: ast.Call, facts: Facts) -> Iterator[LeftOut]:
    """What is trained in the steps of an optimizer but for its own parameters."""
    function = facts.index.function_of(optimizer)
    held = held_by_call(optimizer, Scope(function), facts)
    candidates = list(_candidates(facts)) if held else []
    if not candidates or held is None:
        return
    losses = list(_losses(optimizer, facts))
    for target in candidates:
        mine = handles(target, Scope(facts.index.function_of(target)), facts)
        if any_related(mine, held) or not _is_as_old(target, optimizer, facts):
            continue
        made_for = (loss for loss, parts in losses if _is_among(mine, parts))
        loss = next((one for one in made_for if _outlives(target, one, facts)), None)
        if loss is not None and _is_only_computed_with(target, facts):
            yield LeftOut(target, loss, facts.value(target).is_tensor)


def _is_among(mine: Handles, parts: Handles) -> bool:
    return any(part[: len(one)] == one for one in mine for part in parts)


def _is_as_old(target: ast.expr, optimizer: ast.Call, facts: Facts) -> bool:
    """Is it made where the optimizer is, where that is run, or at the top of the file?"""
    around = facts.index.function_of(target)
    if around is None or around is facts.index.function_of(optimizer):
        return True
    return not facts.value(target).is_tensor and around in roots(facts)


def _outlives(target: ast.expr, loss: ast.expr, facts: Facts) -> bool:
    """Is it there for many passes? What is made for each of them cannot learn."""
    if facts.index.function_of(target) is not facts.index.function_of(loss):
        return True
    around = set(facts.index.loops_around(target))
    return any(loop not in around for loop in facts.index.loops_around(loss))


def _losses(optimizer: ast.Call, facts: Facts) -> Iterator[tuple[ast.expr, Handles]]:
    """The losses that bring gradients to steps of the optimizer, and what they are made with."""
    around = facts.index.parents.get(optimizer)
    kept = around.targets if isinstance(around, ast.Assign) else ()
    scope = Scope(facts.index.function_of(optimizer))
    known = NOBODY.union(*(handles(target, scope, facts) for target in kept))
    for root in roots(facts):
        for turn in turns(facts, root):
            for step in turn.steps:
                who, receiver = step.event.who, step.event.receiver
                if who & known or (receiver and optimizer in constructors(receiver, facts)):
                    yield from _passes(turn, who, facts)


def _passes(turn: Turn, who: Handles, facts: Facts) -> Iterator[tuple[ast.expr, Handles]]:
    for backward in turn.backwards(who):
        loss = backward.event.receiver
        if loss is not None and turn.reaches(backward.event, who):
            yield loss, _parts(loss, backward.event.scope, facts, _DEPTH)


def _parts(loss: ast.expr, scope: Scope, facts: Facts, depth: int) -> Handles:
    """What a loss comes from, functions of this file that compute it looked into."""
    found = sources(loss, scope, facts).parts
    if not depth:
        return found
    definitions = uses_in(facts).names.definitions
    for named in [definitions.get(one[-1], ()) for one in found]:
        if len(named) == 1 and isinstance(named[0], ast.FunctionDef):
            inner = Scope(named[0])
            returned = [n.value for n in walk(named[0]) if isinstance(n, ast.Return)]
            for value in filter(None, returned):
                found |= _parts(value, inner, facts, depth - 1)
    return found


def _candidates(facts: Facts) -> Iterator[ast.Name | ast.Attribute]:
    """Names and attributes that are bound once, to a new module or leaf with something to train."""
    names = uses_in(facts).names
    for statement in facts.index.of_kind(ast.Assign):
        match statement:
            case ast.Assign(targets=[ast.Name() as target], value=ast.Call() as made):
                stores = len(names.all_stores(target))
            case ast.Assign(targets=[ast.Attribute() as target], value=ast.Call() as made):
                stores = len(names.stored.get(target.attr, ()))
            case _:
                continue
        said = {n.attr for n in walk(made) if isinstance(n, ast.Attribute)} & {*_FIXED, "eval"}
        if stores == 1 and not said and _is_trainable(target, made, facts):
            yield target


def _is_trainable(target: ast.Name | ast.Attribute, made: ast.Call, facts: Facts) -> bool:
    if isinstance(target, ast.Attribute) and not _is_of_plain_class(target, facts):
        return False
    value = facts.value(made)
    if value.is_tensor:
        flag = keyword(made, "requires_grad")
        is_parameter = last_name(made.func) == "Parameter" and flag is None
        return (
            value.leaf and not value.cuts and (is_parameter or (flag is not None and is_true(flag)))
        )
    infos = value.ref.info.lineage if isinstance(value.ref, Instance) else ()
    return weighted(value) is True and not any(
        word in _FIXED
        for info in infos
        for node in walk(info.node)
        for word in (getattr(node, "attr", None), getattr(node, "arg", None))
    )


def _is_of_plain_class(target: ast.Attribute, facts: Facts) -> bool:
    """Is it kept by an object that is no Module, and so has no parameters itself?"""
    owner = facts.index.class_of(target)
    if owner is None or not isinstance(target.value, ast.Name) or target.value.id != "self":
        return False
    return facts.class_table(owner).is_module is False


def _is_only_computed_with(target: ast.Name | ast.Attribute, facts: Facts) -> bool:
    """Can nobody have asked for its parameters?"""
    names, owner = uses_in(facts).names, facts.index.class_of(target)
    loads: list[ast.expr]
    if isinstance(target, ast.Name):
        loads = [*names.all_loads(target)]
        given, word = None if facts.index.function_of(target) else target.id, target.id
    else:
        loads = [*names.attributes.get(target.attr, ())]
        given, word = owner.name if owner is not None else None, target.attr
    if given is not None and any(user.mentions(word) for user in users(facts, given)):
        return False
    uses = [use for load in loads for use in uses_in(facts).follow(load)]
    asked = {use.user.attr for use in uses if isinstance(use.user, ast.Attribute)}
    evaluated = "eval" in asked and "train" not in asked
    return not evaluated and all(_is_harmless(use, facts) for use in uses)


def _is_harmless(use: Use, facts: Facts) -> bool:
    """Does a use of it, or of what it is handed on as, leave its parameters alone?"""
    node, user = use.node, use.user
    if use.stored:
        return isinstance(node, ast.Attribute) and _is_of_plain_class(node, facts)
    leaf = facts.value(node).is_tensor
    match user:
        case ast.Call(func=func):
            return func is node or _is_harmless_to(user, leaf, facts)
        case ast.Attribute(attr=attr):
            return attr in _VALUES or _is_calm(user, leaf, facts)
        case ast.BinOp() | ast.UnaryOp() | ast.FormattedValue():
            return True
    return False


def _is_calm(read: ast.Attribute, leaf: bool, facts: Facts) -> bool:
    """`head.train()`, a method of its own, or a part of it that is looked at."""
    call = facts.index.parents.get(read)
    if isinstance(call, ast.Call) and call.func is read:
        known = callee(read, facts) is not None and read.attr not in _FIXED
        return (leaf and not read.attr.endswith("_")) or known or read.attr in _CALM
    return not leaf and is_looked_at(read, facts.index)


def _is_harmless_to(call: ast.Call, leaf: bool, facts: Facts) -> bool:
    """What is called with it: code of this file, where it is followed, or what computes."""
    name = facts.library_name(call.func) or ""
    if last_name(call.func) in _LOOKS or (leaf and name.startswith("torch.")):
        return "optim" not in name
    if leaf and isinstance(call.func, ast.Attribute) and facts.value(call.func.value).is_tensor:
        return True
    made = facts.value(call).ref
    known = callee(call.func, facts)
    if known is None and isinstance(made, Instance) and not made.info.is_module:
        return not is_foreign(made.info.node)
    return known is not None and not is_foreign(known[0])
