"""Is a state dict used again after the weights that it shares have changed?"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.alias._training import changes_weights, head
from autofix.codemods.alias._wrapped_state import wrapped_state
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.order import Order, Set
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_WRITES = re.compile(r"\.(?:step|copy_|mul_|add_|lerp_)\s*\(|_foreach_")


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
        certain = _stale(facts, call, use, how, use.origin in held)
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
    same = how == How.LOADED and _same_model(facts, call, use)
    if facts.index.function_of(start) is not facts.index.function_of(end):
        if how != How.LOADED or not same or not (held or _waits(facts, call, start, end, use)):
            return None
        return _in_other_method(facts, start, use)
    events = _changes_between(facts, call, start, end, use)
    if not events:
        return None
    if how == How.LOADED:
        return True if same else (False if _trains_it(facts, call, events) else None)
    return _is_chosen(facts, call) if _trains_it(facts, call, events) else None


def _changes_between(
    facts: Facts, call: ast.Call, start: ast.stmt, end: ast.stmt, use: Use
) -> list[ast.stmt]:
    """The statements of one function that change weights on the way from `start` to `end`; none if
    what is held at `end` is not what was held at `start`."""
    order = _order(facts, start)
    others = _made_again(facts, call)
    rebound = _rebound(facts, start, use)
    kills = {start, *rebound, *others}
    after = [s for s in order.after(start, kills) if s is not end and s not in others]
    after = [s for s in after if s is not start or s not in rebound]  # what it binds is new
    after = [s for s in after if not _is_given(use.node, s)]
    events = [s for s in after if changes_weights(facts, s)]
    if use.user is not end and isinstance(use.user, ast.Call):
        events = [s for s in events if s is not facts.index.statement_of(use.user)]
    events = [s for s in events if not _only_loads_other(facts, s, call)]
    later: Set = order.after_any(events, kills)
    return events if end in later else []


def _is_given(held: ast.expr, statement: ast.stmt) -> bool:
    """Is a call handed what is held? It works on the dict, and nothing happens behind its back."""
    text = ast.unparse(held)
    calls = (n for n in head(statement) if isinstance(n, ast.Call))
    return any(ast.unparse(a) == text for call in calls for a in all_arguments(call))


def _made_again(facts: Facts, call: ast.Call) -> set[ast.stmt]:
    """The statements that bind the name of the model to another model."""
    assert isinstance(call.func, ast.Attribute)
    owner = call.func.value
    if not isinstance(owner, ast.Name):
        return set()
    stores = uses_in(facts).names.stores(owner)
    found = {at for store in stores if (at := facts.index.statement_of(store)) is not None}
    return {at for at in found if not _reads(at, owner.id)}


def _reads(statement: ast.stmt, name: str) -> bool:
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        for n in ast.walk(statement)
    )


def _order(facts: Facts, node: ast.stmt) -> Order:
    return Order(facts.index.function_of(node) or facts.tree)


def _rebound(facts: Facts, start: ast.stmt, use: Use) -> set[ast.stmt]:
    """The statements that give the name or attribute that holds the dict another value."""
    node = use.node
    while isinstance(node, (ast.Subscript, ast.Call)):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    found: set[ast.stmt] = set()
    names = uses_in(facts).names
    if isinstance(node, ast.Name):
        stores: list[ast.expr] = list(names.stores(node))
    elif isinstance(node, ast.Attribute):
        text = ast.dump(node.value)
        stores = [s for s in names.stored.get(node.attr, ()) if ast.dump(s.value) == text]
    else:
        return found
    for store in stores:
        statement = facts.index.statement_of(store)
        if statement is not None:
            found.add(statement)
    return found


def _same_model(facts: Facts, call: ast.Call, use: Use) -> bool:
    user = use.user
    if not (isinstance(user, ast.Call) and isinstance(user.func, ast.Attribute)):
        return False
    assert isinstance(call.func, ast.Attribute)
    mine, other = call.func.value, user.func.value
    if ast.unparse(mine) == ast.unparse(other):
        return True
    a, b = facts.value(mine), facts.value(other)
    return a.kind == b.kind == Kind.MODULE and a.ref is not None and a.ref is b.ref


def _only_loads_other(facts: Facts, statement: ast.stmt, call: ast.Call) -> bool:
    """`target.load_state_dict(...)` as the only thing that looks like training."""
    assert isinstance(call.func, ast.Attribute)
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="load_state_dict", value=owner))):
            return ast.unparse(owner) != ast.unparse(call.func.value)
    return False


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


def _is_trained(facts: Facts, start: ast.stmt) -> bool:
    """Is it kept on a condition (when it is the best), or does the file write into weights?"""
    return _WRITES.search(facts.source.text) is not None or any(
        isinstance(parent, ast.If) for parent in facts.index.ancestors(start)
    )


def _waits(facts: Facts, call: ast.Call, start: ast.stmt, end: ast.stmt, use: Use) -> bool:
    """Are the weights changed before a function is given the dict, or in there? (From one function
    right into the next, no time goes by.)"""
    loaded = facts.index.function_of(end)
    if not isinstance(loaded, FUNCTIONS):
        return False
    if isinstance(use.node, ast.Name) and any(
        facts.index.function_of(store) is not loaded
        for store in uses_in(facts).names.stores(use.node)
    ):
        return True  # a variable of the outer function
    first = loaded.body[0]
    if first is not end and changes_weights(facts, first):
        return True
    if _changes_between(facts, call, first, end, use):
        return True
    given = [facts.index.statement_of(c) for c in uses_in(facts).calls_of(loaded)]
    return any(
        at is not None
        and facts.index.function_of(at) is facts.index.function_of(start)
        and _changes_between(facts, call, start, at, use)
        for at in given
    )


def _in_other_method(facts: Facts, start: ast.stmt, use: Use) -> bool | None:
    """Kept in an attribute by one method, loaded by another: there is no reason to keep it but
    that the model changes in between."""
    kept, loaded = facts.index.function_of(start), facts.index.function_of(use.node)
    if not isinstance(kept, FUNCTIONS) or not _is_trained(facts, start):
        return None
    assert isinstance(use.user, ast.Call) and isinstance(use.user.func, ast.Attribute)
    owner = use.user.func.value
    if isinstance(owner, ast.Attribute):  # a model that is made again has memory of its own
        for store in uses_in(facts).names.stored.get(owner.attr, ()):
            inside = facts.index.function_of(store)
            if inside is not None and inside.name != "__init__":
                return None
    return None if loaded is None else True
