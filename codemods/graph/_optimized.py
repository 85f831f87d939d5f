"""Which modules the optimizers of a program may hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import Index, last_name, root_name
from autofix.flow.modules import has_parameters, identity
from autofix.flow.objects import Instance
from autofix.flow.syntax import all_arguments
from autofix.flow.values import Graph, Kind, Value
from autofix.flow.walk import walk


def is_optimized(node: ast.expr, value: Value, facts: Facts) -> bool:
    """Is an optimizer given something that may hold the module? (Where there is none, the program
    that trains it is elsewhere.)"""
    optimizers = _optimizers(facts)
    return not optimizers or any(_covers(call, node, value, facts) for call in optimizers)


def _optimizers(facts: Facts) -> list[ast.Call]:
    """Those of this file, else those of the files that were seen to run it."""
    modules = facts.program.modules
    others = (module for path in sorted(modules.consulted) if (module := modules.at(path)))
    found = _made_in(facts.index)
    return found or [
        call
        for other in others
        for call in _made_in(other.unit.index)
        if call in facts.program.values
    ]


def _made_in(index: Index) -> list[ast.Call]:
    return [
        call
        for call in index.of_kind(ast.Call)
        if torch_api.is_optimizer(f"torch.optim.{last_name(call.func)}")
    ]


def _covers(call: ast.Call, node: ast.expr, value: Value, facts: Facts) -> bool:
    inside = [n for argument in (*call.args, *call.keywords) for n in walk(argument)]
    if any(isinstance(n, ast.Attribute) and n.attr == "requires_grad" for n in inside):
        # Only those that are trained: then some are not. Which, the file has to tell.
        told = facts.program.thawed
        return bool(identity(value) & told if told else facts.program.frozen)
    lists = [n for n in inside if isinstance(n, ast.Call) and last_name(n.func) == "parameters"]
    if not lists:
        return True
    mine = facts.index.class_of(node)
    for parameters in lists:
        owner = parameters.func.value if isinstance(parameters.func, ast.Attribute) else None
        if owner is None:
            continue
        held = facts.value(owner)
        if identity(held) & identity(value) or held.kind == Kind.UNKNOWN:
            return True
        if isinstance(held.ref, Instance):
            same = any(info.node is mine for info in held.ref.info.lineage)
            if same or _holds(held.ref, mine):
                return True
    return False


def _holds(instance: Instance, inner: ast.ClassDef | None) -> bool:
    """Is an object of class `inner` an attribute of this one, at any depth?"""
    todo, seen = [instance.info], {instance.info.node}
    while todo:
        for value in todo.pop().table.values():
            for part in (value, *(value.items or ()), *([value.elem] if value.elem else ())):
                if isinstance(part.ref, Instance) and part.ref.info.node not in seen:
                    seen.add(part.ref.info.node)
                    todo.append(part.ref.info)
    return inner in seen


def comes_from_untrained(tensor: ast.expr, facts: Facts) -> bool:
    """Does an expression have its graph only of modules that no optimizer gets, such as a tower
    whose features are taken as they are?"""
    modules = list(_modules_in(tensor, facts))
    given = (a for n in walk(tensor) if isinstance(n, ast.Call) for a in all_arguments(n))
    if any(facts.value(a).graph > Graph.NO for a in given if not isinstance(a, ast.Call)):
        return False
    return bool(modules) and not any(is_optimized(n, facts.value(n), facts) for n in modules)


def _modules_in(tensor: ast.expr, facts: Facts) -> Iterator[ast.expr]:
    """The modules that are called in it, or whose parameters are read."""
    for node in walk(tensor):
        match node:
            case ast.Call(func=module) if has_parameters(facts.value(module)) == Graph.YES:
                yield module
            case ast.Attribute(value=module) if facts.value(node).leaf:
                if facts.value(module).kind & Kind.MODULE and root_name(module) != "self":
                    yield module
