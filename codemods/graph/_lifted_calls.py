"""A lifted value as an argument, or with a method called on it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._landing import CannotLift, landed
from autofix.codemods.graph._lifted_abroad import takes_argument
from autofix.codemods.graph._lifted_dicts import constructed, counted, updated
from autofix.codemods.graph._lifted_numbers import into_torch
from autofix.codemods.graph._unwrapping import unwrapped
from autofix.codemods.graph._way import OFF, Way
from autofix.flow.index import last_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.unit import is_foreign
from autofix.flow.values import Kind, Value

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift


def attribute(
    lift: Lift, node: ast.expr, parent: ast.Attribute, name: str, form: Form, mixed: bool
) -> Way:
    if form == Form.ARRAY and name == "T":
        return lift.follow(parent, form)
    call = lift.facts.index.parents.get(parent)
    if not isinstance(call, ast.Call) or call.func is not parent:
        return OFF
    if form == Form.NUMBER and name == "backward":  # of a number that raises
        lift.partners.append(Value())
        return Way(True)
    if form != Form.ARRAY:
        return OFF
    translated = lift.translator.method(call, name)
    if translated is None:
        _refuse_if_joined(lift, call, form, f"`.{name}` of an array")
        return OFF
    after = Form.NUMBER if name == "item" else form
    way = lift.follow(call, after)
    return Way(True, (*way.edits, *translated)) if way.joined else OFF


def _refuse_if_joined(lift: Lift, call: ast.expr, form: Form, what: str) -> None:
    value = lift.facts.value(call)
    if value.kind & (Kind.NUMPY | Kind.NUMBER) and lift.follow(call, form).joined:
        raise CannotLift(f"{what} has no counterpart in torch here")


def passed(lift: Lift, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
    """An argument of a call."""
    facts = lift.facts
    landing = landed(node, call, form, mixed, facts, lift.translator, lift.export, lift.wide)
    if landing is not None:
        edits, leaf = landing
        lift.partners.append(Value())
        if leaf is not None:
            lift.leaves.append(leaf)
        return Way(True, tuple(edits))
    if isinstance(call.func, ast.Name) and not lift.uses.names.definitions.get(call.func.id):
        found = _builtin(lift, node, call, call.func.id, form, mixed)
        if found is not None:
            return found
    translated = lift.translator.function(call, node, form, mixed)
    if translated is not None:
        after, edits = translated
        is_numpy = (facts.library_name(call.func) or "").startswith("numpy.")
        lift.scalar = lift.scalar or (form == Form.ARRAY and after == Form.NUMBER)
        lift.wide = lift.wide or (is_numpy and form != Form.ARRAY and not lift.scalar)
        way = lift.follow(call, after)
        return Way(True, (*edits, *way.edits)) if way.joined else OFF
    dotted = facts.library_name(call.func) or ""
    if dotted.startswith(("numpy.", "math.", "scipy.")):
        _refuse_if_joined(lift, call, form, f"`{facts.source.segment(call.func)}`")
        return OFF
    ref = facts.value(call.func).ref
    if isinstance(ref, ClassInfo):
        return constructed(lift, node, call, ref, form)
    if isinstance(ref, Closure):
        return _received(lift, node, call, form, mixed)
    if dotted.startswith("torch.") or facts.value(call).is_tensor:
        return into_torch(lift, node, call, form, mixed)
    if form == Form.NUMBER and last_name(call.func) == "append":
        return _appended(lift, call)
    if last_name(call.func) == "update":
        return updated(lift, node, call, form)
    return OFF


def _builtin(
    lift: Lift, node: ast.expr, call: ast.Call, name: str, form: Form, mixed: bool
) -> Way | None:
    if name == "float" and form != Form.NUMBERS:
        way = lift.follow(call, Form.NUMBER, mixed)
        return Way(True, (*unwrapped(lift.facts, call, node), *way.edits)) if way.joined else OFF
    if name in ("abs", "max", "min", "pow") and form == Form.NUMBER:
        return lift.follow(call, form, mixed or name in ("max", "min"))
    if name in ("max", "min") and form == Form.NUMBERS and len(call.args) == 1:
        return lift.follow(call, Form.NUMBER, mixed)
    if name == "sum" and form != Form.NUMBER:
        return lift.follow(call, Form.NUMBER if form == Form.NUMBERS else form, True)
    if name == "enumerate" and form != Form.NUMBER:
        return counted(lift, call, form)
    if name in ("list", "tuple") and form == Form.NUMBERS:
        return lift.follow(call, form)
    if name in ("len", "range", "print", "int", "round", "str", "isinstance", "bool"):
        return OFF
    return None


def _appended(lift: Lift, call: ast.Call) -> Way:
    """`numbers.append(node)`."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(owner, ast.Name):
        return OFF
    loads = [n for n in lift.uses.names.all_loads(owner) if n is not owner]
    loads = [n for n in loads if not lift.facts.value(n).is_tensor]  # another value of that name
    return lift.loads(loads, Form.NUMBERS, lambda load: False)


def _received(lift: Lift, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
    """A function of this file: its argument is lifted."""
    name = last_name(call.func)
    ref = lift.facts.value(call.func).ref
    if not isinstance(ref, Closure):
        return OFF
    if isinstance(ref.node, ast.Lambda):
        return _into_lambda(lift, node, call, ref.node, form)
    names = [a.arg for a in (*ref.node.args.posonlyargs, *ref.node.args.args)]
    names = names[int(ref.bound_to is not None) :]
    wanted = next((k.arg for k in call.keywords if k.value is node), None)
    if wanted is None and node in call.args and call.args.index(node) < len(names):
        wanted = names[call.args.index(node)]
    if is_foreign(ref.node):
        taken = (
            form == Form.NUMBER
            and wanted
            and takes_argument(ref.node, wanted, lift.export, lift.facts)
        )
        lift.partners += [Value()] if taken else []
        return Way(True) if taken else OFF
    if name not in lift.uses.names.definitions:
        return OFF
    loads = lift.uses.names.argument_loads(ref.node, wanted)
    alone = len(lift.uses.calls_of(ref.node)) == 1
    way = lift.loads(loads, form, lambda load: mixed or not alone)
    if way.joined and way.edits and not alone:
        raise CannotLift(f"`{name}` is called with other values as well")
    return way


def _into_lambda(lift: Lift, node: ast.expr, call: ast.Call, to: ast.Lambda, form: Form) -> Way:
    names = [a.arg for a in (*to.args.posonlyargs, *to.args.args)]
    if node not in call.args or call.args.index(node) >= len(names):
        return OFF
    wanted = names[call.args.index(node)]
    found = (n for n in ast.walk(to.body) if isinstance(n, ast.Name) and n.id == wanted)
    return lift.loads(list(found), form, lambda load: True)
