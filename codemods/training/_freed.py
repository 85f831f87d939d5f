"""Is the graph of what is kept freed in the very turn? Then nobody can run backward through it."""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import Backward, Graphs, graphs_around, key_of, keys, reads
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind


def parts_of_record(added: ast.expr) -> list[ast.expr]:
    """What is kept of `(step, loss)`, `[loss]` and `{"loss": loss}`."""
    match added:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            return [one for part in parts for one in parts_of_record(part)]
    return [added]


def dead_at(
    graphs: Graphs, node: ast.AST, key: str, added: ast.expr, layers: int
) -> list[ast.expr]:
    """The tensors to detach, if the graph of what is added is freed in this very turn."""
    facts = graphs.facts
    value = facts.value(added)
    if value.graph == Graph.NO:
        return []
    names = keys(added)
    parts = _parts_of(graphs, node, names) if _is_scaled(added) else _picked(graphs, node, added)
    for backward in graphs.backwards:
        if backward.retains or not (
            same_turn(graphs, node, backward)
            or (parts and same_turn(graphs, facts.index.loops_around(node)[0], backward))
        ):
            continue
        names = parts or names
        if _is_cut_after(graphs, names, backward) or _is_left_to_caller(graphs, key, backward):
            continue
        if shares_graph(graphs, added, names, backward) and (
            surely_tensor(facts, added, backward.root) or _is_term(graphs, added, backward.root)
        ):
            return [added]
    if _dead_by_hand(graphs, node, added):
        return [added]
    if layers:
        return _dead_at_callers(graphs, key, added, layers)
    return []


def _is_scaled(added: ast.expr) -> bool:
    """`value`, `value * n`"""
    match added:
        case ast.BinOp(
            left=ast.Name(), op=ast.Mult() | ast.Div(), right=ast.Name() | ast.Constant()
        ):
            return True
    return isinstance(added, ast.Name)


def _parts_of(graphs: Graphs, node: ast.AST, names: set[str]) -> set[str]:
    """`terms`, where `node` stands in `for name, value in terms.items():` and reads `value`."""
    loop = next(iter(graphs.facts.index.loops_around(node)), None)
    if not isinstance(loop, (ast.For, ast.AsyncFor)):
        return set()
    match loop.iter:
        case ast.Call(func=ast.Attribute(value=whole, attr="items" | "values"), args=[]):
            pass
        case ast.Name() as whole:
            pass
        case _:
            return set()
    taken = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    found = keys(whole)
    made = all(_is_made_here(graphs, key) for key in found)
    return found if names and names <= taken and made else set()


def _picked(graphs: Graphs, node: ast.AST, added: ast.expr) -> set[str]:
    """`terms`, where `node` stands in `for name in names:` and reads `terms[name]`."""
    loop = next(iter(graphs.facts.index.loops_around(node)), None)
    match added.left if isinstance(added, ast.BinOp) else added:
        case ast.Subscript(value=whole, slice=ast.Name(id=name)) if loop is not None:
            target = loop.target if isinstance(loop, (ast.For, ast.AsyncFor)) else None
            taken = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)} if target else set()
            found = keys(whole)
            if name in taken and found and all(_is_made_here(graphs, key) for key in found):
                return found
    return set()


def _is_cut_after(graphs: Graphs, names: set[str], backward: Backward) -> bool:
    """`if now: loss.backward(); loss = loss.detach()`: where the backward pass was run, there is no
    graph any more; where it was not, whoever gets the sum may run it."""
    facts = graphs.facts
    here = facts.index.parents.get(facts.index.statement_of(backward.call) or backward.call)
    return isinstance(here, ast.If) and any(
        value is not None
        and facts.index.parents.get(statement) is here
        and statement.lineno > backward.call.lineno
        and (facts.value(value).graph == Graph.NO or not keys(value))
        for name in names
        for statement, value in graphs.stores.get(name, ())
    )


def _is_left_to_caller(graphs: Graphs, key: str, backward: Backward) -> bool:
    """`if now: loss.backward()` without a step, and the sum is returned: where none was run, the
    caller may run it. (`if torch.isfinite(loss):` leaves nothing to run.)"""
    here = graphs.facts.index.parents.get(backward.statement)
    if not isinstance(here, ast.If) or keys(here.test) & keys(backward.root):
        return False
    if any(last_name(call.func) == "step" for s in here.body for call in calls_in(s)):
        return False
    returned = [n.value for n in graphs.nodes if isinstance(n, ast.Return) and n.value is not None]
    return any(key in graphs.made_of(keys(value)) for value in returned)


def _dead_by_hand(graphs: Graphs, node: ast.AST, added: ast.expr) -> bool:
    """Are its gradients taken with `torch.autograd.grad` in this turn, and the weights, which it
    would be differentiated for, then changed in place?"""
    for taken in graphs.gradients:
        if not same_turn(graphs, node, taken) or not graphs.facts.value(added).is_tensor:
            continue
        if taken.retains and not _updated(graphs, taken):
            continue
        if shares_graph(graphs, added, keys(added), taken):
            return True
    return False


def _updated(graphs: Graphs, taken: Backward) -> bool:
    weights = (
        {key_of(n) for n in ast.walk(taken.call.args[1]) if isinstance(n, ast.expr)}
        if taken.call.args[1:]
        else set()
    )
    loops = graphs.facts.index.loops_around(taken.call)[:1]
    return any(
        isinstance(node, ast.AugAssign)
        and key_of(node.target) in weights
        and graphs.facts.index.loops_around(node)[:1] == loops
        for node in graphs.nodes
    )


