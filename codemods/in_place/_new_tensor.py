"""A write into a leaf on the way to a loss becomes one into a new tensor, read from there on."""

from __future__ import annotations

import ast

from autofix.codemods.in_place._out_of_place import out_of_place
from autofix.codemods.in_place._places import Place
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import Loop
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.names import unused_name
from autofix.rewrite.statements import insert_above

_TRAINS = frozenset({"backward", "step", "grad"})
_NAMED = (ast.Name, ast.Attribute, ast.Subscript)
_NO_READ = frozenset({"grad", "data", "detach", "item", "shape", "size", "numel", "requires_grad"})


def reads_after(place: Place, facts: Facts) -> list[ast.expr]:
    """Where the value of the leaf is read after the write, in the same function and in the order
    of the code."""
    function = facts.index.function_of(place.statement)
    nodes = facts.index.body_nodes(function) if function is not None else list(ast.walk(facts.tree))
    end = (place.statement.end_lineno or 0, place.statement.end_col_offset or 0)
    code = ast.dump(_loaded(place.base))
    found: list[ast.expr] = []
    for node in nodes:
        if not isinstance(node, _NAMED) or (node.lineno, node.col_offset) < end:
            continue
        if ast.dump(_loaded(node)) == code and not _is_target(node, facts):
            found.append(node)
    return found


def values_read(reads: list[ast.expr], facts: Facts) -> list[ast.expr]:
    """Of these, the reads that are more than a look at the gradient, the data or the shape, and
    more than another write."""
    found = []
    for read in reads:
        parent = facts.index.parents.get(read)
        looks = isinstance(parent, ast.Attribute) and parent.attr in _NO_READ
        if not looks and not _is_written(read, facts):
            found.append(read)
    return found


def _is_written(read: ast.expr, facts: Facts) -> bool:
    """`w` of `w[0] = 1` and of the statements `w[0].fill_(1)`, `w.diagonal().zero_()`."""
    parents = facts.index.parents
    node, parent = read, parents.get(read)
    while parent is not None:
        if isinstance(parent, ast.Subscript) and parent.value is node:
            if isinstance(parent.ctx, ast.Store):
                return True
            node, parent = parent, parents.get(parent)
            continue
        call = parents.get(parent)
        if not (isinstance(parent, ast.Attribute) and isinstance(call, ast.Call)):
            return False
        if parent.attr.endswith("_") and isinstance(parents.get(call), ast.Expr):
            return True
        op = torch_api.method(parent.attr)
        if op is None or op.alias is None:
            return False
        node, parent = call, parents.get(call)
    return False


def _loaded(node: ast.expr) -> ast.expr:
    """The same expression as a read, so that the text of the tree is the same."""
    match node:
        case ast.Name(id=name):
            return ast.Name(name, ast.Load())
        case ast.Attribute(value=owner, attr=name):
            return ast.Attribute(owner, name, ast.Load())
        case ast.Subscript(value=owner, slice=index):
            return ast.Subscript(owner, index, ast.Load())
    return node


def _is_target(node: ast.expr, facts: Facts) -> bool:
    parent = facts.index.parents.get(node)
    return isinstance(parent, (ast.Assign, ast.AugAssign)) and node is not parent.value


def into_new(place: Place, facts: Facts) -> list[Edit]:
    base = place.base
    if isinstance(base, ast.Name) and _is_second_name(base, place, facts):
        return out_of_place(place, facts)
    name = unused_name(facts, _wanted(base), base)
    loops = facts.index.loops_around(place.statement)
    if loops:
        return _before_loop(place, loops[-1], name, facts)
    reads = reads_after(place, facts)
    if not _seen_by_all(place.statement, reads, facts):
        raise DeclinedError("the tensor is read on paths that the write is not on")
    edits = [Edit(*facts.source.span(read), name) for read in reads]
    start, end = facts.source.span(base)
    code = facts.source.segment(base)
    node = place.node
    if isinstance(place.target, ast.Subscript):
        above = insert_above(facts, place.statement, f"{name} = {code}.clone()")
        return [above, Edit(start, end, name), *edits]
    alone = isinstance(place.statement, ast.Expr) and place.statement.value is node
    if isinstance(node, ast.Call) and alone:
        return [Edit(start, end, f"{name} = {code}.clone()"), *edits]
    if isinstance(node, ast.AugAssign):
        stand_in = ast.copy_location(ast.Name(code, ast.Store()), base)
        written = Place(node, place.target, stand_in, place.statement)
        changed = out_of_place(written, facts)
        return [Edit(start, end, name), *changed, *edits]
    raise DeclinedError("the result of the write is used in the same statement")


