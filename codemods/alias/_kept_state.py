"""Is a state dict used again after the weights that it shares have changed?"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.alias._elapsed import changes_between, in_other_method, is_of_object, waits
from autofix.codemods.alias._training import changes_weights
from autofix.codemods.alias._wrapped_state import wrapped_state
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk


class How(Enum):
    LOADED = "loaded"
    SAVED = "saved"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Kept:
    node: ast.expr
    """What is to be copied."""
    how: How
    line: int
    certain: bool
    element: ast.expr | None = None
    """The element of the comprehension that has to be copied instead."""
    shallow: ast.Call | None = None
    """`copy.copy(...)` or `dict(...)` around it, which is to be made a deep copy."""


def kept_state(facts: Facts, call: ast.Call) -> Kept | None:
    wrapped = wrapped_state(facts, call)
    if wrapped is None:
        return None
    assert isinstance(call.func, ast.Attribute)
    found: Kept | None = None
    uses = sorted(
        uses_in(facts).follow(wrapped.node), key=lambda use: getattr(use.user, "lineno", 0)
    )
    held = {use.origin for use in uses if use.stored}
    for use in uses:
        how = _how(facts, use, call)
        if how is None:
            continue
        certain = _stale(facts, call, use, how, use.origin in held or is_of_object(use))
        if certain is None or (found is not None and found.certain >= certain):
            continue
        line = getattr(use.user, "lineno", call.lineno)
        found = Kept(wrapped.node, how, line, certain, wrapped.element, wrapped.shallow)
    return found


def _how(facts: Facts, use: Use, call: ast.Call) -> How | None:
    user = use.user
    if use.stored:
        return None
    if isinstance(user, ast.Call):
        name = last_name(user.func)
        if name == "load_state_dict" and use.node in (
            *user.args,
            *(k.value for k in user.keywords),
        ):
            return How.LOADED
        if name in ("save", "save_file") and use.node in user.args:
            return How.SAVED
    if isinstance(user, ast.Return) and use.origin is None:
        seen = uses_in(facts).calls_of(facts.index.function_of(user))
        return How.RETURNED if not seen or _is_chosen(facts, call) else None
    return None


def _is_chosen(facts: Facts, call: ast.Call) -> bool:
    """Is it taken on a condition in a loop that trains: when it is the best so far?"""
    conditions = [p for p in facts.index.ancestors(call) if isinstance(p, ast.If)]
    loops = facts.index.loops_around(call)
    if not conditions or not loops or not isinstance(conditions[0].test, ast.Compare | ast.BoolOp):
        return False
    return any(changes_weights(facts, s) for s in walk(loops[0]) if isinstance(s, ast.stmt))


def _stale(facts: Facts, call: ast.Call, use: Use, how: How, held: bool) -> bool | None:
    """Have the weights changed when the dict is used? True if that is certain, None if not. `held`:
    an attribute or a container has it in the meantime."""
    made = use.origin or call
    start, end = facts.index.statement_of(made), facts.index.statement_of(use.node)
    if start is None or end is None or start is end:
        return None
    assert isinstance(call.func, ast.Attribute)
    owner = call.func.value
    same = how == How.LOADED and _same_model(facts, call, use)
    if how == How.LOADED and not same and _is_copy(facts, use):
        return None  # what is done to a copy leaves the weights as they are
    if facts.index.function_of(start) is not facts.index.function_of(end):
        if how != How.LOADED or not same or not (held or waits(facts, owner, start, end, use)):
            return None
        assert isinstance(use.user, ast.Call) and isinstance(use.user.func, ast.Attribute)
        return in_other_method(facts, start, end, use.user.func.value)
    events = changes_between(facts, owner, start, end, use)
    if not events:
        return None
    if how == How.LOADED:
        return True if same else (False if _trains_it(facts, call, events) else None)
    return _is_chosen(facts, call) if _trains_it(facts, call, events) else None


def _is_copy(facts: Facts, use: Use) -> bool:
    """`other = deepcopy(model)`, and then `other.load_state_dict(...)`"""
    match use.user:
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner)):
            stores = uses_in(facts).names.stores(owner)
            made = [facts.index.parents.get(store) for store in stores]
            return bool(made) and all(
                isinstance(one, ast.Assign)
                and isinstance(one.value, ast.Call)
                and last_name(one.value.func) == "deepcopy"
                for one in made
            )
    return False


def _same_model(facts: Facts, call: ast.Call, use: Use) -> bool:
    user = use.user
    if not (isinstance(user, ast.Call) and isinstance(user.func, ast.Attribute)):
        return False
    assert isinstance(call.func, ast.Attribute)
    mine, other = call.func.value, user.func.value
    if ast.unparse(mine) == ast.unparse(other):
        return not _is_made_there(facts, mine, other)
    a, b = facts.value(mine), facts.value(other)
    return a.kind == b.kind == Kind.MODULE and a.ref is not None and a.ref is b.ref


def _is_made_there(facts: Facts, mine: ast.expr, other: ast.expr) -> bool:
    """Does another function give the name to a model of its own?"""
    apart = facts.index.function_of(mine) is not facts.index.function_of(other)
    return apart and isinstance(other, ast.Name) and bool(uses_in(facts).names.stores(other))


def _trains_it(facts: Facts, call: ast.Call, events: list[ast.stmt]) -> bool:
    """Is it this model that is trained? Its optimizer is made of its parameters, or there is no
    other model in sight."""
    assert isinstance(call.func, ast.Attribute)
    mine = ast.unparse(call.func.value)
    owners = set()
    for name in ("parameters", "named_parameters", "state_dict", "load_state_dict", "train"):
        for read in uses_in(facts).names.attributes.get(name, ()):
            if facts.index.function_of(read) is facts.index.function_of(call):
                owners.add(ast.unparse(read.value))
    models = {o for o in owners if o.rpartition(".")[2].lower()[:3] not in ("opt", "sch", "sca")}
    return bool(events) and models <= {mine}
