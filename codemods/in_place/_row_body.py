"""What a loop does with row `i` of its tensors: temporaries and stores, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.in_place._row_header import DeclinedError, Header, names_of, read
from autofix.codemods.in_place._row_writes import is_full, row_writes
from autofix.flow.facts import Facts
from autofix.flow.values import Value

Dims = tuple[tuple[int, str], ...]
"""The dimensions that a loop walks along, each with the variable that counts it."""


@dataclass(frozen=True, slots=True)
class Base:
    """The tensor that is written to."""

    node: ast.expr
    code: str
    """What identifies it: the dump of its node."""
    value: Value


@dataclass(frozen=True, slots=True)
class Store:
    """`base[i] = value`, or `base[i] op= value`."""

    target: ast.expr
    """`base[i]`, or the name that the loop gives to this row."""
    base: Base
    dims: Dims
    value: ast.expr
    op: ast.operator | None
    temporaries: dict[str, ast.expr]
    """What the names that the body binds mean where this store stands."""


@dataclass(frozen=True, slots=True)
class Nest:
    """A loop, or one loop straight inside another, and its stores in order."""

    loop: ast.For | ast.While
    headers: tuple[Header, ...]
    stores: tuple[Store, ...]
    bound: frozenset[str]
    """All names that the loops and their body bind."""


def inner_nodes(loop: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a loop, without those of functions and classes defined in it."""
    stack = list(ast.iter_child_nodes(loop))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))


def stores_in(loop: ast.For | ast.While, names: set[str]) -> list[ast.Subscript]:
    """Targets `x[i] = ...` whose index mentions the loop's variable and whose `x` is read too."""
    found: list[ast.Subscript] = []
    for node in inner_nodes(loop):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        elif isinstance(node, ast.AugAssign):
            target = node.target
        else:
            continue
        if isinstance(target, ast.Subscript) and mentions_index(target, names):
            found.append(target)
    return sorted(found, key=lambda t: (t.lineno, t.col_offset))


def mentions_index(target: ast.expr, names: set[str]) -> bool:
    node = target
    while isinstance(node, ast.Subscript):
        if any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node.slice)):
            return True
        node = node.value
    return False


def base_of(target: ast.Subscript, names: set[str], facts: Facts) -> Base | None:
    """The tensor in `x[i]`, `x[i][:]`, `self.x[:, i]`: what stands before the first row number."""
    node: ast.expr = target
    best: ast.expr | None = None
    while isinstance(node, ast.Subscript):
        if any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node.slice)):
            best = node.value
        node = node.value
    if best is None:
        return None
    if not facts.may_hold_tensor(best):
        return None
    value = facts.value(best)
    return Base(best, ast.dump(best), value) if value.is_tensor else None


def indices(node: ast.expr, base: Base) -> list[ast.expr] | None:
    """The index of `x[a][b, :]` as one list, `[a, b]`; None for what is no element of the base.
    Whatever it does not understand comes back whole, as no index that can be matched."""
    levels: list[ast.expr] = []
    while isinstance(node, ast.Subscript) and ast.dump(_load(node)) != base.code:
        levels.append(node.slice)
        node = node.value
    if not levels or ast.dump(_load(node)) != base.code:
        return None
    found: list[ast.expr] = []
    for number, level in enumerate(reversed(levels)):
        parts = list(level.elts) if isinstance(level, ast.Tuple) else [level]
        while parts and is_full(parts[-1]):
            parts.pop()
        if number and any(is_full(p) for p in found):
            return [level]
        found += parts
    return found


