"""Whose parts are the modules that a plain container holds?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.class_table import weighted
from autofix.flow.facts import Facts
from autofix.flow.objects import Instance
from autofix.flow.syntax import argument
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk


def has_another_owner(facts: Facts, part: ast.expr) -> bool:
    """Is what the container is given a part of a module already, which has registered it?"""
    return any(
        _is_own_attribute(facts, one)
        or _is_of_argument(facts, one)
        or _is_drawn(facts, one)
        or _is_handed_back(facts, one)
        or _wraps_another(facts, one)
        or _is_linked(facts, one)
        for one in origins(facts, part)
    )


def origins(facts: Facts, part: ast.expr) -> list[ast.expr]:
    """The part, and what the calls of the function give it if it is an argument."""
    return [part, *_given_as(facts, part)]


def _is_linked(facts: Facts, part: ast.expr) -> bool:
    """`def add_child(self, link: "Body"): self.children.append(link)` in the class `Body` itself:
    its objects are nodes of a graph, which something else holds. Registered both as a child here
    and as a parent there, they would contain themselves."""
    function, owner = facts.index.function_of(part), facts.index.class_of(part)
    if owner is None or function is None or isinstance(function, ast.Lambda):
        return False
    if not isinstance(part, ast.Name) or function.name == "__init__":
        return False
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    said = [a.annotation for a in given if a.arg == part.id and a.annotation is not None]
    ref = facts.value(part).ref
    if isinstance(ref, Instance):
        return any(info.node is owner for info in ref.info.lineage)
    return any(
        owner.name in (getattr(n, "id", None), getattr(n, "value", None))
        for each in said
        for n in ast.walk(each)
    )


def _is_own_attribute(facts: Facts, part: ast.expr) -> bool:
    """`self.layers = [self.a, self.rest[0]]`"""
    value = facts.value(part)
    own = part.value if isinstance(part, ast.Subscript) else part
    if not isinstance(own, ast.Attribute) or _is_made_each_turn(facts, own):
        return False
    return bool(value.kind & Kind.MODULE or value.parameter)


def _is_handed_back(facts: Facts, part: ast.expr) -> bool:
    """`self.merged.append(layers[-1])` of a list `layers` that the function returns."""
    if not (isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name)):
        return False
    loads = uses_in(facts).names.all_loads(part.value)
    return any(isinstance(facts.index.parents.get(load), ast.Return) for load in loads)


def _wraps_another(facts: Facts, part: ast.expr) -> bool:
    """`View(member)` of a member of what another attribute is, and with no weights of its own."""
    made = [part] if isinstance(part, ast.Call) else []
    for store in uses_in(facts).names.stores(part) if isinstance(part, ast.Name) else ():
        statement = facts.index.parents.get(store)
        value = statement.value if isinstance(statement, ast.Assign) else None
        made += [value] if isinstance(value, ast.Call) else []
    given = [n for call in made for a in call.args for n in walk(a) if isinstance(n, ast.Name)]
    drawn = any(_is_part_of_attribute(facts, name) for name in given)
    return drawn and not any(weighted(facts.value(call)) for call in made)


def _is_part_of_attribute(facts: Facts, name: ast.Name) -> bool:
    """`for member in self.ensemble.members`"""
    for many in _sources(facts, name):
        match many:
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self")) as whole):
                if facts.value(whole).kind & (Kind.MODULE | Kind.UNKNOWN):
                    return True
    return False


def _is_made_each_turn(facts: Facts, own: ast.Attribute) -> bool:
    """Does the loop set the attribute anew, so that only the last one stays?"""
    around = facts.index.loops_around(own)
    stores = uses_in(facts).names.stored.get(own.attr, ())
    return bool(around and stores) and all(
        around[0] in facts.index.loops_around(store) for store in stores
    )


def _is_of_argument(facts: Facts, part: ast.expr) -> bool:
    """`for part in other.parts: self.mine.append(part)`, where the argument `other` has them."""
    function = facts.index.function_of(part)
    if function is None:
        return False
    arguments = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)} - {"self"}
    owners = [many.value for many in _sources(facts, part) if isinstance(many, ast.Attribute)]
    return any(isinstance(owner, ast.Name) and owner.id in arguments for owner in owners)


def _is_drawn(facts: Facts, part: ast.expr) -> bool:
    """`{i: m for i, m in enumerate(self.layers)}`, where `self.layers` is a `ModuleList`."""
    return any(
        isinstance(node, ast.Attribute) and facts.value(node).kind == Kind.MODULE
        for many in _sources(facts, part)
        for node in walk(many)
    )


def _sources(facts: Facts, part: ast.expr) -> Iterator[ast.expr]:
    """What the loops go through by which a name gets its values."""
    for store in uses_in(facts).names.stores(part) if isinstance(part, ast.Name) else ():
        around = facts.index.parents.get(store)
        while isinstance(around, ast.Tuple):
            around = facts.index.parents.get(around)
        if isinstance(around, (ast.For, ast.comprehension)):
            yield around.iter


def _given_as(facts: Facts, part: ast.expr) -> Iterator[ast.expr]:
    """What the calls of a function give it as its argument `part`."""
    function = facts.index.function_of(part)
    if not isinstance(part, ast.Name) or function is None:
        return
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if part.id not in (*names, *(a.arg for a in function.args.kwonlyargs)):
        return
    at = names.index(part.id) if part.id in names else len(names)
    for call, skipped in _calls_of(facts, function):
        given = argument(call, at - skipped, part.id)
        if given is not None:
            yield given


def _calls_of(
    facts: Facts, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[tuple[ast.Call, int]]:
    """The calls that run a function, and how many of its arguments they do not give."""
    owner = facts.index.class_of(function)
    if owner is not None and function.name == "__init__":
        for call in uses_in(facts).names.calls.get(owner.name, ()):
            yield call, 1
        return
    for call in uses_in(facts).names.calls.get(function.name, ()):
        yield call, int(owner is not None)
