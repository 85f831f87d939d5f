"""Leaves whose name each turn of a training loop ends by binding to a tensor that is none."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.leaf._kept import How, all_uses, direct_keeps, without_gradient
from autofix.codemods.leaf._update_forms import is_update
from autofix.flow.facts import Facts
from autofix.flow.index import LOOPS, last_name
from autofix.flow.order import Order
from autofix.flow.roles import BACKWARD, is_optimizer
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph
from autofix.flow.walk import walk

_MAKES_LEAF = frozenset({"requires_grad_", "retain_grad", "Parameter", "Variable"})


class Want(Enum):
    """How the next turn wants the gradient."""

    GRAD = "`x.grad`"
    ASKED = "`torch.autograd.grad(loss, x)`"
    BY_ANOTHER_NAME = "`t.grad` in `for t in (x, y):`"
    OPTIMIZER = "`step()` of an optimizer that has the leaf"


@dataclass(frozen=True, slots=True)
class TurnedOver:
    """`stores` bind the name of the leaf again at the end of each turn of `loop`."""

    name: str
    call: ast.expr
    """What makes the leaf, or the name that is made one."""
    loop: ast.For | ast.AsyncFor | ast.While
    stores: tuple[ast.Assign, ...]
    want: Want
    at: ast.expr
    """Where the next turn wants the gradient."""
    after: tuple[ast.Name, ...]
    """The reads that see the last store, in the same turn or behind the loop."""

    @property
    def last(self) -> ast.Assign:
        return self.stores[-1]


def turned_over(facts: Facts, node: ast.expr) -> TurnedOver | None:
    """The loop in which the leaf `node` loses its name, if there is one."""
    store = _store(facts, node)
    if store is None:
        return None
    around = {id(o) for o in facts.index.loops_around(node)}
    scope = facts.index.function_of(node)
    for loop in _loops(facts, store):
        if id(loop) in around or facts.index.function_of(loop) is not scope:
            continue
        found = _in_loop(facts, node, store, loop)
        if found is not None:
            return found
    return None


def _store(facts: Facts, node: ast.expr) -> ast.Name | None:
    """The name that the leaf is bound to, or (`x.requires_grad_()`) that is made one."""
    match facts.index.parents.get(node):
        case (
            ast.Assign(targets=[ast.Name() as target], value=value)
            | ast.AnnAssign(target=ast.Name() as target, value=value)
        ) if value is node:
            return target
        case ast.Attribute(value=ast.Name() as name, attr="requires_grad" | "requires_grad_"):
            return name
    return node if isinstance(node, ast.Name) else None


def _loops(facts: Facts, name: ast.Name) -> list[ast.For | ast.AsyncFor | ast.While]:
    """The innermost loops that bind the name again and run a backward pass."""
    found: dict[ast.For | ast.AsyncFor | ast.While, None] = {}
    for store in uses_in(facts).names.stores(name):
        for loop in facts.index.loops_around(store):
            if isinstance(loop, LOOPS) and _events(facts, loop, name.id):
                found[loop] = None
                break
    return list(found)


def _in_loop(
    facts: Facts, node: ast.expr, name: ast.Name, loop: ast.For | ast.AsyncFor | ast.While
) -> TurnedOver | None:
    bound = _bound_in(facts, loop, name)
    if not bound or _is_leaf_again(facts, loop, name.id):
        return None
    first, last = bound[0], bound[-1]
    target = last.targets[0]
    assert isinstance(target, ast.Name)
    if (first.lineno, 0) < (node.lineno, 0):
        return None
    events = _events(facts, loop, name.id)
    if not events or events[0].lineno >= first.lineno or not _depend(facts, loop, bound, name.id):
        return None
    reads = [r for r in uses_in(facts).names.all_loads(target) if loop in facts.index.ancestors(r)]
    if not any(r.lineno <= events[0].lineno and not _is_grad(facts, r) for r in reads):
        return None
    value = facts.value(last.value)
    if not value.is_tensor or value.leaf:
        return None
    want = _wanted(facts, node, loop, reads, first, value.graph)
    if want is None:
        return None
    if all(is_update(facts, s, s.targets[0], s.value) for s in bound):
        return None  # AG307
    if not _comes_again(facts, node, last, events[0]):
        return None
    after = tuple(r for r in uses_in(facts).names.loads(target) if r.lineno > last.lineno)
    return TurnedOver(name.id, node, loop, bound, *want, after)


def _comes_again(facts: Facts, node: ast.expr, last: ast.stmt, event: ast.expr) -> bool:
    """Does another turn follow the store, or does the loop end there?"""
    made, again = facts.index.statement_of(node), facts.index.statement_of(event)
    order = Order(facts.index.function_of(last) or facts.tree)
    return again in order.after(last, {made} if made is not None else ())


def _bound_in(facts: Facts, loop: ast.stmt, name: ast.Name) -> tuple[ast.Assign, ...]:
    """The plain assignments of the loop to the name; none if it is bound there in another way."""
    found = []
    for store in uses_in(facts).names.stores(name):
        if loop not in facts.index.ancestors(store):
            continue
        statement = facts.index.statement_of(store)
        match statement:
            case ast.Assign(targets=[target]) if target is store:
                found.append(statement)
            case ast.AugAssign():
                pass
            case _:
                return ()
    return tuple(sorted(found, key=lambda s: s.lineno))


def _events(facts: Facts, loop: ast.stmt, name: str) -> list[ast.Call]:
    """The backward passes of a loop, in the same function."""
    scope = facts.index.function_of(loop)
    return sorted(
        (
            call
            for call in calls_in(loop)
            if facts.index.function_of(call) is scope
            and (last_name(call.func) in BACKWARD or _asks(facts, call, name))
        ),
        key=lambda c: c.lineno,
    )


def _asks(facts: Facts, call: ast.Call, name: str) -> bool:
    """`torch.autograd.grad(loss, x)`, `torch.autograd.grad(loss, [x])`"""
    if last_name(call.func) != "grad" or len(call.args) < 2:
        return False
    if facts.library_name(call.func) != "torch.autograd.grad":
        return False
    asked = call.args[1]
    parts = asked.elts if isinstance(asked, (ast.List, ast.Tuple)) else [asked]
    others = {k.arg for k in call.keywords}
    return "allow_unused" not in others and any(
        isinstance(p, ast.Name) and p.id == name for p in parts
    )


def _is_leaf_again(facts: Facts, loop: ast.stmt, name: str) -> bool:
    """Does the loop make a leaf of it, give it to an optimizer, or bind an alias that might?"""
    for node in walk(loop):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr) if owner == name:
                if attr in _MAKES_LEAF or (
                    attr == "requires_grad" and isinstance(node.ctx, ast.Store)
                ):
                    return True
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                words = {last_name(n) for n in ast.walk(value) if isinstance(n, ast.expr)}
                flags = {k.arg for c in calls_in(value) for k in c.keywords}
                if words & _MAKES_LEAF or "requires_grad" in flags:
                    return True
            case ast.Call() if _reads(node, name) and _builds_optimizer(facts, node):
                return True
    return False


def _builds_optimizer(facts: Facts, call: ast.Call) -> bool:
    dotted = facts.library_name(call.func) or ""
    return dotted.startswith("torch.optim.")


def _reads(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in walk(node))


def _is_grad(facts: Facts, read: ast.Name) -> bool:
    parent = facts.index.parents.get(read)
    return isinstance(parent, ast.Attribute) and parent.attr == "grad"


def _depend(facts: Facts, loop: ast.stmt, bound: tuple[ast.Assign, ...], name: str) -> bool:
    """Is each value computed from what the name stood for, if need be by way of other names?"""
    known = {name}
    statements = sorted(
        (s for s in walk(loop) if isinstance(s, ast.Assign)), key=lambda s: (s.lineno, s.col_offset)
    )
    for statement in statements:
        if any(isinstance(n, ast.Name) and n.id in known for n in walk(statement.value)):
            known |= {n.id for t in statement.targets for n in walk(t) if isinstance(n, ast.Name)}
        elif statement in bound:
            return False
    return True


def _wanted(
    facts: Facts,
    node: ast.expr,
    loop: ast.stmt,
    reads: list[ast.Name],
    first: ast.Assign,
    graph: Graph,
) -> tuple[Want, ast.expr] | None:
    """Who wants the gradient of the leaf, which the tensor of the next turn has not got?"""
    end = first.end_lineno or first.lineno
    optimizer = _optimizer(facts, node, loop)
    if optimizer is not None:
        return Want.OPTIMIZER, optimizer
    for read in reads:
        parent = facts.index.parents.get(read)
        if not (isinstance(parent, ast.Attribute) and parent.attr == "grad"):
            continue
        if isinstance(parent.ctx, ast.Load) and read.lineno <= end:
            return Want.GRAD, parent
    if (named := _by_another_name(facts, node, loop, reads[0].id)) is not None:
        return Want.BY_ANOTHER_NAME, named
    asked = [c for c in _events(facts, loop, reads[0].id) if last_name(c.func) == "grad"]
    if not asked or graph == Graph.YES:
        return None
    last = [r for r in reads if asked[0].lineno < r.lineno and r.lineno <= end]
    cut = graph == Graph.NO or all(_is_cut(facts, r) for r in last)
    return (Want.ASKED, asked[0]) if cut else None


def _is_cut(facts: Facts, read: ast.Name) -> bool:
    parent = facts.index.parents.get(read)
    cut = isinstance(parent, ast.Attribute) and parent.attr in ("detach", "data", "shape")
    return cut or without_gradient(facts, read)


def _optimizer(facts: Facts, node: ast.expr, loop: ast.stmt) -> ast.expr | None:
    """The call of `step()` in the loop, where an optimizer was given the leaf before it."""
    kept = [k for k in direct_keeps(facts, _uses(facts, node)) if k.how == How.OPTIMIZED]
    if not any(k.use.node.lineno < loop.lineno for k in kept):
        return None
    for call in calls_in(loop):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if owner is not None and last_name(call.func) == "step" and is_optimizer(owner, facts):
            return call
    return None


def _uses(facts: Facts, node: ast.expr) -> list[Use]:
    """What is done with the leaf."""
    if not isinstance(node, ast.Name):
        return all_uses(facts, node)
    return [u for r in uses_in(facts).names.all_loads(node) for u in all_uses(facts, r)]


def _by_another_name(facts: Facts, node: ast.expr, loop: ast.stmt, name: str) -> ast.Name | None:
    """`t.grad` in `for t in (x, y):`, in the loop."""
    for use in _uses(facts, node):
        read, inside = use.node, loop in facts.index.ancestors(use.node)
        if inside and isinstance(read, ast.Name) and read.id != name and _is_grad(facts, read):
            return read
    return None


def sees_other_tensors(facts: Facts, found: TurnedOver) -> bool:
    """Is the tensor of an earlier turn kept under another name, so that each has to be another?"""
    return any(
        isinstance(s, ast.Assign) and s not in found.stores and _is_alias(s.value, found.name)
        for s in walk(found.loop)
    )


def _is_alias(node: ast.expr, name: str) -> bool:
    while isinstance(node, (ast.Call, ast.Attribute)):
        word = last_name(node.func if isinstance(node, ast.Call) else node)
        if word not in ("detach", "data", "view", "reshape", "squeeze", "flatten", "numpy", "cpu"):
            return False
        if isinstance(node, ast.Call) and all_arguments(node):
            return False
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id == name
