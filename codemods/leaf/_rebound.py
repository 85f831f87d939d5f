"""Names of leaves that are bound again to what is computed from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from autofix.codemods.leaf._gradients import goes_back
from autofix.codemods.leaf._kept import How, all_uses, direct_keeps
from autofix.codemods.leaf._made import Leaf, leaf_made
from autofix.codemods.leaf._operations import Tier, chain_from, returns_itself
from autofix.codemods.leaf._update_forms import is_update
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import runs_backward
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind


class Choice(Enum):
    """What the author can have meant by the name."""

    NEW_NAME = "the result needs a name of its own"
    EACH_TURN = "the result has to be computed again in each turn of the loop"
    NEW_LEAF = "the result is to be the leaf"


@dataclass(frozen=True, slots=True)
class Rebound:
    """`statement` binds the name of a leaf to something computed from it."""

    statement: ast.Assign
    target: ast.Name
    read: ast.Name
    call: ast.expr
    """What makes the leaf, or the name that is made one."""
    leaf: Leaf | None
    choice: Choice
    gradient: ast.expr | None
    """Where the `.grad` is read that the result has not got."""
    optimized: bool
    """The result itself is given to an optimizer."""
    loads: tuple[ast.Name, ...]
    """The reads of the name that see the result."""
    more: tuple[ast.Assign, ...] = ()
    """Statements after it that bind the name again to what is computed from the result."""
    loop: ast.stmt | None = None

    @property
    def last(self) -> ast.Assign:
        return self.more[-1] if self.more else self.statement


def rebound_leaves(facts: Facts, node: ast.expr) -> Iterator[Rebound]:
    """The statements that bind the name of the leaf `node` again."""
    leaf = leaf_made(facts, node) if isinstance(node, ast.Call) else None
    seen: set[ast.stmt] = set()
    for read in _reads(facts, node):
        statement = facts.index.statement_of(read)
        if statement in seen or not _binds_again(facts, statement, read):
            continue
        assert isinstance(statement, ast.Assign)
        seen.add(statement)
        if _computed_from_leaf(facts, statement, read, node, leaf):
            found = _judged(facts, node, leaf, statement, read)
            if found is not None:
                yield found


def _reads(facts: Facts, node: ast.expr) -> list[ast.Name]:
    if isinstance(node, ast.Name):  # `x.requires_grad = True`: from there on
        names = uses_in(facts).names
        later = [s for s in names.stores(node) if _after(s, node)]
        hidden = {r for s in later for r in names.loads(s)}
        return [r for r in names.all_loads(node) if _after(r, node) and r not in hidden]
    return [u.node for u in all_uses(facts, node) if isinstance(u.node, ast.Name) and not u.stored]


def _after(a: ast.expr, b: ast.expr) -> bool:
    return (a.lineno, a.col_offset) > (b.end_lineno or 0, b.end_col_offset or 0)


def _binds_again(facts: Facts, statement: ast.stmt | None, read: ast.Name) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value) if name == read.id:
            again = isinstance(value, ast.Call) and last_name(value.func) == "requires_grad_"
            return not again and not is_update(facts, statement, target, value)  # AG307
    return False


def _computed_from_leaf(
    facts: Facts, statement: ast.Assign, read: ast.Name, node: ast.expr, leaf: Leaf | None
) -> bool:
    old, new = facts.value(read), facts.value(statement.value)
    if new.leaf:
        return False
    chain = chain_from(facts, read)
    if isinstance(node, ast.Name) and chain is not None:  # `x.requires_grad = True` says it all
        if not old.kind & (Kind.TENSOR | Kind.UNKNOWN) or new.graph == Graph.NO:
            return False
    else:
        if not (old.leaf and old.graph == Graph.YES and old.kind == Kind.TENSOR):
            return False
        if new.kind != Kind.TENSOR or new.graph != Graph.YES:
            return False
    if isinstance(statement.value, ast.Name) or (chain is None and _same(facts, statement.value)):
        return False
    return chain is None or not returns_itself(facts, chain, _origin(facts, node, leaf))


def _origin(facts: Facts, node: ast.expr, leaf: Leaf | None) -> ast.expr:
    """What the leaf was made of, looked up through the name for it."""
    data = leaf.data if leaf is not None else node
    if not isinstance(data, ast.Name):
        return data
    names = uses_in(facts).names
    bound = [facts.index.parents.get(s) for s in names.stores(data)]
    match [b for b in bound if isinstance(b, ast.Assign) and _after(data, b.value)]:
        case [ast.Assign(value=value)]:
            return value
    return data


def _same(facts: Facts, value: ast.expr) -> bool:
    """`w = w.requires_grad_()`, `w = w.zero_()`, `w = nn.Parameter(w)`"""
    name = last_name(value.func) if isinstance(value, ast.Call) else None
    return name is not None and (name.endswith(("_", "Parameter")) or name == "Variable")


def _judged(
    facts: Facts, node: ast.expr, leaf: Leaf | None, statement: ast.Assign, read: ast.Name
) -> Rebound | None:
    target = statement.targets[0]
    assert isinstance(target, ast.Name)
    more, loads = _followed(facts, statement, target)
    uses = all_uses(facts, more[-1].value if more else statement.value)
    kept = direct_keeps(facts, uses)
    if any(_own_gradient(facts, load) for load in loads):
        return None
    optimized = any(k.how == How.OPTIMIZED for k in kept)
    gradient = next((g for load in loads if (g := _gradient(facts, load))), None)
    early = _optimized_before(facts, node, statement)
    found = Rebound(
        statement, target, read, node, leaf, Choice.NEW_NAME, gradient, optimized, loads, more
    )
    if _turns(facts, statement, read, node) is not None:
        carried = set(uses_in(facts).names.next_turn(target)) - set(ast.walk(statement))
        return found if (gradient is not None or early) and not carried else None
    loop = _training_loop(facts, found)
    if early and not optimized:
        if loop is not None and not (gradient is None and _only_moves(facts, read)):
            return replace(found, choice=Choice.EACH_TURN, loop=loop)
        return found if gradient is not None else None
    if gradient is None and not optimized:
        return None
    if (
        optimized
        or loop is not None
        or goes_back(facts, found.statement, found.target.id)
        or is_shape(facts, read)
    ):
        return replace(found, choice=Choice.NEW_LEAF, loop=loop)
    if _of_data(facts, found):
        return replace(found, choice=Choice.NEW_LEAF)
    return found


def _followed(
    facts: Facts, statement: ast.Assign, target: ast.Name
) -> tuple[tuple[ast.Assign, ...], tuple[ast.Name, ...]]:
    """`w = w * 2`, `w = w.view(2, 3)`: the statements that go on, and all reads of the results."""
    names = uses_in(facts).names
    more: list[ast.Assign] = []
    loads = dict.fromkeys(names.loads(target))
    todo = list(loads)
    while todo:
        load = todo.pop()
        after = facts.index.statement_of(load)
        if after is statement or after in more or not _binds_again(facts, after, load):
            continue
        assert isinstance(after, ast.Assign) and isinstance(after.targets[0], ast.Name)
        if facts.value(after.value).leaf or facts.value(after.value).graph != Graph.YES:
            continue
        if facts.index.parents.get(after) is not facts.index.parents.get(statement):
            continue
        more.append(after)
        new = [n for n in names.loads(after.targets[0]) if n not in loads]
        loads |= dict.fromkeys(new)
        todo += new
    return tuple(sorted(more, key=lambda s: s.lineno)), tuple(loads)


def _own_gradient(facts: Facts, load: ast.Name) -> bool:
    """`w.retain_grad()`, `autograd.grad(loss, w)`: the author knows that it is no leaf."""
    parent = facts.index.parents.get(load)
    if isinstance(parent, ast.Attribute):
        return parent.attr in ("retain_grad", "register_hook", "grad_fn")
    calls = [p for p in facts.index.ancestors(load)[:3] if isinstance(p, ast.Call)]
    return any((facts.library_name(c.func) or "").startswith("torch.autograd.") for c in calls)


def _gradient(facts: Facts, load: ast.Name) -> ast.expr | None:
    parent = facts.index.parents.get(load)
    return parent if isinstance(parent, ast.Attribute) and parent.attr == "grad" else None


def _optimized_before(facts: Facts, node: ast.expr, statement: ast.Assign) -> bool:
    """Has an optimizer got the leaf itself, before its name is lost?"""
    if isinstance(node, ast.Name):
        reads = [r for r in _reads(facts, node) if facts.index.statement_of(r) is not statement]
        kept = [k for r in reads for k in direct_keeps(facts, all_uses(facts, r))]
    else:
        kept = direct_keeps(facts, all_uses(facts, node))
    return any(k.how == How.OPTIMIZED and _after(statement.value, k.use.node) for k in kept)


def _turns(facts: Facts, statement: ast.Assign, read: ast.Name, node: ast.expr) -> ast.stmt | None:
    """The loop that binds the name again in each turn, without binding it to the leaf again."""
    names = uses_in(facts).names
    stores = [s for s in names.stores(read) if read in names.loads(s)]
    again = [node, *(s for s in stores if s is not statement.targets[0])]
    around = {id(o) for s in again for o in facts.index.ancestors(s)}
    return next((o for o in facts.index.loops_around(statement) if id(o) not in around), None)


def _training_loop(facts: Facts, found: Rebound) -> ast.stmt | None:
    """A loop that computes with the result in each turn, itself or in a function that it calls, and
    runs a backward pass."""
    inside = set(map(id, facts.index.ancestors(found.statement)))
    around = facts.index.function_of(found.statement)
    places: list[ast.expr] = list(found.loads)
    for load in found.loads:
        function = facts.index.function_of(load)
        if function is not around and isinstance(function, ast.FunctionDef):
            places += uses_in(facts).calls_of(function)
    for place in places:
        loops = [o for o in facts.index.loops_around(place) if id(o) not in inside]
        if loops and runs_backward(loops[-1], facts):
            return loops[0]
    return None


def _only_moves(facts: Facts, read: ast.Name) -> bool:
    """A view shares the memory of the leaf, and keeps no values for the backward pass."""
    chain = chain_from(facts, read)
    return (
        chain is not None
        and is_shape(facts, read)
        and not any(o.name.strip(".()`") in _CONVERTS for o in chain.operations)
    )


_CONVERTS = frozenset({"to", "cuda", "cpu", "double", "half", "float", "bfloat16", "type"})
_CONVERTS |= {"type_as", "clone"}


def is_shape(facts: Facts, read: ast.Name) -> bool:
    """Nothing but changes of shape, dtype and device."""
    chain = chain_from(facts, read)
    return chain is not None and all(
        o.tier == Tier.MOVES and o.name.startswith((".", "`")) and not _is_scale(o.name)
        for o in chain.operations
    )


def _is_scale(name: str) -> bool:
    return name.strip(".()`") in (
        *("mul", "multiply", "add", "sub", "subtract", "div", "divide", "true_divide", "neg"),
        *("negative", "-"),
    )


def _of_data(facts: Facts, found: Rebound) -> bool:
    """Is the leaf a copy of what the function was given (an image, say)?"""
    function = facts.index.function_of(found.statement)
    if function is None:
        return False
    spec = function.args
    given = {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    if isinstance(found.call, ast.Name):
        return found.call.id in given
    if found.leaf is None or found.leaf.flag is not None:
        return False
    return any(isinstance(n, ast.Name) and n.id in given for n in ast.walk(found.leaf.data))
