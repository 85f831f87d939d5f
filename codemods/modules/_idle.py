"""Tensors of zeros or ones that a Module computes with, and that nothing ever changes."""

from __future__ import annotations

import ast

from autofix.codemods.modules._reads import reads_of
from autofix.flow.class_table import ClassTable, Store
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.flow.walk import walk

_MOVES = frozenset({"to", "cuda", "cpu", "float", "double", "half", "type"})


def changes_nothing(facts: Facts, table: ClassTable, store: Store, made: ast.expr) -> bool:
    """A factor of ones, a factor or term of zeros: as a constant it is of no use, so that it is a
    weight by its start, unless somebody fills it from outside."""
    fill = _fill(facts, made)
    if fill is None or len(uses_in(facts).names.stored.get(store.attribute, ())) != 1:
        return False
    reads = [read for read in reads_of(facts, table, store.attribute) if read is not store.node]
    return bool(reads) and all(_is_idle(facts, table, read, fill) for read in reads)


def _fill(facts: Facts, made: ast.expr) -> str | None:
    """`zeros` or `ones`, at most moved: a mask or a table would be made of them by more."""
    while isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute):
        if made.func.attr in _MOVES:
            made = made.func.value
            continue
        name = facts.library_name(made.func)
        fill = {"torch.zeros": "zeros", "torch.ones": "ones"}.get(name or "")
        return None if fill == "ones" and _is_one(made) else fill
    return None


def _is_one(made: ast.Call) -> bool:
    """`torch.ones(1)`: a setting that was never changed, such as a temperature."""
    return all(isinstance(size, ast.Constant) and size.value == 1 for size in made.args)


def _is_idle(facts: Facts, table: ClassTable, read: ast.expr, fill: str) -> bool:
    """Is it a factor or a term of what a gradient runs through?"""
    parent = facts.index.parents.get(read)
    if not isinstance(parent, ast.BinOp):
        return False
    other = parent.right if parent.left is read else parent.left
    if facts.value(other).graph == Graph.NO and not _is_of_another(other, table):
        return False
    match parent.op:
        case ast.Mult():
            return True
        case ast.Add():
            return fill == "zeros"
        case ast.Sub():
            return fill == "zeros" and parent.right is read
        case ast.Div():
            return fill == "ones" and parent.right is read
    return False


def _is_of_another(node: ast.expr, table: ClassTable) -> bool:
    """`x @ self.w` of a tensor that an initialiser fills, which should be a weight as well."""
    names = {n.attr for n in walk(node) if isinstance(n, ast.Attribute)}
    made = [s.value for name in names for s in table.stores.get(name, ()) if s.value is not None]
    return any(
        isinstance(call, ast.Call) and last_name(call.func) == "empty" and value is not call
        for value in made
        for call in walk(value)
    )
