"""Names for memory that is written in place while the name is still read as what it was."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.alias._training import changes_weights, head
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.order import Order
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_VIEWS = frozenset({"view", "view_as", "narrow", "t", "transpose", "permute", "squeeze", "select"})
_VIEWS |= {"unsqueeze", "flatten", "unbind", "reshape"}
_PARAMETERS = frozenset({"parameters", "named_parameters"})
_NO_WRITE = frozenset({"requires_grad_", "retain_grad", "detach_", "share_memory_"})
_NO_WRITE |= {"squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_"}  # the shape


class Of(Enum):
    GRADIENT = "the gradient"
    WEIGHT = "the weight"
    WEIGHTS = "the weights"
    PART = "a part of the tensor"


@dataclass(frozen=True, slots=True)
class Alias:
    statement: ast.stmt
    holder: ast.expr
    node: ast.expr
    """What gives the memory: `w.grad`, `p.data`, `x[:4]`."""
    of: Of
    base: str
    """The tensor, or for `WEIGHTS` the model, as it is written."""
    leaf: bool


@dataclass(frozen=True, slots=True)
class Stale:
    """The memory of an alias is written at `write`, and the alias is read at `read`."""

    alias: Alias
    write: ast.stmt
    read: ast.stmt


def aliases_in(facts: Facts, node: ast.Assign) -> Iterator[Alias]:
    target = node.targets[0]
    pairs = [(target, node.value)]
    both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
    if both and len(target.elts) == len(node.value.elts):  # type: ignore[attr-defined]
        pairs = list(zip(target.elts, node.value.elts, strict=True))  # type: ignore[attr-defined]
    for holder, value in pairs:
        if isinstance(holder, (ast.Name, ast.Attribute)) and not _is_data(holder):
            found = _alias(facts, node, holder, value)
            if found is not None:
                yield found


def _is_data(holder: ast.expr) -> bool:
    return isinstance(holder, ast.Attribute) and holder.attr in ("data", "grad")


def _alias(facts: Facts, at: ast.stmt, holder: ast.expr, value: ast.expr) -> Alias | None:
    many = _weights(value)
    if many is not None:
        return Alias(at, holder, value, Of.WEIGHTS, many, True)
    inner, cut = _uncut(value)
    if not isinstance(inner, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return None
    if isinstance(inner, ast.Call) and (last_name(inner.func) or "") not in _VIEWS:
        return None
    if not _may_change(facts, at, inner):
        return None
    match inner:
        case ast.Attribute(attr="grad", value=owner):
            return Alias(at, holder, value, Of.GRADIENT, ast.unparse(owner), True)
        case ast.Subscript(value=owner, slice=index) if _is_basic(facts, index):
            return _part(facts, at, holder, value, owner)
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _VIEWS:
            return _part(facts, at, holder, value, owner)
        case ast.Name() | ast.Attribute():
            if facts.value(inner).leaf and facts.value(inner).is_tensor:
                base = ast.unparse(inner)
                if cut or isinstance(holder, ast.Name):
                    return Alias(at, holder, value, Of.WEIGHT, base, True)
    return None


def _may_change(facts: Facts, at: ast.stmt, node: ast.expr) -> bool:
    """Does the function write into what the expression is a part of? By its text alone."""
    written = _written_in(facts, facts.index.function_of(at) or facts.tree)
    if not written:
        return False
    while not isinstance(node, ast.Name):
        if ast.unparse(node) in written:
            return True
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Call(func=inner):
                node = inner
            case _:
                return False
    return bool({node.id, "step()"} & written)


@functools.lru_cache(maxsize=64)
def _written_in(facts: Facts, scope: ast.AST) -> frozenset[str]:
    """What a function writes in place, as it is written; `step()` for all weights."""
    found: set[str] = set()
    for node in walk(scope):
        match node:
            case ast.AugAssign(target=target) | ast.Assign(targets=[ast.Subscript() as target]):
                pass
            case ast.Call(func=ast.Attribute(attr="step" | "zero_grad")):
                found.add("step()")
                continue
            case ast.Call(func=ast.Attribute(attr=name, value=target)) if name.endswith("_"):
                pass
            case _:
                continue
        inner = target.value if isinstance(target, ast.Subscript) else target
        found.add(ast.unparse(_uncut(inner)[0]))
    return frozenset(found)


def _part(
    facts: Facts, at: ast.stmt, holder: ast.expr, value: ast.expr, owner: ast.expr
) -> Alias | None:
    inner, _ = _uncut(owner)
    if not isinstance(inner, (ast.Name, ast.Attribute)):
        return None
    if ast.unparse(inner) == ast.unparse(holder):
        return None  # the name of the whole is gone: nobody can compare them
    known = facts.value(inner)
    is_data = inner is not owner and bool(known.kind & (Kind.TENSOR | Kind.UNKNOWN))
    if not (known.is_tensor or is_data):
        return None
    return Alias(at, holder, value, Of.PART, ast.unparse(inner), known.leaf or is_data)


def _uncut(node: ast.expr) -> tuple[ast.expr, bool]:
    """`x` of `x.data`, `x.detach()`, `x.data.detach()`."""
    cut = False
    while True:
        match node:
            case ast.Attribute(attr="data", value=inner):
                node, cut = inner, True
            case ast.Call(func=ast.Attribute(attr="detach", value=inner)):
                node, cut = inner, True
            case _:
                return node, cut


def _is_basic(facts: Facts, index: ast.expr) -> bool:
    """Does the index make a view: slices, numbers, `...` and `None`?"""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    for part in parts:
        if isinstance(part, ast.Slice) or (
            isinstance(part, ast.Constant) and not isinstance(part.value, (bool, str))
        ):
            continue
        if facts.value(part).kind != Kind.NUMBER:
            return False
    return True


def _weights(value: ast.expr) -> str | None:
    """The model of `list(model.parameters())`, `[p.data for p in model.parameters()]`,
    `{name: p for name, p in model.named_parameters()}`."""
    match value:
        case ast.Call(func=ast.Name(id="list" | "dict" | "tuple"), args=[source]):
            return _parameters_of(source)
        case ast.ListComp(elt=made, generators=[one]) | ast.DictComp(value=made, generators=[one]):
            inner, _ = _uncut(made)
            names = [n.id for n in ast.walk(one.target) if isinstance(n, ast.Name)]
            if isinstance(inner, ast.Name) and names and inner.id == names[-1]:
                return _parameters_of(one.iter)
    return None


def _parameters_of(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _PARAMETERS:
            return ast.unparse(owner)
    return None


def stale(facts: Facts, alias: Alias) -> Stale | None:
    """The first place where the alias is read after its memory has been written."""
    order = Order(facts.index.function_of(alias.statement) or facts.tree)
    kills = {alias.statement, *_stores(facts, alias)}
    seen = order.after(alias.statement, kills | _other_tensors(facts, alias))
    for write in sorted(seen, key=lambda s: s.lineno):
        if write is alias.statement or not _writes(facts, alias, write):
            continue
        for read in sorted(order.after(write, kills), key=lambda s: s.lineno):
            if _reads_as_it_was(facts, alias, read, write):
                return Stale(alias, write, read)
    return None


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


def _other_tensors(facts: Facts, alias: Alias) -> set[ast.stmt]:
    """Where the name of the tensor is bound to another one: a write into that is no write here."""
    first = next((n for n in ast.walk(alias.node) if isinstance(n, ast.Name)), None)
    if alias.of not in (Of.PART, Of.WEIGHT) or first is None or first.id != alias.base:
        return set()
    found = {facts.index.statement_of(s) for s in uses_in(facts).names.stores(first)}
    return {s for s in found if s is not None and not isinstance(s, ast.AugAssign)}


def _writes(facts: Facts, alias: Alias, statement: ast.stmt) -> bool:
    if alias.of == Of.WEIGHTS:
        return changes_weights(facts, statement)
    return any(_writes_here(facts, alias, node) for node in head(statement))


def _writes_here(facts: Facts, alias: Alias, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="zero_grad"), keywords=keywords):
            return alias.of == Of.GRADIENT and any(
                k.arg == "set_to_none" and isinstance(k.value, ast.Constant) and not k.value.value
                for k in keywords
            )
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


def _is_base(alias: Alias, node: ast.expr) -> bool:
    """Is this the whole tensor (or its gradient) that the alias is of?"""
    inner, _ = _uncut(node)
    if alias.of == Of.GRADIENT:
        return isinstance(inner, ast.Attribute) and (
            inner.attr == "grad" and ast.unparse(inner.value) == alias.base
        )
    return ast.unparse(inner) == alias.base


def _same_part(alias: Alias, target: ast.Subscript) -> bool:
    """A write into the very part that the alias is of, or into all of it."""
    if alias.of == Of.GRADIENT or not _is_base(alias, target.value):
        return False
    whole = isinstance(target.slice, ast.Slice) and target.slice.lower is target.slice.upper is None
    if whole or alias.of == Of.WEIGHT:
        return True
    inner, _ = _uncut(alias.node)
    return isinstance(inner, ast.Subscript) and ast.dump(inner.slice) == ast.dump(target.slice)


def _reads_as_it_was(facts: Facts, alias: Alias, read: ast.stmt, write: ast.stmt) -> bool:
    """Is the alias read there, together with the memory that it shares? That is of no use: it is
    compared with itself, or copied onto itself."""
    nodes = head(read)
    held = ast.unparse(alias.holder)
    mine = [n for n in nodes if _is_read(n, held)]
    if not mine or read is write:
        return False
    if alias.of == Of.GRADIENT:
        return True
    if alias.of == Of.WEIGHTS:
        return _beside_weights(facts, alias, read, nodes)
    # `r = a[i]`, `a[i] = a[i] - 1`, `a[i] = r / 2`: the row was brought up to date for `r`, too.
    if _is_exchange(alias, write, read):
        return True
    updated = _names_base(alias, head(write), stored=False)
    return _names_base(alias, nodes, stored=not updated)


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


def _beside_weights(facts: Facts, alias: Alias, read: ast.stmt, nodes: list[ast.AST]) -> bool:
    """`zip(model.parameters(), old)`, or `p - old[name]` in a loop over the parameters."""
    if any(isinstance(n, ast.expr) and _parameters_of(n) == alias.base for n in nodes):
        return True
    loops = [p for p in facts.index.ancestors(read) if isinstance(p, ast.For)]
    for loop in loops:
        inside = [n for n in ast.walk(loop.iter) if isinstance(n, ast.expr)]
        if any(_parameters_of(n) == alias.base for n in inside):
            names = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            if len(names & used) >= min(len(names), 2):
                return True
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