def _wanted(base: ast.expr) -> str:
    match base:
        case ast.Name(id=name):
            return f"new_{name}"
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))) if name.isidentifier():
            return name
    return "new_tensor"


def _is_second_name(base: ast.Name, place: Place, facts: Facts) -> bool:
    """Is the tensor reached by another way, so that the name may be bound to a new one: an
    argument, `w` of `w = self.weight`?"""
    function = facts.index.function_of(place.statement)
    if function is None:
        return False
    if _is_given(base, facts):
        return True
    names = uses_in(facts).names
    seen = [store for store in names.stores(base) if not names.apart(store, place.statement)]
    owners = [facts.index.parents.get(store) for store in seen]
    bound = [owner for owner in owners if not isinstance(owner, ast.AugAssign)]
    return bool(bound) and all(
        isinstance(owner, ast.Assign) and isinstance(owner.value, (ast.Name, ast.Attribute))
        for owner in bound
    )


def _seen_by_all(statement: ast.stmt, reads: list[ast.expr], facts: Facts) -> bool:
    """Does every later read stand in the block of the write, or deeper?"""
    block = facts.index.parents.get(statement)
    return all(block in facts.index.ancestors(read) for read in reads)


def _is_bound_before(base: ast.expr, loop: Loop, facts: Facts) -> bool:
    """Does a copy before the loop find the names in `base` bound? (Those of a loop itself, and what
    only its body binds, are not yet.)"""
    stores, function = uses_in(facts).names.stores, facts.index.function_of(loop)
    for name in (n for n in ast.walk(base) if isinstance(n, ast.Name)):
        made = [s for s in stores(name) if facts.index.function_of(s) is function]
        if made and not any(s.lineno < loop.lineno for s in made) and not _is_given(name, facts):
            return False
    return True


def _is_given(name: ast.Name, facts: Facts) -> bool:
    function = facts.index.function_of(name)
    arguments = ast.walk(function.args) if function is not None else ()
    return any(isinstance(n, ast.arg) and n.arg == name.id for n in arguments)


def _before_loop(place: Place, loop: Loop, name: str, facts: Facts) -> list[Edit]:
    """A copy before the loop, which the loop and what follows it work with."""
    if any(isinstance(n, ast.Attribute) and n.attr in _TRAINS for n in ast.walk(loop)):
        raise DeclinedError("each turn of the loop has a backward pass of its own")
    function = facts.index.function_of(place.statement)
    nodes = facts.index.body_nodes(function) if function is not None else list(ast.walk(facts.tree))
    code = ast.dump(_loaded(place.base))
    start = (loop.lineno, loop.col_offset)
    mentions: list[ast.expr] = [
        n
        for n in nodes
        if isinstance(n, _NAMED) and ast.dump(_loaded(n)) == code
        if (n.lineno, n.col_offset) >= start
    ]
    if not _seen_by_all(loop, mentions, facts):
        raise DeclinedError("the tensor is read on paths that the write is not on")
    if not _is_bound_before(place.base, loop, facts):
        raise DeclinedError("each turn of the loop binds the name anew")
    above = insert_above(facts, loop, f"{name} = {facts.source.segment(place.base)}.clone()")
    return [above, *(Edit(*facts.source.span(n), name) for n in mentions)]
