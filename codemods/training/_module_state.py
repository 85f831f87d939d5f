"""States that the methods of an object keep from one call to the next, graph and all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from autofix.codemods.training._ended import without_grad
from autofix.codemods.training._graphs import Backward, Graphs, key_of, keys
from autofix.codemods.training._kept_states import Kept, kept_by
from autofix.codemods.training._renewals import is_renewed
from autofix.codemods.training._repeated import is_repeated
from autofix.codemods.training._state import Form, form_of, steps_in
from autofix.flow.class_table import Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.unit import is_foreign
from autofix.flow.values import Kind, Value

Path = tuple[str, ...]
DEPTH = 4
"""Modules inside of modules."""
_MADE = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)
_NO_MODEL = frozenset({"backward", "step", "zero_grad"})


@dataclass(frozen=True, slots=True)
class ModuleState:
    attribute: str
    made: ast.stmt
    """What sets it, or the call here that does so in another file."""
    place: str
    """How it is called where the fix goes."""
    backward: Backward
    forward: ast.stmt | None
    """The first statement of `forward`, if it is to be detached there."""
    form: Form
    may_be_none: bool
    elements: bool
    """It is a list, whose elements are the states."""
    pairs: bool
    """Each of them is a tuple of tensors, as that of an LSTM."""
    holes: bool
    """Some of them may be None."""
    foreign: int | None
    """The line of the other file that sets it."""
    doubtful: bool
    """The model is an argument."""


@dataclass(frozen=True, slots=True)
class _Called:
    """A method that a call runs, of an object or of a part of it."""

    info: ClassInfo
    method: Method
    path: Path | None
    """The attributes that lead to the part; None if there is no way to name it."""


def module_states(graphs: Graphs, backward: Backward) -> Iterator[ModuleState]:
    facts = graphs.facts
    turn = next(iter(graphs.facts.index.loops_around(backward.call)), None)
    if backward.retains and (len(graphs.backwards) > 1 or not steps_in(graphs, turn)):
        return
    if not is_repeated(graphs, turn):
        return
    seen: set[tuple[ast.ClassDef, str]] = set()
    for call in (n for n in graphs.nodes if isinstance(n, ast.Call)):
        if turn and turn not in facts.index.loops_around(call):
            continue
        if not _feeds(graphs, call, backward):
            continue
        called = _called_by(facts, call)
        for one in called.values():
            for state in _states(graphs, backward, call, one, turn):
                if (one.info.node, state.attribute) not in seen:
                    seen.add((one.info.node, state.attribute))
                    yield state
        if any(one.method.name == "forward" for one in called.values()):
            return  # of several calls in one turn, the first will do


def _states(
    graphs: Graphs, backward: Backward, call: ast.Call, called: _Called, turn: ast.stmt | None
) -> Iterator[ModuleState]:
    facts, node = graphs.facts, called.info.node
    loops = facts.index.loops_around
    comprised = any(isinstance(n, _MADE) for n in facts.index.ancestors(call))
    once = len(loops(call)) == len(loops(backward.call)) and not comprised
    here = not is_foreign(called.method) and called.method.name == "forward"
    alone = here and once and _runs_once(facts, node, call)
    if not alone and called.path is None:
        return  # a part of what is called: there is no name for it here
    owner = _owner(call, called) if not alone else self_name(called.method)
    if owner is None or (not alone and not _is_named(call.func)):
        return
    for kept in kept_by(facts, called.info, called.method):
        if not is_renewed(graphs, called.info, called.method, kept.attribute, call, turn):
            state = _state(facts, called, kept, owner, backward, call, alone)
            if state is not None:
                yield state


def _feeds(graphs: Graphs, call: ast.Call, backward: Backward) -> bool:
    """Does the backward pass run through what the call gives?"""
    statement = graphs.facts.index.statement_of(call)
    if statement is None or without_grad(graphs, statement):
        return False
    if statement is backward.statement:
        return True
    places = [n for n in ast.walk(statement) if isinstance(getattr(n, "ctx", None), ast.Store)]
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))) if owner is not call.func:
            places.append(owner)  # `outs.append(model(x))`
    kept = {key_of(place) for place in places if isinstance(place, ast.expr)}
    return bool(kept & graphs.made_of(keys(backward.root)))


def _owner(call: ast.Call, called: _Called) -> str:
    """`model`, `self.model.encoder`, and `self` of `self.compute_loss()`."""
    func = call.func
    if called.method.name != "forward" or last_name(func) == "forward":
        func = func.value if isinstance(func, ast.Attribute) else func
    return ".".join((ast.unparse(func), *(called.path or ())))


def _is_named(func: ast.expr) -> bool:
    while isinstance(func, ast.Attribute):
        func = func.value
    return isinstance(func, ast.Name)


def _runs_once(facts: Facts, node: ast.ClassDef, call: ast.Call, depth: int = DEPTH) -> bool:
    """Does a turn that makes this call run the `forward` of the class once? Then its state may be
    detached there: otherwise that would part one step from the next, too."""
    calls = [c for c in facts.index.of_kind(ast.Call) if _calls_instance(facts, c, node)]
    if calls == [call] or (not calls and facts.value(call.func).kind == Kind.UNKNOWN):
        return True
    if not depth or len(calls) != 1 or _is_repeated(facts, calls[0]):
        return False
    outer = facts.index.class_of(calls[0])
    function = facts.index.function_of(calls[0])
    if outer is None or outer is node or getattr(function, "name", "") != "forward":
        return False
    return _runs_once(facts, outer, call, depth - 1)


def _calls_instance(facts: Facts, call: ast.Call, node: ast.ClassDef) -> bool:
    ref = facts.value(call.func).ref
    return isinstance(ref, Instance) and ref.info.node is node


def _is_repeated(facts: Facts, call: ast.Call) -> bool:
    around = facts.index.ancestors(call)
    inside = takewhile(lambda n: not isinstance(n, FUNCTIONS), around)
    return any(isinstance(n, (ast.For, ast.While, ast.comprehension, *_MADE)) for n in inside)


def _state(
    facts: Facts,
    called: _Called,
    kept: Kept,
    owner: str,
    backward: Backward,
    call: ast.Call,
    alone: bool,
) -> ModuleState | None:
    body = called.method.body
    documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if documented and len(body) > 1 else body[0]
    place, elements = f"{owner}.{kept.attribute}", kept.element
    if isinstance(elements, ast.Constant):
        key = elements.value
        text = f'"{key}"' if isinstance(key, str) and '"' not in repr(key) else repr(key)
        place, elements = f"{place}[{text}]", None
    form = form_of(kept.value)
    several = elements is not None or form == Form.LIST
    one = kept.value if elements is not None or kept.value.elem is None else kept.value.elem
    if several and not _is_list(called.info, kept, one):
        return None
    foreign = is_foreign(kept.made)
    statement = facts.index.statement_of(call)
    made = kept.made if not foreign else statement
    if made is None:
        return None
    return ModuleState(
        kept.attribute,
        made,
        place,
        backward,
        first if alone else None,
        form,
        _may_be_none(called.info, kept),
        several,
        several and not one.may_be_tensor,
        several and _has_holes(called.info, kept, begins=alone or elements is not None),
        kept.made.lineno if foreign else None,
        foreign and _is_argument(facts, call),
    )


def _is_list(info: ClassInfo, kept: Kept, one: Value) -> bool:
    """`self.states`, of which each element is one tensor, or each a tuple?"""
    value = info.table.get(kept.attribute)
    known = one.kind & ~Kind.NONE in (Kind.TENSOR, Kind.SEQUENCE)
    return value is not None and known and not value.kind & ~(Kind.SEQUENCE | Kind.NONE)


def _is_argument(facts: Facts, call: ast.Call) -> bool:
    function = facts.index.function_of(call)
    names = [a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)] if function else []
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in names and root.id != "self"


def _may_be_none(info: ClassInfo, kept: Kept) -> bool:
    return any(
        isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Constant)
        and any(isinstance(t, ast.Attribute) and t.attr == kept.attribute for t in n.targets)
        for one in info.lineage
        for n in ast.walk(one.node)
    )


def _has_holes(info: ClassInfo, kept: Kept, *, begins: bool) -> bool:
    """`[None] * 3` it may be as it `begins`; what a call sets is known."""
    value = info.table.get(kept.attribute) if begins else kept.value
    return value is None or any(part.kind & Kind.NONE for part in value.inner)


def _called_by(facts: Facts, call: ast.Call) -> dict[ast.ClassDef, _Called]:
    """The methods that a call runs: of the object, and the `forward` of its parts."""
    if key_of(call.func) is None:
        return {}
    value = facts.value(call.func)
    if isinstance(value.ref, Closure):
        method, owner = value.ref.node, value.ref.bound_to
        ref = owner.ref if owner is not None else None
        if not isinstance(ref, Instance) or not isinstance(method, FUNCTIONS):
            return {}
        if method is facts.index.function_of(call):
            return {}
        return {ref.info.node: _Called(ref.info, method, ())}
    return _modules_called(facts, call, value)


def _modules_called(facts: Facts, call: ast.Call, value: Value) -> dict[ast.ClassDef, _Called]:
    """The modules that a call runs, parts included. An argument is taken for the only one that the
    file defines."""
    found: dict[ast.ClassDef, _Called] = {}
    for info, path in _modules_in(value, DEPTH, ()):
        if (forward := _forward(info)) is not None:
            found[info.node] = _Called(info, forward, path if info.node not in found else None)
    if found or value.kind != Kind.UNKNOWN or last_name(call.func) in _NO_MODEL:
        return found
    modules = [
        (info, forward)
        for info in list(facts.program.classes.values())  # more are found meanwhile
        if info.is_module and not is_foreign(info.node)
        if (forward := _forward(info)) is not None
    ]
    named = call.func
    if isinstance(named, ast.Attribute) and named.attr == "forward":
        named = named.value
    # (`self.model.train()` is no call of the model, and `self.model.train` keeps no state.)
    is_model = re.search(r"model|net|rnn|cell|filter|module", last_name(named) or "")
    if len(modules) != 1 or not is_model:
        return {}
    info, forward = modules[0]
    return {info.node: _Called(info, forward, ())}


def _modules_in(
    value: Value, depth: int, path: Path | None
) -> Iterator[tuple[ClassInfo, Path | None]]:
    parts: list[tuple[Value, Path | None]]
    if isinstance(value.ref, Instance):
        yield value.ref.info, path
        table = value.ref.info.table.items()
        parts = [(part, None if path is None else (*path, name)) for name, part in table]
    else:
        elements = (*(value.items or ()), *([value.elem] if value.elem is not None else []))
        parts = [(part, None) for part in elements]
    for part, way in parts if depth else ():
        if part.kind & Kind.MODULE:
            yield from _modules_in(part, depth - 1, way)


def _forward(info: ClassInfo) -> Method | None:
    value = info.find("forward")
    ref = value.ref if value is not None else None
    return ref.node if isinstance(ref, Closure) and isinstance(ref.node, FUNCTIONS) else None
