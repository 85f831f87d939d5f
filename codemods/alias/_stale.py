"""Is memory written in place while another name for it is still read as what it was?"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.alias._aliases import Alias
from autofix.codemods.alias._training import changes_weights, head
from autofix.codemods.alias._weights import Of, parameters_of, uncut
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.order import Order
from autofix.flow.roles import constructors, is_optimizer
from autofix.flow.syntax import all_arguments, calls_in, is_false, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind

_NO_WRITE = frozenset({"requires_grad_", "retain_grad", "detach_", "share_memory_"})
_NO_WRITE |= {"squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_"}  # the shape
_NO_VALUES = frozenset({"shape", "size", "dtype", "device", "numel", "dim", "ndim", "data_ptr"})
_NO_VALUES |= {"record_stream", "storage", "untyped_storage", "is_cuda", "is_sparse"}
_COMPARES = frozenset({"equal", "allclose", "isclose", "eq", "ne", "sub", "dist", "mse_loss"})


@dataclass(frozen=True, slots=True)
class Stale:
    """The memory of an alias is written at `write`, and the alias is read at `read`."""

    alias: Alias
    write: ast.stmt
    read: ast.stmt


def stale(facts: Facts, alias: Alias) -> Stale | None:
    """The first place where the alias is read after its memory has been written."""
    if alias.of in (Of.GRADIENT, Of.WEIGHT) and _is_handle(facts, alias):
        return None
    if alias.of == Of.GRADIENTS and _are_handles(facts, alias):
        return None
    order = Order(facts.index.function_of(alias.statement) or facts.tree)
    kills = {alias.statement, *_stores(facts, alias)}
    seen = order.after(alias.statement, kills | _other_tensors(facts, alias))
    for write in sorted(seen, key=lambda s: s.lineno):
        if write in kills or not _writes(facts, alias, write):
            continue
        for read in sorted(order.after(write, kills), key=lambda s: s.lineno):
            if _reads_as_it_was(facts, alias, read, write):
                return Stale(alias, write, read)
    return None


def _is_handle(facts: Facts, alias: Alias) -> bool:
    """`grad = p.grad.data`, `grad.div_(n)`: who writes by this name knows whose memory it is."""
    function = facts.index.function_of(alias.statement)
    held = ast.unparse(alias.holder)
    for node in facts.index.body_nodes(function) if function is not None else ():
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name.endswith("_"):
                if name[:1] != "_" and name not in _NO_WRITE and ast.unparse(owner) == held:
                    return True
    return False


def _are_handles(facts: Facts, alias: Alias) -> bool:
    """`for g in grads: g.mul_(c)`: the same for a list of them, or a dict."""
    function = facts.index.function_of(alias.statement)
    held = ast.unparse(alias.holder)
    for loop in ast.walk(function or facts.tree):
        if not isinstance(loop, ast.For) or not any(_is_read(n, held) for n in ast.walk(loop.iter)):
            continue
        each = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        for node in (n for statement in loop.body for n in ast.walk(statement)):
            match node:
                case ast.AugAssign(target=ast.Name(id=owner)) if owner in each:
                    return True
                case ast.Call(func=ast.Attribute(attr=name, value=ast.Name(id=owner))):
                    writes = name.endswith("_") and name[:1] != "_" and name not in _NO_WRITE
                    if writes and owner in each:
                        return True
    return False


def _stores(facts: Facts, alias: Alias) -> set[ast.stmt]:
    names = uses_in(facts).names
    holder = alias.holder
    found: list[ast.expr] = []
    if isinstance(holder, ast.Name):
        found = list(names.stores(holder))
    elif isinstance(holder, ast.Attribute):
        same = ast.dump(holder.value)
        found = [s for s in names.stored.get(holder.attr, ()) if ast.dump(s.value) == same]
    return {s for node in found if (s := facts.index.statement_of(node)) is not None}


def _writes(facts: Facts, alias: Alias, statement: ast.stmt) -> bool:
    if alias.of == Of.WEIGHTS:
        return changes_weights(facts, statement)
    return any(_writes_here(facts, alias, node) for node in head(statement))


def _writes_here(facts: Facts, alias: Alias, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="zero_grad", value=owner)):
            if alias.of not in (Of.GRADIENT, Of.GRADIENTS) or not is_false(
                keyword(node, "set_to_none")
            ):
                return False
            mine = is_optimizer(owner, facts) or ast.unparse(owner) == alias.base
            return alias.of == Of.GRADIENT or mine
        case ast.Call(func=ast.Attribute(attr="zero_", value=owner)) if alias.of == Of.GRADIENTS:
            return _is_gradient_of_each(facts, alias, owner)
        case ast.Call(func=ast.Attribute(attr="step", value=owner)):
            trained = alias.leaf and alias.of in (Of.WEIGHT, Of.PART)
            return trained and facts.value(owner).kind & (Kind.OPTIMIZER | Kind.UNKNOWN) > 0
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name.endswith("_"):
            return name not in _NO_WRITE and not name.startswith("_") and _is_base(alias, owner)
        case ast.AugAssign(target=ast.Subscript() as target):
            return _same_part(alias, target)
        case ast.AugAssign(target=target):
            return _is_base(alias, target)
        case ast.Assign(targets=[ast.Subscript() as target]):
            return _same_part(alias, target)
    return False


def _is_gradient_of_each(facts: Facts, alias: Alias, node: ast.expr) -> bool:
    """`p.grad` in `for p in model.parameters():`"""
    inner, _ = uncut(node)
    return (
        isinstance(inner, ast.Attribute)
        and inner.attr == "grad"
        and any(
            isinstance(loop, ast.For)
            and parameters_of(loop.iter) == alias.base
            and ast.unparse(inner.value)
            in {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            for loop in facts.index.loops_around(node)
        )
    )


def _is_base(alias: Alias, node: ast.expr) -> bool:
    """Is this the whole tensor (or its gradient) that the alias is of?"""
    inner, _ = uncut(node)
    if alias.of == Of.GRADIENT:
        return isinstance(inner, ast.Attribute) and (
            inner.attr == "grad" and ast.unparse(inner.value) == alias.base
        )
    return ast.unparse(inner) == alias.base


def _same_part(alias: Alias, target: ast.Subscript) -> bool:
    """A write into the very part that the alias is of, or into all of it."""
    if alias.of in (Of.GRADIENT, Of.GRADIENTS) or not _is_base(alias, target.value):
        return False
    whole = isinstance(target.slice, ast.Slice) and target.slice.lower is target.slice.upper is None
    if whole or alias.of == Of.WEIGHT:
        return True
    inner, _ = uncut(alias.node)
    return isinstance(inner, ast.Subscript) and ast.dump(inner.slice) == ast.dump(target.slice)


def _reads_as_it_was(facts: Facts, alias: Alias, read: ast.stmt, write: ast.stmt) -> bool:
    """Is the alias read there, together with the memory that it shares? That is of no use: it is
    compared with itself, or copied onto itself."""
    nodes = [] if read is alias.statement else head(read)
    held = ast.unparse(alias.holder)
    mine = [n for n in nodes if _is_read(n, held) and not _is_asked_about(n, facts)]
    if not mine or read is write:
        return False
    if alias.of in (Of.GRADIENT, Of.GRADIENTS):
        return True
    if alias.of == Of.WEIGHTS:
        live = any(last_name(c.func) == "state_dict" for c in calls_in(alias.node))
        if live and not _compares(nodes):
            return False  # kept for its names and shapes, or to be saved
        return _beside_weights(facts, alias, read, nodes)
    # `r = a[i]`, `a[i] = a[i] - 1`, `a[i] = r / 2`: the row was brought up to date for `r`, too.
    if _is_exchange(alias, write, read):
        return True
    updated = _names_base(alias, head(write), stored=False)
    return _names_base(alias, nodes, stored=not updated)


def _compares(nodes: list[ast.AST]) -> bool:
    """`new - old`, `torch.equal(new, old)`"""
    return any(
        (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub))
        or (isinstance(n, ast.Call) and last_name(n.func) in _COMPARES)
        for n in nodes
    )


def _names_base(alias: Alias, nodes: list[ast.AST], stored: bool) -> bool:
    """Is the whole named, other than (unless `stored`) as what is written into?"""
    targets = {
        id(n.value)
        for n in nodes
        if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store) and not stored
    }
    return any(
        isinstance(n, (ast.Name, ast.Attribute))
        and ast.unparse(n) == alias.base
        and id(n) not in targets
        for n in nodes
    )


def _is_read(node: ast.AST, text: str) -> bool:
    return (
        isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node) == text
    )


def _is_asked_about(node: ast.AST, facts: Facts) -> bool:
    """`old.shape`, `old.record_stream(...)`: the values do not matter"""
    parent = facts.index.parents.get(node)
    return isinstance(parent, ast.Attribute) and parent.attr in _NO_VALUES


def _beside_weights(facts: Facts, alias: Alias, read: ast.stmt, nodes: list[ast.AST]) -> bool:
    """`zip(model.parameters(), old)`, `p - old[name]` in a loop over the parameters, or
    `new[name] - old[name]` where `new` are the parameters as they are then."""
    if any(isinstance(n, ast.expr) and parameters_of(n) == alias.base for n in nodes):
        return True
    later = any(isinstance(n, ast.Name) and _is_taken_later(facts, alias, n) for n in nodes)
    if later and _compares(nodes):
        return True  # (`old.get(name, new[name])` only looks one of them up)
    if alias.cut and any(_is_given_both(alias, n) for n in nodes):
        return True
    loops = [p for p in facts.index.ancestors(read) if isinstance(p, ast.For)]
    for loop in loops:
        inside = [n for n in ast.walk(loop.iter) if isinstance(n, ast.expr)]
        if any(parameters_of(n) == alias.base for n in inside):
            names = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            if len(names & used) >= min(len(names), 2):
                return True
    return False


def _is_given_both(alias: Alias, node: ast.AST) -> bool:
    """`distance(model, old)`"""
    if not isinstance(node, ast.Call):
        return False
    given = {ast.unparse(a) for a in all_arguments(node)}
    return {alias.base, ast.unparse(alias.holder)} <= given


def _is_taken_later(facts: Facts, alias: Alias, name: ast.Name) -> bool:
    """`new` of `new = model.state_dict()`"""
    if ast.unparse(alias.holder) == name.id or not isinstance(name.ctx, ast.Load):
        return False
    return any(
        parameters_of(call) == alias.base
        and last_name(call.func) == "state_dict"
        and call.lineno > alias.statement.lineno
        for call in constructors(name, facts)
    )


def _other_tensors(facts: Facts, alias: Alias) -> set[ast.stmt]:
    """Where the name of the tensor is bound to another one: a write into that is no write here."""
    first = next((n for n in ast.walk(alias.node) if isinstance(n, ast.Name)), None)
    if alias.of not in (Of.PART, Of.WEIGHT) or first is None or first.id != alias.base:
        return set()
    found = {facts.index.statement_of(s) for s in uses_in(facts).names.stores(first)}
    return {s for s in found if s is not None and not isinstance(s, ast.AugAssign)}


def _is_exchange(alias: Alias, write: ast.stmt, read: ast.stmt) -> bool:
    """`a[i] = a[j]`, `a[j] = row`, where `row` is `a[i]`."""
    match write, read:
        case (
            ast.Assign(targets=[ast.Subscript()], value=ast.Subscript() as moved),
            ast.Assign(targets=[ast.Subscript() as target], value=held),
        ):
            return (
                ast.unparse(moved) == ast.unparse(target)
                and ast.unparse(moved.value) == alias.base
                and ast.unparse(held) == ast.unparse(alias.holder)
            )
    return False


def restores(facts: Facts, found: Stale) -> bool:
    """Is what was kept brought back: `p.data.copy_(b)`, `p.data = b`?"""
    for node in ast.walk(found.read):
        match node:
            case ast.Call(func=ast.Attribute(attr="copy_")):
                return True
            case ast.Attribute(attr="data", ctx=ast.Store()):
                return True
    return False
