"""A number that a function gives to other files: may it be a tensor there?

Nothing can be edited in them here, so each place that takes the number has to take a tensor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._exports import Export
from autofix.codemods.graph._only_cut import never_learns
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, Index, is_property
from autofix.flow.objects import Closure, Instance
from autofix.flow.reaching import Names
from autofix.flow.values import Kind, Value
from autofix.source import Line

_TAKERS = ("torch.", "builtins.sum", "builtins.print")


def is_needed_abroad(function: FunctionNode, export: Export, facts: Facts) -> bool:
    """Does a backward pass in another file need what was cut, as a term of its loss, as all that
    there is, or as all that a weight is used for, and do the other files only compute with what the
    function gives?"""
    if not _is_no_weight(export, facts):
        return False
    uses = list(_uses_abroad(function, facts, set()))
    return bool(uses) and all(_takes_tensor(node, index, facts) for node, index in uses)


def _is_no_weight(export: Export, facts: Facts) -> bool:
    found = facts.needed(export.cut)
    if found is None or not (found[1].backward and isinstance(found[1].line, Line)):
        return False
    if facts.is_term(export.cut) or not found[1].carries:
        return True
    return never_learns(export.whole, export.source, facts)


def takes_argument(function: FunctionNode, wanted: str, export: Export, facts: Facts) -> bool:
    """Does a function of another file only compute with a number that it is given, so that a
    tensor may come in its place, and keeps its graph?"""
    if not _is_no_weight(export, facts):
        return False
    for other in facts.program.modules.others:
        index = other.unit.index
        if function in index.parents:
            loads = Names(index).argument_loads(function, wanted)
            return bool(loads) and all(_computes(load, index, facts) for load in loads)
    return False


def _computes(load: ast.expr, index: Index, facts: Facts) -> bool:
    """Does the arithmetic that a number goes into have a tensor at its end? (With an array, which
    takes no tensor that has a graph, it would raise.)"""
    node: ast.AST = load
    around = index.parents.get(node)
    while isinstance(around, (ast.BinOp, ast.UnaryOp)):
        value = facts.program.values.get(around)
        if value is not None and value.is_tensor:
            return True
        node, around = around, index.parents.get(around)
    if not isinstance(around, ast.Call) or node not in around.args[:1]:
        return False
    target = facts.program.values.get(around.func)
    return target is not None and target.ref in ("torch.as_tensor", "torch.asarray")


def _uses_abroad(
    function: FunctionNode, facts: Facts, seen: set[FunctionNode]
) -> Iterator[tuple[ast.expr, Index]]:
    """The calls of the function in other files, or the reads of what they are bound to; those of
    the functions there that return it, too."""
    seen.add(function)
    for module in facts.program.modules.others:
        index = module.unit.index
        names = Names(index)
        for call in (*_calls_in(index, function, facts), *_property_reads(index, function, facts)):
            for read in _reads(call, names):
                outer = index.function_of(read)
                returned = isinstance(index.parents.get(read), ast.Return)
                if returned and outer is not None and outer not in seen:
                    yield from _uses_abroad(outer, facts, seen)
                else:
                    yield read, index


def _calls_in(index: Index, function: FunctionNode, facts: Facts) -> Iterator[ast.expr]:
    for call in index.of_kind(ast.Call):
        if _runs(facts.program.values.get(call.func), function):
            yield call


def _property_reads(index: Index, function: FunctionNode, facts: Facts) -> Iterator[ast.expr]:
    if isinstance(function, ast.Lambda) or not is_property(function):
        return
    for read in Names(index).attributes.get(function.name, ()):
        owner = facts.program.values.get(read.value)
        if owner is not None and isinstance(owner.ref, Instance):
            found = owner.ref.info.find(function.name)
            if found is not None and _is(found, function):
                yield read


def _runs(called: Value | None, function: FunctionNode) -> bool:
    """Is it the function, or an object that runs it where it is called?"""
    if called is not None and isinstance(called.ref, Instance):
        called = called.ref.info.find("forward") or called.ref.info.find("__call__")
    return called is not None and _is(called, function)


def _is(value: Value, function: FunctionNode) -> bool:
    return isinstance(value.ref, Closure) and value.ref.node is function


def _reads(call: ast.expr, names: Names) -> Iterator[ast.expr]:
    match names.index.parents.get(call):
        case ast.Assign(targets=[ast.Name() as target]):
            yield from names.loads(target)
        case _:
            yield call


def _elements_take_tensors(pairs: ast.Call, index: Index, facts: Facts) -> bool:
    """`sum((a - b) ** 2 for a, b in zip(x, x[1:]))`"""
    loop = index.parents.get(pairs)
    around = index.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    if not isinstance(loop, (ast.comprehension, ast.For)) or around is None:
        return False
    bound = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    loads = [
        n
        for n in ast.walk(around)
        if isinstance(n, ast.Name) and n.id in bound and isinstance(n.ctx, ast.Load)
    ]
    return all(_takes_tensor(load, index, facts) for load in loads)


def _goes_into_array(node: ast.expr, index: Index, facts: Facts) -> bool:
    """`table[i] += 2 * node`: is an array of numpy computed of it? It would take the number of a
    tensor, and leave the graph again."""
    whole: ast.AST = node
    while isinstance(around := index.parents.get(whole), (ast.BinOp, ast.UnaryOp)):
        whole = around
    targets = around.targets if isinstance(around, ast.Assign) else []
    targets = [around.target] if isinstance(around, ast.AugAssign) else targets
    owners = [target.value for target in targets if isinstance(target, ast.Subscript)]
    values = (facts.program.values.get(one) for one in (whole, *targets, *owners))
    return any(value is not None and bool(value.kind & Kind.NUMPY) for value in values)


def _takes_tensor(node: ast.expr, index: Index, facts: Facts) -> bool:
    match index.parents.get(node):
        case ast.Attribute(attr=attr):  # `loss.backward()`: no number has it
            return not hasattr(float, attr) and torch_api.method(attr) is not None
        case ast.Subscript(value=owner, ctx=ast.Load()) as part if owner is node:
            return _takes_tensor(part, index, facts)
        case ast.Call(func=ast.Name(id="len")):
            return True
        case ast.Call(func=ast.Name(id="zip" | "enumerate")) as pairs:
            return _elements_take_tensors(pairs, index, facts)
        case ast.BinOp() | ast.UnaryOp() | ast.AugAssign():
            return not _goes_into_array(node, index, facts)
        case ast.Assign(targets=[ast.Subscript(value=owner)]):
            held = facts.program.values.get(owner)
            return held is not None and held.is_tensor
        case ast.FormattedValue() | ast.Compare():
            return True
        case ast.Call(func=func, args=args) if node in args:
            target = facts.program.values.get(func)
            name = target.ref if target is not None else None
            return isinstance(name, str) and name.startswith(_TAKERS)
    return False