def same_turn(graphs: Graphs, node: ast.AST, backward: Backward) -> bool:
    """Do both stand in the same innermost loop (or, in a method, in none)?"""
    loops_around = graphs.facts.index.loops_around
    return loops_around(node)[:1] == loops_around(backward.call)[:1]


def shares_graph(graphs: Graphs, added: ast.expr, names: set[str], backward: Backward) -> bool:
    """Is what is added part of what the backward pass runs through, or made of it?"""
    roots = keys(backward.root)
    made = {n for n in names if _is_made_here(graphs, n)}
    made = {n for n in made if n in roots or not graphs.is_data(n)}
    if not made:
        return False
    return made <= graphs.made_of(roots) or bool(roots & made)


def _is_made_here(graphs: Graphs, key: str) -> bool:
    """Is it computed in this function? (Modules and data are not.)"""
    return any(isinstance(s, (ast.Assign, ast.AnnAssign)) for s, _ in graphs.stores.get(key, ()))


def roots(facts: Facts, place: ast.expr) -> list[ast.expr]:
    graphs = graphs_around(facts, place)
    return [b.root for b in (*graphs.backwards, *graphs.gradients)]


def surely_tensor(facts: Facts, added: ast.expr, root: ast.expr) -> bool:
    value = facts.value(added)
    if value.is_tensor:
        return True
    same = ast.dump(added) == ast.dump(root)
    return same and bool(value.kind & (Kind.TENSOR | Kind.UNKNOWN))


def _is_term(graphs: Graphs, added: ast.expr, root: ast.expr) -> bool:
    """Is it added to others to make the loss: one number, if not surely a tensor?"""
    if not isinstance(added, ast.Name) or not graphs.facts.value(added).kind & Kind.UNKNOWN:
        return False
    values = [root, *(v for s, v in graphs.stores.get(key_of(root) or "", ()) if v is not None)]
    return any(added.id in _terms(value) for value in values)


def _terms(node: ast.expr) -> set[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        return _terms(node.left) | _terms(node.right)
    return {node.id} if isinstance(node, ast.Name) else set()


def _dead_at_callers(graphs: Graphs, key: str, added: ast.expr, layers: int) -> list[ast.expr]:
    """The sum is kept by a helper or a meter: each of its calls hands it a graph that is dead."""
    facts, function = graphs.facts, graphs.scope
    if not isinstance(function, FUNCTIONS) or graphs.backwards:
        return []
    if key and key.partition(".")[0] in graphs.stores:
        return []  # a variable of its own
    arguments = _arguments_in(graphs, added)
    if not arguments:
        return []
    calls = [c for c in uses_in(facts).calls_of(function) if facts.reached(c)]
    found: list[ast.expr] = []
    for call in calls:
        caller = graphs_around(facts, call)
        owner = key_of(call.func.value) if isinstance(call.func, ast.Attribute) else None
        used = caller.made_of(k for b in caller.backwards for k in keys(b.root))
        if (owner != "self" and owner in used) or _gives(call, used, facts):
            return []  # what is kept goes into the loss
        given = _given(call, function, arguments)
        if any(part.graph > Graph.NO for g in given for part in facts.value(g).inner):
            return []  # `**terms`: there is no one place to detach
        alive = [g for g in given if facts.value(g).graph > Graph.NO and not _is_count(caller, g)]
        for argument in alive:
            places = dead_at(caller, call, "", argument, layers - 1)
            if not places:
                return []
            found += places
    return found


def _gives(call: ast.Call, used: set[str], facts: Facts) -> bool:
    """Does what the call returns go into what a backward pass runs through?"""
    statement = facts.index.statement_of(call)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        bound = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return bool({n.id for t in bound for n in ast.walk(t) if isinstance(n, ast.Name)} & used)
    return any(
        isinstance(above, ast.Attribute) and above.attr == "backward"
        for above in facts.index.ancestors(call)
    )


def _is_count(graphs: Graphs, given: ast.expr) -> bool:
    """`x.size(0)`, `len(x)`, or a name for such: there is no graph in it, whatever `x` is."""
    names = list(reads(given))
    if not isinstance(given, ast.Name):
        return not names
    stores = graphs.stores.get(given.id, [])
    return bool(stores) and all(
        isinstance(s, (ast.Assign, ast.AnnAssign)) and v is not None and not any(reads(v))
        for s, v in stores
    )


def _arguments_in(graphs: Graphs, added: ast.expr) -> set[str]:
    """The parameters of the function that reach what is added."""
    assert isinstance(graphs.scope, FUNCTIONS)
    spec = graphs.scope.args
    names = {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    names |= {a.arg for a in (spec.vararg, spec.kwarg) if a is not None}
    return (graphs.made_of(keys(added)) & names) - {"self", "cls"}


def _given(
    call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef, wanted: set[str]
) -> list[ast.expr]:
    """What a call hands to these parameters."""
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    if names[:1] == ["self"] and isinstance(call.func, ast.Attribute):
        names = names[1:]
    found = [a for a, name in zip(call.args, names, strict=False) if name in wanted]
    if spec.vararg is not None and spec.vararg.arg in wanted:
        found += call.args[len(names) :]
    rest = spec.kwarg is not None and spec.kwarg.arg in wanted
    found += [k.value for k in call.keywords if k.arg in wanted or (rest and k.arg not in names)]
    return found
