"""Does a loop visit all of a dimension, or a slice of it?"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.in_place._row_header import DeclinedError, Header
from autofix.codemods.in_place._row_value import RowValue
from autofix.flow import shapes
from autofix.flow.values import Value


@dataclass(frozen=True, slots=True)
class Extent:
    """The slice `first:last` of a dimension, as code; `last` is empty where it goes to the end."""

    first: str = ""
    last: str = ""

    @property
    def whole(self) -> bool:
        return not self.first and not self.last

    @property
    def inside(self) -> str:
        return _slice(self.first, self.last)

    @property
    def before(self) -> str | None:
        return _slice("", self.first) if self.first else None

    @property
    def after(self) -> str | None:
        return _slice(self.last, "") if self.last else None


def _slice(first: str, last: str) -> str:
    tight = all(not end or end.lstrip("-").isalnum() or end.isidentifier() for end in (first, last))
    return f"{first}:{last}" if tight else f"{first} : {last}".strip()


def extent(header: Header, dim: int, value: RowValue) -> Extent:
    base, facts = value.store.base, value.facts
    first = _first(header, dim, value)
    if header.zipped:
        return _shortest(header, dim, value)
    if header.over is not None or (header.rows and header.stop is not None):
        over = header.over if header.over is not None else header.rows[0][1]
        same = ast.dump(over) == base.code and dim == header.dim
        if not same and header.stop is not None:
            raise DeclinedError("`zip` stops at the shorter of the two")
        if header.over is not None:
            whole = same or _equal(_size(facts.value(over), 0), _size(base.value, dim))
            _check_bound(over, value)
            return Extent() if whole else Extent("", f"len({facts.source.segment(over)})")
    stop = header.stop
    assert stop is not None
    if _reaches_end(stop, dim, value):
        return Extent(first)
    match stop:
        case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=int(less))) if less > 0:
            if _reaches_end(left, dim, value):
                return Extent(first, f"-{less}")
    _check_bound(stop, value)
    _check_sign(stop, value)
    return Extent(first, " ".join(facts.source.segment(stop).split()))


def _shortest(header: Header, dim: int, value: RowValue) -> Extent:
    """`zip` visits as many rows as its shortest tensor has; a slice ends with the tensor anyway."""
    base, facts = value.store.base, value.facts
    shorter: list[str] = []
    for _, over in header.rows:
        _check_bound(over, value)
        same = ast.dump(over) == base.code and dim == 0
        if not same and not _equal(_size(facts.value(over), 0), _size(base.value, dim)):
            shorter.append(f"len({facts.source.segment(over)})")
    if len(set(shorter)) > 1:
        raise DeclinedError("`zip` stops at the shortest of its tensors")
    return Extent("", shorter[0]) if shorter else Extent()


def _first(header: Header, dim: int, value: RowValue) -> str:
    if isinstance(header.start, int):
        if header.start < 0:
            raise DeclinedError("the loop counts from a negative number")
        return str(header.start) if header.start else ""
    _check_bound(header.start, value)
    match header.start:
        case ast.BinOp(left=left, op=ast.Sub()) if not _reaches_end(left, dim, value):
            raise DeclinedError("the loop may count from a negative number")
        case ast.BinOp(op=ast.Sub()):
            pass
        case _:
            _check_sign(header.start, value)
    return " ".join(value.facts.source.segment(header.start).split())


def _check_sign(node: ast.expr, value: RowValue) -> None:
    """A slice counts a negative bound from the end, and `range` does not."""
    number = value.facts.value(node).const
    if isinstance(node, ast.UnaryOp) or (isinstance(number, int) and number < 0):
        raise DeclinedError("the loop counts from or to a negative number")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and number is None:
        value.unsure = True


def _check_bound(node: ast.expr, value: RowValue) -> None:
    """The bound is written more than once: it must be plain, and the same for every row."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in value.nest.bound:
            raise DeclinedError("which rows the loop visits depends on the row")
        if isinstance(part, ast.Call):
            last = (
                part.func.attr
                if isinstance(part.func, ast.Attribute)
                else getattr(part.func, "id", "")
            )
            if last not in ("len", "size", "int", "min", "max"):
                raise DeclinedError("which rows the loop visits is not known")
    plain = (ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.Call, ast.Subscript, ast.UnaryOp)
    if not isinstance(node, plain):
        raise DeclinedError("which rows the loop visits is not known")


def _reaches_end(stop: ast.expr, dim: int, value: RowValue) -> bool:
    """Is it the size of the dimension?"""
    size = _size(value.store.base.value, dim)
    if _is_size(stop, dim, value) or _equal(value.facts.value(stop), size):
        return True
    meaning = _only_meaning(stop, value) if isinstance(stop, ast.Name) else None
    return meaning is not None and _is_size(meaning, dim, value)


def _only_meaning(name: ast.Name, value: RowValue) -> ast.expr | None:
    """What a name stands for that is bound once, after the tensor was bound for the last time."""
    facts, loop, base = value.facts, value.nest.loop, value.store.base
    function = facts.index.function_of(loop)
    nodes = facts.index.body_nodes(function) if function is not None else list(ast.walk(facts.tree))
    bindings = [
        n
        for n in nodes
        if isinstance(n, ast.Name) and n.id == name.id and isinstance(n.ctx, ast.Store)
    ]
    statement = facts.index.parents.get(bindings[0]) if len(bindings) == 1 else None
    if not isinstance(statement, ast.Assign) or statement.targets != bindings:
        return None
    here = (statement.lineno, statement.col_offset)
    again = any(
        isinstance(n, (ast.Name, ast.Attribute))
        and isinstance(n.ctx, ast.Store)
        and (n.lineno, n.col_offset) > here
        and ast.unparse(n) == ast.unparse(base.node)
        for n in nodes
    )
    return None if again else statement.value


def _size(tensor: Value, dim: int) -> Value:
    return shapes.size(tensor, dim)


def _equal(a: Value, b: Value) -> bool:
    if isinstance(a.const, int) and isinstance(b.const, int):
        return a.const == b.const
    return a.symbol is not None and a.symbol == b.symbol


def _is_size(node: ast.expr, dim: int, value: RowValue) -> bool:
    """Is it `len(x)`, `x.shape[0]`, `x.size(0)` or `x.size()[0]` of the tensor itself?"""
    code, rank = value.store.base.code, value.rank
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[owner], keywords=[]):
            return dim == 0 and ast.dump(owner) == code
        case ast.Call(func=ast.Attribute(value=owner, attr="size"), args=[axis]):
            pass
        case ast.Call(
            func=ast.Attribute(value=owner, attr="size"),
            args=[],
            keywords=[ast.keyword(arg="dim", value=axis)],
        ):
            pass
        case ast.Subscript(value=ast.Attribute(value=owner, attr="shape"), slice=axis):
            pass
        case ast.Subscript(
            value=ast.Call(func=ast.Attribute(value=owner, attr="size"), args=[]), slice=axis
        ):
            pass
        case _:
            return False
    try:
        at = ast.literal_eval(axis)
    except ValueError:
        return False
    if type(at) is not int or ast.dump(owner) != code:
        return False
    return at == dim or (rank is not None and -rank <= at < rank and at % rank == dim % rank)
