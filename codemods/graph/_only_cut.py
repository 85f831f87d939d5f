"""Parameters that a program reads as constants only: none of its reads has their graph."""

from __future__ import annotations

import ast
from typing import TypeGuard

from autofix.codemods.graph._stops import IN_SETUP, is_written, stopped
from autofix.flow.facts import Facts
from autofix.flow.looks import ASKED, attribute_of, is_looked_at
from autofix.flow.syntax import plain_name, taken_from
from autofix.flow.users import around
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.flow.walk import walk


def is_only_read_cut(source: ast.expr, facts: Facts) -> bool:
    """Is `source` a leaf that wants a gradient, and is every read of it cut, an initialiser, a
    question, an optimizer or an update? Then it can never learn, which nobody means. (Codebooks
    that are averaged by hand are written elsewhere; straight-through tricks read it alive too.)"""
    value = facts.value(source)
    if not (value.is_tensor and value.leaf and value.graph == Graph.YES) or value.computed:
        return False
    reads = _reads(source, facts)
    learns = any(attribute_of(read, facts.index) == "grad" for read in reads)
    if any(_makes_leaf(read, facts) for read in reads):
        return False  # it gives its values to a leaf that is used in its place
    if isinstance(source, ast.Name) and all(_says_nothing(read, facts) for read in reads):
        return False  # a tensor of its own that nobody wants to learn
    whole = iterated(source, facts)  # `c` is one of `codes`: what else is done with those?
    reads += [read for read in _reads(whole, facts) if read is not whole] if whole else []
    dead = bool(reads) and all(_is_dead(read, learns, facts) for read in reads)
    return dead and not _is_read_abroad(source, facts)


def never_learns(cut: ast.expr, source: ast.expr, facts: Facts) -> bool:
    """Is what is cut at `cut` computed from one leaf, of which every other read is dead as well?"""
    whole = iterated(source, facts) or source
    leaves = [n for n in walk(whole) if _is_leaf(n, facts)]
    if not leaves or len({ast.unparse(leaf) for leaf in leaves}) > 1:
        return False
    leaf = leaves[0]
    if isinstance(leaf, ast.Name) and not _is_assigned(leaf, facts):
        return False
    inside = {*walk(cut), *walk(whole)}
    reads = [*_reads(leaf, facts), *(_reads(source, facts) if whole is not source else ())]
    dead = all(_is_dead(read, False, facts) for read in reads if read not in inside)
    return dead and not _is_read_abroad(leaf, facts)


def _is_assigned(name: ast.Name, facts: Facts) -> bool:
    """An argument, and what a loop takes out of something, have other names elsewhere."""
    stores = uses_in(facts).names.all_stores(name)
    around = [facts.index.parents.get(store) for store in stores]
    return bool(around) and all(
        isinstance(one, (ast.Assign, ast.AnnAssign, ast.Tuple)) for one in around
    )


def _is_read_abroad(leaf: ast.expr, facts: Facts) -> bool:
    """Does a file that uses the class, or a base of it, do more with its attribute than to report
    it?"""
    owner = facts.index.class_of(leaf)
    if not isinstance(leaf, ast.Attribute) or owner is None:
        return False
    return any(
        read.attr == leaf.attr and isinstance(read.ctx, ast.Load) and not is_looked_at(read, index)
        for index in around(facts, owner)
        for read in index.of_kind(ast.Attribute)
    )


def iterated(source: ast.expr, facts: Facts) -> ast.expr | None:
    """`w` of `[x.item() for x in w]`, and of `for i, x in enumerate(w)`."""
    name = plain_name(source)
    for above in facts.index.ancestors(source) if name is not None else ():
        loops = getattr(above, "generators", [above] if isinstance(above, ast.For) else [])
        for loop in loops:
            for element, whole in taken_from(loop.target, loop.iter):
                if element.id == name:
                    return whole
    return None


def _is_leaf(node: ast.AST, facts: Facts) -> TypeGuard[ast.expr]:
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    value = facts.value(node)
    return value.is_tensor and value.leaf and value.graph == Graph.YES and not value.computed


def _reads(source: ast.expr, facts: Facts) -> list[ast.expr]:
    names = uses_in(facts).names
    match source:
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            owner = facts.index.class_of(source)
            owners = {facts.index.class_of(store) for store in names.stored.get(attr, ())}
            if owner not in owners:
                return []
            others = owners - {owner, None}  # they have one of their own
            reads = names.attributes.get(attr, ())
            return [
                r
                for r in reads
                if not (plain_name(r.value) == "self" and facts.index.class_of(r) in others)
            ]
        case ast.Name():
            return list(names.all_loads(source))
    return []


def _says_nothing(read: ast.expr, facts: Facts) -> bool:
    """`h.detach()` or `h.shape`: neither its gradient nor its value is used for more."""
    attr, parent = attribute_of(read, facts.index), facts.index.parents.get(read)
    cut = facts.index.parents.get(parent) if attr == "detach" and parent is not None else parent
    if attr in ("data", "detach"):
        return isinstance(cut, ast.expr) and not is_written(cut, facts)
    return attr in ASKED - {"grad"}


def _makes_leaf(read: ast.expr, facts: Facts) -> bool:
    """`x.detach().clone().requires_grad_()`"""
    node: ast.AST | None = facts.index.parents.get(read)
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute) and node.attr == "requires_grad_":
            return True
        node = facts.index.parents.get(node)
    return False


def _is_dead(read: ast.expr, learns: bool, facts: Facts) -> bool:
    parent = facts.index.parents.get(read)
    attr = attribute_of(read, facts.index)
    if is_looked_at(read, facts.index):
        return True
    if isinstance(parent, ast.BinOp) and facts.value(parent).graph == Graph.NO:
        return learns or _in_setup(read, facts)  # an update, without gradient mode
    if attr in ("data", "detach") and isinstance(parent, ast.Attribute):
        call = facts.index.parents.get(parent)
        cut = parent if attr == "data" else call
        if isinstance(parent.ctx, ast.Store) or (
            isinstance(cut, ast.expr) and is_written(cut, facts)
        ):
            return learns or _in_setup(read, facts)
        return isinstance(cut, ast.expr) and stopped(cut, facts) is read
    if isinstance(parent, (ast.List, ast.Tuple)):
        around = facts.index.parents.get(parent)
        if isinstance(around, ast.Return):
            return True
        return isinstance(around, ast.Call) and _calls(around, "torch.optim.", facts)
    return (
        isinstance(parent, ast.Call)
        and read in parent.args
        and any(_calls(parent, prefix, facts) for prefix in ("torch.nn.init.", "torch.optim."))
    )


def _calls(node: ast.Call, prefix: str, facts: Facts) -> bool:
    return (facts.library_name(node.func) or "").startswith(prefix)


def _in_setup(node: ast.AST, facts: Facts) -> bool:
    function = facts.index.function_of(node)
    return function is not None and IN_SETUP.match(function.name) is not None
