"""What a stored value makes of its row: does it read only that row, has it its shape?"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.codemods.in_place._row_body import Nest, Store, dims_of, indices
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.codemods.in_place._row_operations import (
    METADATA,
    PYTHON,
    RANDOM,
    RANDOM_MODULES,
    REDUCE,
    SAME,
    STOPS,
    TOTAL,
)
from autofix.codemods.in_place._row_reads import mentions
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.joins import promote
from autofix.flow.syntax import all_arguments
from autofix.flow.values import INTEGRAL, Kind, Value


@dataclass(eq=False)
class RowValue:
    """The value of one store, with what was learned of it."""

    facts: Facts
    nest: Nest
    store: Store
    vector: bool = True
    """It can be computed for all rows at once, with `dim=` and `keepdim=`."""
    numbered: bool = False
    """It needs the number of the row for more than the row itself."""
    unsure: bool = False
    """The shape or dtype of another tensor in it was taken on trust."""
    reads_row: bool = False
    _open: set[str] = field(default_factory=set)

    @property
    def rank(self) -> int | None:
        return self.store.base.value.rank

    @property
    def row_rank(self) -> int | None:
        return None if self.rank is None else self.rank - len(self.store.dims)

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimensions that the loops walk along, counted from the front where possible."""
        if self.rank is None:
            return tuple(dim for dim, _ in self.store.dims)
        return tuple(dim % self.rank for dim, _ in self.store.dims)

    @property
    def axes(self) -> tuple[int, ...]:
        """The other dimensions: those of a row."""
        return tuple(d for d in range(self.rank or 0) if d not in self.dims)

    def check(self) -> None:
        is_row = self._kind(self.store.value)
        if self.store.op is not None:
            self.reads_row = is_row = True
        if not self.reads_row:
            raise DeclinedError("the row is replaced without being read")
        if not is_row:
            raise DeclinedError("the new value has not the shape of its row")

    def is_row(self, node: ast.expr) -> bool:
        """`x[i]`, or a name for it."""
        if isinstance(node, ast.Name):
            if node.id in self.store.temporaries:
                return self.is_row(self.store.temporaries[node.id])
            if len(self.store.dims) != 1:
                return False
            at = self.store.dims[0][0]
            rows = [row for header in self.nest.headers if header.dim == at for row in header.rows]
            return any(n == node.id and ast.dump(over) == self.store.base.code for n, over in rows)
        if isinstance(node, ast.Subscript):
            index = indices(node, self.store.base)
            names = {name for _, name in self.store.dims}
            return index is not None and dims_of(index, names) == self.store.dims
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="clone"), args=[], keywords=[]):
                return self.is_row(inner)
        return False

    def _kind(self, node: ast.expr) -> bool:
        """Has it the row's shape (else it is a number, or broadcasts to that shape)?"""
        if self.is_row(node):
            self.reads_row = True
            return True
        if isinstance(node, ast.Name) and node.id in self.store.temporaries:
            return self._temporary(node.id)
        if self._is_other_element(node):
            self.numbered = True
            self._independent(node)
            self.vector = False
            return False
        if not self._depends(node):
            self._independent(node)
            return False
        match node:
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                self.vector = False
                self._kind(left), self._kind(right)
                return False
            case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
                kinds = [self._kind(left), self._kind(right)]
                return any(kinds)
            case ast.UnaryOp(operand=operand):
                return self._kind(operand)
            case ast.Call():
                return self._call(node)
            case ast.Subscript(value=inner, slice=index):
                return self._part(node, inner, index)
            case ast.Attribute(value=inner, attr="values") if isinstance(inner, ast.Call):
                self.vector = False
                return self._kind(inner)
            case ast.Attribute(attr=name) if name in METADATA:
                self.vector = False
                return False
        raise DeclinedError(f"what `{self._text(node)}` does to the row is not known")

    def _is_other_element(self, node: ast.expr) -> bool:
        """Is it what the loop takes from another tensor along with the row?"""
        rows = [row for header in self.nest.headers for row in header.rows]
        return isinstance(node, ast.Name) and any(
            name == node.id and ast.dump(over) != self.store.base.code for name, over in rows
        )

    def _temporary(self, name: str) -> bool:
        if name in self._open:
            raise DeclinedError(f"`{name}` is computed from itself")
        definition = self.store.temporaries[name]
        self._unchanged_since(name, definition)
        self._open.add(name)
        kind = self._kind(definition)
        self._open.discard(name)
        return kind

    def _unchanged_since(self, name: str, definition: ast.expr) -> None:
        """No store between the temporary and its use may change what it was computed from."""
        for other in self.nest.stores:
            between = definition.lineno, definition.col_offset
            here = other.target.lineno, other.target.col_offset
            mine = self.store.target.lineno, self.store.target.col_offset
            if between < here < mine and mentions(definition, other.base.code):
                raise DeclinedError(f"`{name}` is computed from rows that change before it is used")

    def _part(self, node: ast.Subscript, inner: ast.expr, index: ast.expr) -> bool:
        """`row[0]`, `row.max(dim=0)[0]`: a part of the row, or of what was made of it."""
        if self._depends(index):
            raise DeclinedError(f"what `{self._text(node)}` does to the row is not known")
        self.vector = False
        if any(isinstance(n, ast.Name) and n.id in self._variables for n in ast.walk(index)):
            self.numbered = True
        if self._depends(inner) and ast.dump(inner) != self.store.base.code:
            kind = self._kind(inner)
            return kind and isinstance(inner, ast.Call) and isinstance(index, ast.Constant)
        whole = indices(node, self.store.base)
        first = whole[0] if whole else None
        if isinstance(first, ast.Name) and self.store.dims == ((0, first.id),):
            self.numbered = self.reads_row = True
            return False
        raise DeclinedError(f"other rows are read: `{self._text(node)}`")

    @property
    def _variables(self) -> set[str]:
        return {name for _, name in self.store.dims}

    def _depends(self, node: ast.AST) -> bool:
        """Does it read the tensor, a row of it, or a temporary?"""
        rows = {name for header in self.nest.headers for name, _ in header.rows}
        names = rows | set(self.store.temporaries)
        return mentions(node, self.store.base.code) or any(
            isinstance(n, ast.Name) and n.id in names for n in ast.walk(node)
        )

    def _independent(self, node: ast.expr) -> None:
        """What has nothing to do with the row: it may be anything that stays what it is."""
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                self._pure(part)
            elif isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)):
                raise DeclinedError(f"`{self._text(node)}` may do more than compute")
            elif isinstance(part, ast.Name) and part.id in self._variables:
                self.numbered, self.vector = True, False
        for other in self.nest.stores:
            if other.base.code != self.store.base.code and mentions(node, other.base.code):
                self._other_base(node, other)
        value = self.facts.value(node)
        if (
            value.is_number
            or value.is_scalar
            or (value.kind & Kind.NUMBER and not value.kind & Kind.TENSOR)
        ):
            return
        if value.kind == Kind.UNKNOWN and _is_total(node):
            self.vector = False
            return
        known = self.row_rank is not None and value.rank is not None
        leading = self.dims == tuple(range(len(self.dims)))
        fits = value.rank is not None and value.rank <= (self.row_rank or 1)
        if not (known and leading and fits):
            self.vector = False
        if value.may_be_tensor:
            if value.rank is not None and not fits:
                raise DeclinedError(f"`{self._text(node)}` may have more dimensions than a row")
            self._check_dtype(node, value)
            self.unsure = self.unsure or not fits

    def _check_dtype(self, node: ast.expr, value: Value) -> None:
        """A wider dtype would be rounded back by the store, and not by the rewrite."""
        mine = self.store.base.value.dtype
        if value.dtype is None or mine is None:
            self.unsure = True
        elif value.dtype not in INTEGRAL and value.dtype != mine:
            if promote(value.dtype, mine) not in (mine, None):
                raise DeclinedError(f"`{self._text(node)}` has another dtype than the rows")
            self.unsure = True

    def _other_base(self, node: ast.expr, other: Store) -> None:
        """Another tensor that the loop rewrites may be read at the same row only."""
        names = {name for _, name in other.dims}
        for part in ast.walk(node):
            if isinstance(part, ast.Subscript):
                index = indices(part, other.base)
                if index is not None and dims_of(index, names) != other.dims:
                    raise DeclinedError(f"other rows are read: `{self._text(part)}`")

    def _pure(self, call: ast.Call) -> None:
        name = self._function(call)
        if any(k.arg in ("dtype", "out") or k.arg is None for k in call.keywords):
            raise DeclinedError(f"`{self._text(call)}` has a dtype or a place of its own")
        if name in STOPS:
            self.unsure = True  # a stop that someone meant, or another bug
        if name is None or name in RANDOM or name.endswith("_"):
            what = "is random" if name in RANDOM else "may do more than compute"
            raise DeclinedError(f"`{self._text(call)}` {what}")

    def _function(self, call: ast.Call) -> str | None:
        """The bare name of a torch function, a tensor method or a harmless builtin."""
        dotted = self.facts.library_name(call.func)
        if dotted is not None:
            root, _, rest = dotted.partition(".")
            last = dotted.rpartition(".")[2]
            if root == "math" or (root == "builtins" and rest in PYTHON):
                return last
            return last if torch_api.function(dotted) is not None else None
        if isinstance(call.func, ast.Attribute):
            known = torch_api.method(call.func.attr) is not None
            return call.func.attr if known else None
        return None

    def _call(self, call: ast.Call) -> bool:
        module = self.facts.value(call.func)
        if module.kind == Kind.MODULE:
            return self._module(call, module.ref)
        name = self._function(call)
        if name is None:
            raise DeclinedError(f"what `{self._text(call)}` does to the row is not known")
        self._pure(call)
        arguments = all_arguments(call)
        if isinstance(call.func, ast.Attribute) and self._depends(call.func.value):
            arguments.insert(0, call.func.value)
        elif self.facts.library_name(call.func) is None:
            self._independent(call.func)
        kinds = [self._kind(argument) for argument in arguments]
        if name in SAME:
            return any(kinds)
        if name in REDUCE or (name in PYTHON and name != "range"):
            dotted = self.facts.library_name(call.func) or ""
            if dotted.startswith(("builtins.", "math.")):
                self.vector = False
                return name == "abs" and any(kinds)
            return False
        raise DeclinedError(f"what `{self._text(call)}` does to the row is not known")

    def _module(self, call: ast.Call, name: object) -> bool:
        """`self.softmax(row)`: a module that keeps shapes, is not random and has no state."""
        last = name.rpartition(".")[2] if isinstance(name, str) else ""
        op = torch_api.module(name) if isinstance(name, str) else None
        if last.startswith(RANDOM_MODULES):
            raise DeclinedError(f"`{self._text(call)}` is random or keeps statistics")
        if op is None or op.shape != "same" or len(call.args) != 1 or call.keywords:
            raise DeclinedError(f"what `{self._text(call)}` does to the row is not known")
        self.vector = False
        return self._kind(call.args[0])

    def _text(self, node: ast.expr) -> str:
        text = " ".join(self.facts.source.segment(node).split())
        return text if len(text) < 60 else f"{text[:57]}..."


def _is_total(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=[], keywords=[]):
            return name in TOTAL
    return False