def _load(node: ast.expr) -> ast.expr:
    """The node as it looks when it is read."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return ast.Subscript(node.value, node.slice, ast.Load())
    return node


def dims_of(index: list[ast.expr], names: set[str]) -> Dims | None:
    """The dimensions that the loop variables count; None if anything else is in the index."""
    found: list[tuple[int, str]] = []
    from_end = bool(index) and isinstance(index[0], ast.Constant)
    for position, part in enumerate(index):
        at = position - len(index) if from_end else position
        if isinstance(part, ast.Name) and part.id in names:
            found.append((at, part.id))
        elif not is_full(part) or (position and isinstance(part, ast.Constant)):
            return None
    if len({name for _, name in found}) != len(found):
        return None  # the diagonal
    return tuple(found) or None


def understand(loop: ast.For | ast.While, facts: Facts) -> Nest:
    """The loop as headers and stores, or why it cannot be seen that way."""
    headers = [read(loop, facts)]
    body = loop.body
    bound = names_of(loop)
    while len(body) == 1 and isinstance(body[0], ast.For) and len(headers) < 3:
        headers.append(read(body[0], facts))
        bound |= names_of(body[0])
        body = body[0].body
    if headers[0].initial is not None:
        body = body[:-1]
        if len(headers) > 1:
            raise DeclinedError("another loop runs inside")
    temporaries: dict[str, ast.expr] = {}
    stores: list[Store] = []
    variables = {h.variable for h in headers}
    for statement in body:
        named = _named_stores(statement, headers, temporaries, facts)
        stored = None if named else _statement(statement, temporaries, variables, facts)
        stores += [*named, *([stored] if stored is not None else [])]
    _check_carried(stores, temporaries)
    return Nest(loop, tuple(headers), tuple(stores), frozenset(bound | set(temporaries)))


def _statement(
    node: ast.stmt,
    temporaries: dict[str, ast.expr],
    variables: set[str],
    facts: Facts,
) -> Store | None:
    match node:
        case ast.Assign(targets=[ast.Subscript() as target], value=value):
            return _store(target, value, None, temporaries, variables, facts)
        case ast.AugAssign(target=ast.Subscript() as target, op=op, value=value):
            return _store(target, value, op, temporaries, variables, facts)
        case ast.Assign(targets=[target], value=value):
            bound = _unpacked(target, value)
            if bound:
                _check_bound(bound, value, variables)
                _check_rebound(bound, temporaries)
                temporaries.update(bound)
                return None
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return None
    raise DeclinedError(_also(node, facts))


def _named_stores(
    node: ast.stmt, headers: list[Header], temporaries: dict[str, ast.expr], facts: Facts
) -> list[Store]:
    """`row /= row.sum()`, where the loop gives a row of its tensor the name `row`."""
    stores: list[Store] = []
    for header in headers if len(headers) == 1 else ():
        for row, over in header.rows:
            writes = row_writes(node, row) if row not in temporaries else []
            value = facts.value(over)
            if not writes or not value.is_tensor:
                continue
            if value.rank is not None and value.rank <= header.dim:
                raise DeclinedError(f"`{ast.unparse(over)}` has no dimension {header.dim}")
            base, dims = Base(over, ast.dump(over), value), ((header.dim, header.variable),)
            for target, written, op in writes:
                stores.append(Store(target, base, dims, written, op, dict(temporaries)))
    return stores


class Item(ast.Subscript):
    """What `m` is after `m, _ = pair`: an element that the source does not spell out."""


def _unpacked(target: ast.expr, value: ast.expr) -> dict[str, ast.expr] | None:
    """What the names mean after `m = ...`, `m, s = ..., ...` or `m, _ = row.max(0)`."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple):
        return None
    names = [e.id for e in target.elts if isinstance(e, ast.Name)]
    if len(names) != len(target.elts):
        return None
    if isinstance(value, ast.Tuple):
        starred = any(isinstance(e, ast.Starred) for e in value.elts)
        same = len(value.elts) == len(names) == len(set(names)) and not starred
        return dict(zip(names, value.elts, strict=True)) if same else None
    if isinstance(value, ast.Call):
        return {
            name: ast.copy_location(
                Item(value, ast.copy_location(ast.Constant(at), value), ast.Load()), value
            )
            for at, name in enumerate(names)
        }
    return None


def _check_bound(bound: dict[str, ast.expr], value: ast.expr, variables: set[str]) -> None:
    for name in bound:
        if name in variables:
            raise DeclinedError(f"`{name}` is changed inside the loop")
        if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(value)):
            raise DeclinedError(f"`{name}` is computed from its own last value")


def _check_rebound(bound: dict[str, ast.expr], temporaries: dict[str, ast.expr]) -> None:
    """A name is replaced by what it means: what was computed from it must not change with it."""
    for name in bound:
        if any(_reads(meaning, {name}) for meaning in temporaries.values()):
            raise DeclinedError(f"`{name}` gets another meaning after it was used")


def _check_carried(stores: list[Store], temporaries: dict[str, ast.expr]) -> None:
    """What a row leaves behind for the next one is not the same for every row."""
    for store in stores:
        later = set(temporaries) - set(store.temporaries)
        for meaning in (store.value, *store.temporaries.values()):
            for name in sorted(later):
                if _reads(meaning, {name}):
                    raise DeclinedError(f"`{name}` is carried from one row to the next")


def _reads(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def _also(node: ast.stmt, facts: Facts) -> str:
    match node:
        case ast.If():
            return "not every row is treated alike: there is an `if` in the loop"
        case ast.For() | ast.While():
            return "another loop runs inside, so the order of the rows matters"
        case ast.Break() | ast.Continue() | ast.Return():
            return "the loop may be left before its last row"
    first = facts.source.segment(node).split("\n")[0].strip()
    return f"the loop does more than rewrite its rows: `{first}`"


def _store(
    target: ast.Subscript,
    value: ast.expr,
    op: ast.operator | None,
    temporaries: dict[str, ast.expr],
    variables: set[str],
    facts: Facts,
) -> Store:
    shown = facts.source.segment(target)
    base = base_of(target, variables, facts)
    if base is None:
        raise DeclinedError(f"which row `{shown}` is is not known, or whether it is of a tensor")
    index = indices(target, base)
    dims = dims_of(index, variables) if index is not None else None
    if dims is None or {name for _, name in dims} != variables:
        raise DeclinedError(f"`{shown}` is not a whole row")
    return Store(target, base, dims, value, op, dict(temporaries))
