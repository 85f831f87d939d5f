"""Is the graph of what a function returns freed before it returns?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._freed import same_turn, shares_graph, surely_tensor
from autofix.codemods.training._graphs import Backward, Graphs, graphs_around, keys
from autofix.flow.abroad import seen_from
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.objects import Closure
from autofix.flow.syntax import is_none
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph


def freed_by_callee(graphs: Graphs, key: str, added: ast.expr) -> list[ast.expr]:
    """`total += train_step(batch)`, which returns the loss that it has run backward through: what
    to detach. Nothing if some way through the function leaves the graph alive, or if what it runs
    backward through is made of the sum."""
    facts = graphs.facts
    if facts.value(added).graph == Graph.NO:
        return []
    call, at = _made_by_call(graphs, added)
    ref = facts.value(call.func).ref if call is not None else None
    if not isinstance(ref, Closure) or ref.node is graphs.scope:
        return []
    there = seen_from(facts, ref.node)
    given = list(_returned(ref.node, at, there)) if there is not None else [None]
    known = [one for one in given if one is not None]
    alive = [one for one in known if there is None or there.value(one).graph > Graph.NO]
    freed = there is not None and all(_is_freed(one, key, there) for one in alive)
    return [added] if alive and freed and len(known) == len(given) else []


def _made_by_call(graphs: Graphs, added: ast.expr) -> tuple[ast.Call | None, int | str | None]:
    """The call that gives a value, and which of its results it is, if it gives several."""
    match added:
        case ast.Call():
            return added, None
        case ast.Subscript(value=whole, slice=ast.Constant(value=int() | str() as at)):
            call, already = _made_by_call(graphs, whole)
            return (call, at) if already is None else (None, None)
    if not isinstance(added, ast.Name):
        return None, None
    names = uses_in(graphs.facts).names
    stores = [one for one in names.stores(added) if added in names.loads(one)]
    parent = graphs.facts.index.parents.get(stores[0]) if len(stores) == 1 else None
    match parent:
        case ast.Assign(targets=[ast.Name()], value=ast.Call() as call):
            return call, None
        case ast.Tuple(elts=parts) as several:
            match graphs.facts.index.parents.get(several):
                case ast.Assign(targets=[only], value=ast.Call() as call) if only is several:
                    return call, parts.index(stores[0])
    return None, None


def _returned(function: ast.AST, at: int | str | None, facts: Facts) -> Iterator[ast.expr | None]:
    """What each way out of a function gives; None for what is not known."""
    if not isinstance(function, FUNCTIONS) or isinstance(function, ast.Lambda):
        yield None
        return
    for node in facts.index.body_nodes(function):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            yield None
        if not isinstance(node, ast.Return) or facts.index.function_of(node) is not function:
            continue
        value = node.value if at is None else _entry(node.value, at)
        if value is None or not is_none(value):
            yield value


def _entry(value: ast.expr | None, at: int | str) -> ast.expr | None:
    """What stands at a place of a tuple or dict that is written out."""
    match value:
        case ast.Tuple(elts=parts) if isinstance(at, int) and 0 <= at < len(parts):
            return parts[at]
        case ast.Dict(keys=names, values=parts):
            found = [
                part
                for name, part in zip(names, parts, strict=True)
                if isinstance(name, ast.Constant) and name.value == at
            ]
            return found[-1] if found and None not in names else None
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=words):
            named = {word.arg: word.value for word in words}
            return named.get(at) if isinstance(at, str) and None not in named else None
    return None


def _is_freed(value: ast.expr, key: str, facts: Facts) -> bool:
    graphs = graphs_around(facts, value)
    return any(
        not backward.retains
        and same_turn(graphs, value, backward)
        and _always_before(graphs, backward, value)
        and key not in graphs.made_of(keys(backward.root))
        and shares_graph(graphs, value, keys(value), backward)
        and surely_tensor(facts, value, backward.root)
        for backward in graphs.backwards
    )


def _always_before(graphs: Graphs, backward: Backward, value: ast.expr) -> bool:
    """Does the backward pass stand before, in the same block or one around?"""
    index = graphs.facts.index
    block = index.parents.get(backward.statement)
    return backward.statement.lineno < value.lineno and block in index.ancestors(value)
