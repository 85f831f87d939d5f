"""Which modules the optimizers of a program may hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import Index, last_name, root_name
from autofix.flow.modules import has_parameters, identity
from autofix.flow.objects import Instance
from autofix.flow.roles import is_optimizer_name
from autofix.flow.syntax import all_arguments, keyword
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import EMPTY, Graph, Kind, Value
from autofix.flow.walk import walk


def is_optimized(node: ast.expr, value: Value, facts: Facts) -> bool:
    """Is an optimizer given something that may hold the module? (Where there is none, the program
    that trains it is elsewhere.)"""
    optimizers = optimizers_of(facts)
    return not optimizers or any(_covers(call, node, value, facts) for call in optimizers)


def optimizers_of(facts: Facts) -> list[ast.Call]:
    """Those of this file, else those of the files that were seen to run it."""
    found = _made_in(facts.index)
    return found or [
        call
        for other in facts.program.modules.others
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
        if ast.unparse(node).startswith(f"{ast.unparse(owner)}."):
            return True  # a part of what is trained
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


def has_own_optimizer(tensor: ast.expr, facts: Facts) -> bool:
    """Is an expression made of one leaf alone, such as the temperature of an agent, which one of
    several optimizers gets as all that it trains? It learns by a loss of its own."""
    given = [one for call in _all_optimizers(facts) for one in _leaves_given(call, facts)]
    if not given or not _has_several(facts):
        return False
    roots = {n: facts.value(n).graph for n in _roots(tensor, facts)}
    surest = max(roots.values(), default=Graph.NO)
    own = {ast.unparse(only) for only in given if not is_foreign(only)}
    memory = EMPTY.union(*(facts.value(only).storage for only in given))
    return surest > Graph.NO and all(
        ast.unparse(n) in own or bool(facts.value(n).storage & memory)
        for n, graph in roots.items()
        if graph == surest
    )


def _all_optimizers(facts: Facts) -> dict[ast.Call, None]:
    """What is made of a class of torch.optim, or of an argument, and named like an optimizer."""
    others = [other.unit.index for other in facts.program.modules.others]
    return {
        call: None
        for index in (facts.index, *others)
        for call in index.of_kind(ast.Call)
        if (call.args or call.keywords)
        and (index is facts.index or call in facts.program.values)
        and _makes_optimizer(call, index)
    }


def _makes_optimizer(call: ast.Call, index: Index) -> bool:
    if torch_api.is_optimizer(f"torch.optim.{last_name(call.func)}"):
        return True
    match index.parents.get(call):
        case ast.Assign(targets=targets):
            return any(is_optimizer_name(target) for target in targets)
        case ast.AnnAssign(target=target):
            return is_optimizer_name(target)
    return False


def _has_several(facts: Facts) -> bool:
    """Are there more optimizers than one, by what is made or by what is stepped?"""
    steps = uses_in(facts).names.calls.get("step", ())
    owners = {ast.unparse(c.func.value) for c in steps if isinstance(c.func, ast.Attribute)}
    return len(_all_optimizers(facts)) > 1 or len(owners) > 1


def _roots(tensor: ast.expr, facts: Facts) -> Iterator[ast.expr]:
    """The leaves, names and attributes that an expression is made of, and what its names were
    bound to."""
    names, todo, seen = uses_in(facts).names, [tensor], {tensor}
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            todo += all_arguments(node)
            if isinstance(node.func, ast.Attribute):
                todo.append(node.func.value)
        elif isinstance(node, ast.Attribute) or facts.value(node).leaf:
            yield node
        elif isinstance(node, ast.Name):
            stores = [facts.index.parents.get(store) for store in names.stores(node)]
            bound = [s.value for s in stores if isinstance(s, ast.Assign) and len(s.targets) == 1]
            todo += [value for value in bound if value not in seen]
            seen.update(bound)
            if not bound:
                yield node
        else:
            todo += [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]


def _leaves_given(optimizer: ast.Call, facts: Facts) -> list[ast.expr]:
    """The one leaf that an optimizer gets, or all of several that are read for a loss, too."""
    given = optimizer.args[0] if optimizer.args else keyword(optimizer, "params")
    if not isinstance(given, (ast.List, ast.Tuple)):
        return []
    leaves: list[ast.expr] = [e for e in given.elts if isinstance(e, (ast.Name, ast.Attribute))]
    if len(leaves) < len(given.elts):
        return []
    return leaves if len(leaves) == 1 else [one for one in leaves if _is_factor(one, facts)]


def _is_factor(leaf: ast.expr, facts: Facts) -> bool:
    """Is it computed with somewhere, as it is?"""
    if not isinstance(leaf, ast.Attribute):
        return False
    reads = uses_in(facts).names.attributes.get(leaf.attr, ())
    return any(isinstance(facts.index.parents.get(read), ast.BinOp) for read in reads)


def _modules_in(tensor: ast.expr, facts: Facts) -> Iterator[ast.expr]:
    """The modules that are called in it, or whose parameters are read."""
    for node in walk(tensor):
        match node:
            case ast.Call(func=module) if has_parameters(facts.value(module)) == Graph.YES:
                yield module
            case ast.Attribute(value=module) if facts.value(node).leaf:
                if facts.value(module).kind & Kind.MODULE and root_name(module) != "self":
                    yield module
