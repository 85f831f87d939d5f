"""Does code run between the steps of an optimizer that was there before?"""

from __future__ import annotations

import ast
import re

from autofix.flow.class_table import Method
from autofix.flow.facts import Facts
from autofix.flow.index import Index, last_name
from autofix.flow.roles import is_optimizer, optimizer_class
from autofix.flow.syntax import calls_any, calls_in
from autofix.flow.trails import Trail
from autofix.flow.unit import is_foreign
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_MAKING = re.compile(r"(?i)optim")


def runs_between_steps(facts: Facts, node: ast.stmt, made: ast.expr, loops: bool = True) -> bool:
    """In a loop around calls of the function that it stands in, or around it, or in a function that
    takes a step itself. `made`: the Parameter."""
    method = facts.index.function_of(node)
    if _copies(method):
        return False  # the layers are those of another model
    if method is not None and _called_between_steps(facts, method):
        return True
    if loops and steps_around(facts, node):
        return True
    ways = facts.trails(made) if isinstance(made, ast.Call) else ()
    return any(_leads_through_steps(facts, way, loops) for way in ways)


def _leads_through_steps(facts: Facts, way: Trail, loops: bool) -> bool:
    for at, (index, call) in enumerate(way):
        if _copies(index.function_of(call)):
            return False
        if at == 0 and not loops:
            continue
        if steps_around(facts, call, index) or _steps_below(facts, call, index):
            return True
        if _beside_step(facts, call, index):
            return True
    return False


def _copies(function: ast.AST | None) -> bool:
    calls = calls_in(function) if function is not None else ()
    return any(last_name(call.func) == "deepcopy" for call in calls)


def _called_between_steps(facts: Facts, method: Method) -> bool:
    """Is there a call of it beside that of an optimizer's `step`, in a loop?"""
    for caller in facts.index.callers(method.name):
        for node in walk(caller):
            if _calls(node, method.name) and caller is not method and steps_around(facts, node):
                return True
    return False


def _calls(node: ast.AST, name: str) -> bool:
    """`clip(net)`, `net.apply(clip)`"""
    match node:
        case ast.Call(func=ast.Attribute(attr="apply"), args=[ast.Name() as given]):
            return given.id == name
    return isinstance(node, ast.Call) and last_name(node.func) == name


def steps_around(facts: Facts, node: ast.AST, index: Index | None = None) -> bool:
    """Is an optimizer that was there before stepped in the loop around?"""
    loops = (index or facts.index).loops_around(node)
    loops = [one for one in loops if calls_any(one, ("step", "backward"))]
    if not loops or facts.makes_optimizer(node, loops[0]):
        return False
    return not any(optimizer_class(call, facts) for call in calls_in(loops[0]))


def _steps_below(facts: Facts, call: ast.AST, index: Index) -> bool:
    """The same for a loop that takes its steps in functions that it calls."""
    loops = index.loops_around(call)
    return any(facts.steps(loop) and not _may_make(facts, loop) for loop in loops)


def _may_make(facts: Facts, node: ast.AST) -> bool:
    """`opt = configure_optimizers(model)`, which may be code that cannot be seen"""
    return any(
        _MAKING.search(last_name(call.func) or "") or optimizer_class(call, facts)
        for call in calls_in(node)
    )


def _beside_step(facts: Facts, call: ast.AST, index: Index) -> bool:
    """Does the function that makes the call step an optimizer that it did not make: is it one step
    of a training, whoever repeats it?"""
    function = index.function_of(call)
    if function is None or _may_make(facts, function):
        return False
    return any(
        index.function_of(one) is function and not index.loops_around(one)
        for one in calls_in(function)
        if _steps(facts, one)
    )


def _steps(facts: Facts, call: ast.Call) -> bool:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is None or last_name(call.func) != "step":
        return False
    if is_foreign(call):
        return facts.value(owner).kind == Kind.OPTIMIZER
    return is_optimizer(owner, facts)
