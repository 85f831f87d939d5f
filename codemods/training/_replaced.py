"""What a module is given anew after an optimizer was made with its parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.handles import Handle, Handles, Scope, arguments_of, handles, related
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.objects import ClassInfo, Closure, is_module_class
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.turns import held_by_call
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_ASIDE = re.compile(r"(?i)target|teacher|ema|old|frozen|prev|copy|loss|criterion|metric")
_RESIZES = "resize_token_embeddings"
"""Of the models of transformers: it makes embeddings of another size."""
_DEPTH = 2
_ADDING = frozenset(
    {"add_module", "register_module", "register_parameter", "append", "insert", "extend", "update"}
)


@dataclass(frozen=True)
class Replaced:
    """A statement that gives a module new parameters."""

    node: ast.AST
    text: str
    whole: bool
    """It is another module altogether, no part of the one there was."""
    direct: bool
    """It stands in the block itself, and always runs."""
    only_values: bool = False
    """It is a Parameter, which a loop may write anew in each turn."""


def replaced_in(
    statement: ast.stmt, held: Handles, scope: Scope, facts: Facts, depth: int = _DEPTH
) -> Iterator[Replaced]:
    """Where a statement, or code of this file that it calls, replaces parameters of `held`."""
    for node in run_by(statement):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            yield from _stored(node.targets[0], node.value, node is statement, held, scope, facts)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _stored(node.target, node.value, node is statement, held, scope, facts)
        elif isinstance(node, ast.Call):
            yield from _added(node, held, scope, facts)
            if depth:
                yield from _inside(node, held, scope, facts, depth - 1)


def run_by(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement, without those of functions that it only defines."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return []
    found: list[ast.AST] = [statement]
    for node in found:  # grows while it is read
        found += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, (*FUNCTIONS, ast.ClassDef, ast.Lambda))
        ]
    return found


def _stored(
    target: ast.expr, value: ast.expr, direct: bool, held: Handles, scope: Scope, facts: Facts
) -> Iterator[Replaced]:
    """`model.fc = nn.Linear(...)`, `model.layers[0] = ...`, `model = Model()`."""
    whole = None
    for place in handles(target, scope, facts):
        for module in held:
            if len(place) > len(module) and related(place, module):
                whole = False
            elif related(place, module):
                whole = _is_whole(target)
    if whole is None or not makes_parameters(_meant(value, scope, facts), facts, whole):
        return
    if isinstance(value, ast.Name) and _has_optimizer(value, scope, facts):
        return
    if whole and _wraps(value, held, scope, facts):
        return
    added = isinstance(target, ast.Attribute) and last_name(target.value) in ("self", "cls")
    if added and not whole and _ASIDE.search(last_name(target) or ""):
        return
    if added and not whole and isinstance(value, ast.Call) and _is_copy(value, facts):
        return
    yield Replaced(target, text_of(facts, target), whole, direct, _is_parameter(value))


def _is_parameter(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func) == "Parameter"


def _wraps(value: ast.expr, held: Handles, scope: Scope, facts: Facts) -> bool:
    """`model = Parallel(model)`: the parameters are those of the model in it."""
    if not isinstance(value, ast.Call) or _is_copy(value, facts):
        return False
    return any(handles(one, scope, facts) & held for one in all_arguments(value))


def _meant(value: ast.expr, scope: Scope, facts: Facts) -> ast.expr:
    """What a name stands for that is bound once."""
    if not isinstance(value, ast.Name):
        return value
    if is_foreign(value):
        around = ast.walk(scope.function) if scope.function is not None else ()
        bound: list[ast.AST | None] = [n for n in around if _binds(n, value.id)]
    else:
        stores = uses_in(facts).names.all_stores(value)
        bound = [facts.index.parents.get(store) for store in stores]
    made = bound[0] if len(bound) == 1 else None
    return made.value if isinstance(made, ast.Assign) else value


def _binds(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == name for t in node.targets
    )


def _has_optimizer(name: ast.Name, scope: Scope, facts: Facts) -> bool:
    """Was an optimizer made for it, before it became a part of something?"""
    module, around = handles(name, scope, facts), scope.function or facts.tree
    return any(
        facts.index.function_of(call) is scope.function
        and optimizer_class(call, facts)
        and (held_by_call(call, scope, facts) or module) & module
        for call in calls_in(around)
    )


def _is_whole(target: ast.expr) -> bool:
    """`model` and `self.model` are models; `model.fc` is a part of one."""
    return isinstance(target, ast.Name) or (
        isinstance(target, ast.Attribute) and last_name(target.value) in ("self", "cls")
    )


def _added(call: ast.Call, held: Handles, scope: Scope, facts: Facts) -> Iterator[Replaced]:
    """`model.add_module("head", nn.Linear(...))`, `setattr(model, "fc", ...)`."""
    name = last_name(call.func)
    owner: ast.expr | None = None
    if name == _RESIZES and isinstance(call.func, ast.Attribute):
        known = name in uses_in(facts).names.definitions  # which is looked into
        if not known and handles(call.func.value, scope, facts) & held:
            yield Replaced(call, f"{text_of(facts, call.func)}()", False, False)
        return
    if name == "setattr" and len(call.args) == 3:
        owner = call.args[0]
    elif name in _ADDING:
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is None or not call.args or not makes_parameters(call.args[-1], facts, whole=False):
        return
    named = call.args[-2] if len(call.args) > 1 else None
    part = (str(named.value),) if isinstance(named, ast.Constant) else ()
    places = [(*one, *part) for one in handles(owner, scope, facts)]
    if any(_covers(module, one) for one in places for module in held):
        yield Replaced(call, text_of(facts, owner), False, False, _is_parameter(call.args[-1]))


def _covers(module: Handle, part: Handle) -> bool:
    return len(part) >= len(module) and related(part, module)


def _inside(
    call: ast.Call, held: Handles, scope: Scope, facts: Facts, depth: int
) -> Iterator[Replaced]:
    """A function or method of this file, with what it is called with."""
    if not may_be_known(call, facts):
        return
    ref = facts.value(call.func).ref
    if not isinstance(ref, Closure) or isinstance(ref.node, ast.Lambda):
        return
    for statement in ref.node.body:
        inner = Scope(ref.node, arguments_inside(call, ref, scope, facts))
        for found in replaced_in(statement, held, inner, facts, depth):
            if not found.whole or isinstance(found.node, ast.Attribute):
                text = text_of(facts, call.func)
                alone = found.only_values
                yield Replaced(found.node, f"{text}()", found.whole, False, alone)


def may_be_known(call: ast.Call, facts: Facts) -> bool:
    """Is a function or class of this file called, or one that it may have from another?"""
    if is_foreign(call) or last_name(call.func) in uses_in(facts).names.definitions:
        return True
    imported = isinstance(call.func, ast.Attribute) or any(
        name in facts.index.imported for name in (last_name(call.func), "*")
    )
    return facts.project is not None and imported


def arguments_inside(
    call: ast.Call, ref: Closure, scope: Scope, facts: Facts
) -> dict[str, Handles]:
    bound = ref.bound_to is not None and isinstance(call.func, ast.Attribute)
    found = arguments_of(call, ref.node, int(bound), scope, facts)
    names = [a.arg for a in (*ref.node.args.posonlyargs, *ref.node.args.args)]
    if bound and names and isinstance(call.func, ast.Attribute):
        found |= {names[0]: handles(call.func.value, scope, facts)}
    return {name: objects for name, objects in found.items() if objects}


def makes_parameters(value: ast.expr, facts: Facts, whole: bool) -> bool:
    """Does an expression make parameters that were not there before?"""
    if whole:  # not `model = wrapper(model)`
        return isinstance(value, ast.Call) and (_is_copy(value, facts) or _is_maker(value, facts))
    return any(isinstance(n, ast.Call) and _is_maker(n, facts) for n in ast.walk(value))


def _is_copy(call: ast.Call, facts: Facts) -> bool:
    return facts.library_name(call.func) == "copy.deepcopy"


def _is_maker(call: ast.Call, facts: Facts) -> bool:
    name = facts.library_name(call.func)
    if name is not None:
        if name.endswith("Parameter"):
            return True
        op = torch_api.module(name)
        if op is not None:
            return op.params
        return name.startswith("torchvision.models.") and is_module_class("torch.nn.Module")
    ref = facts.value(call.func).ref
    if isinstance(ref, ClassInfo):
        return ref.is_module
    return isinstance(ref, Closure) and _returns_new_module(call, ref, facts)


def _returns_new_module(call: ast.Call, ref: Closure, facts: Facts) -> bool:
    """A factory, of one module or of several."""
    value = facts.value(call)
    made = [one for one in value.items or () if one.kind == Kind.MODULE]
    if (value.kind != Kind.MODULE and not made) or isinstance(ref.node, ast.Lambda):
        return False
    given = {a.arg for a in ast.walk(ref.node.args) if isinstance(a, ast.arg)}
    returned = [n.value for n in walk(ref.node) if isinstance(n, ast.Return)]
    parts = [
        part for one in returned for part in (one.elts if isinstance(one, ast.Tuple) else [one])
    ]
    return not any(isinstance(v, ast.Name) and v.id in given for v in parts)


def text_of(facts: Facts, node: ast.expr) -> str:
    return ast.unparse(node) if is_foreign(node) else facts.source.segment(node)


def reads(name: ast.expr, statements: Sequence[ast.stmt], facts: Facts) -> list[ast.expr]:
    """Where an optimizer (a name, an attribute, an element) is read in some statements."""
    owner = name.value if isinstance(name, ast.Subscript) else name
    wanted = ast.dump(_loaded(owner))
    found = [
        node
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, type(owner))
        and isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))
        and isinstance(node.ctx, ast.Load)
        and ast.dump(node) == wanted
    ]
    return [one for one in found if not _is_of_other(one, name, facts)]


def _is_of_other(owner: ast.expr, name: ast.expr, facts: Facts) -> bool:
    """Is another element read, or one set?"""
    around = facts.index.parents.get(owner)
    if not isinstance(name, ast.Subscript) or not isinstance(around, ast.Subscript):
        return False
    known = isinstance(around.slice, ast.Constant) and isinstance(name.slice, ast.Constant)
    other = known and ast.dump(around.slice) != ast.dump(name.slice)
    return other or not isinstance(around.ctx, ast.Load)


def _loaded(name: ast.expr) -> ast.expr:
    copy: ast.expr = ast.parse(ast.unparse(name), mode="eval").body
    return copy
