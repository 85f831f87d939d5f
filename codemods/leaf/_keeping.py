"""The edits by which a name that each turn of a loop binds again goes on to mean a leaf."""

from __future__ import annotations

import ast

from autofix.codemods.alias._weights import uncut
from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.leaf._turned_over import TurnedOver, Want, sees_other_tensors
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import ADDING
from autofix.flow.values import Graph, Value
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rewrite.arguments import append_method
from autofix.rewrite.names import spell
from autofix.rewrite.statements import insert_above

_CUTS = frozenset({"detach", "data", "item", "tolist", "grad", "shape", "size", "dtype", "device"})
_CUTS |= {"requires_grad", "is_leaf", "ndim", "dim", "numel", "requires_grad_", "copy_"}


def kept_leaf(facts: Facts, found: TurnedOver) -> tuple[tuple[Edit, ...] | str, Applicability]:
    """Made a leaf again at the start of each turn; written in place where an optimizer has it or
    its gradient is set back at the end."""
    if found.want in (Want.GRAD, Want.ASKED) and not _sets_back(facts, found):
        return _leaf_again(facts, found), Applicability.SAFE
    if sees_other_tensors(facts, found):
        why = "the tensors of the turns are kept, and changed in place they would all be the same"
        return why, Applicability.DISPLAY
    same = all(_keeps_shape(facts, s, found.name) for s in found.stores)
    return _in_place(facts, found), Applicability.SAFE if same else Applicability.UNSAFE


def _sets_back(facts: Facts, found: TurnedOver) -> bool:
    """`x.grad.zero_()` behind the last store, which a new leaf could not do."""
    for read in found.after:
        parent = facts.index.parents.get(read)
        if not (isinstance(parent, ast.Attribute) and parent.attr == "grad"):
            continue
        if isinstance(facts.index.parents.get(parent), ast.Attribute):
            return found.loop in facts.index.ancestors(read)
    return False


def _leaf_again(facts: Facts, found: TurnedOver) -> tuple[Edit, ...]:
    edits = [insert_above(facts, found.loop.body[0], f"{found.name}.requires_grad_()")]
    last = found.last.value
    if found.want == Want.GRAD and facts.value(last).graph != Graph.NO:
        edits += append_method(facts, last, ".detach()")
    return tuple(edits)


def _keeps_shape(facts: Facts, statement: ast.Assign, name: str) -> bool:
    new = facts.value(statement.value)
    reads = [n for n in walk(statement.value) if isinstance(n, ast.Name) and n.id == name]
    return any(_same_shape(facts.value(read), new) for read in reads)


def _same_shape(a: Value, b: Value) -> bool:
    if a.dtype != b.dtype:
        return False
    if a.shape is not None and b.shape is not None:
        return a.shape == b.shape and None not in a.shape
    return a.shape_id is not None and a.shape_id == b.shape_id


def _in_place(facts: Facts, found: TurnedOver) -> tuple[Edit, ...] | str:
    edits: list[Edit] = []
    for statement in found.stores:
        new = _written(facts, statement, found.name)
        start, end = facts.source.span(statement)
        if without_gradient(facts, statement):
            edits.append(Edit(start, end, new))
            continue
        line = facts.source.text.rfind("\n", 0, start) + 1
        indent = facts.source.text[line:start]
        if indent.strip():
            return "it stands in a line with other statements"
        spelling = spell(facts, "torch.no_grad", statement)
        edits += spelling.edits
        opening = f"with {spelling.code}():\n{indent}    "
        edits.append(Edit(start, end, opening + new))
    if facts.value(found.last.value).graph == Graph.NO:
        edits += _detached(facts, found)
    return tuple(dict.fromkeys(edits))


def _written(facts: Facts, statement: ast.Assign, name: str) -> str:
    """`x.clamp_(0, 1)` for `x = x.clamp(0, 1)`, else `x.copy_(...)`"""
    value = statement.value
    match value:
        case ast.Call(func=ast.Attribute(attr=method) as func):
            inner, _ = uncut(func.value)
            whole = isinstance(inner, ast.Name) and inner.id == name
            if whole and torch_api.method(f"{method}_") and _keeps_shape(facts, statement, name):
                start, end = facts.source.span(func)[1], facts.source.span(value)[1]
                return f"{name}.{method}_{facts.source.text[start:end]}"
    return f"{name}.copy_({facts.source.segment(value)})"


def _detached(facts: Facts, found: TurnedOver) -> list[Edit]:
    """The reads that saw a tensor without a graph go on to see one."""
    edits: list[Edit] = []
    for read in found.after:
        parent = facts.index.parents.get(read)
        if isinstance(parent, ast.Attribute) and parent.attr in _CUTS:
            continue
        inside = found.loop in facts.index.ancestors(read)
        kept = inside and _is_kept(facts, read)
        end = facts.source.span(read)[1]
        edits.append(Edit(end, end, ".detach().clone()" if kept else ".detach()"))
    return edits


def _is_kept(facts: Facts, read: ast.Name) -> bool:
    """`path.append(x)` of each turn"""
    return any(
        isinstance(owner, ast.Call) and last_name(owner.func) in ADDING
        for owner in facts.index.ancestors(read)[:4]
    )
