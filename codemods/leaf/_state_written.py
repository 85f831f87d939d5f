"""A constant of this function into which something with a graph is written through `.data`."""

from __future__ import annotations

import ast

from autofix.codemods.graph._intent import is_wanted, names_constant
from autofix.codemods.leaf._operations import MOVES
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import keyword
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Edit
from autofix.rewrite.arguments import remove_keyword


def lost_by(facts: Facts, owner: ast.expr, target: ast.expr) -> Demand | None:
    """What needs the gradient that is lost by a write to `target`, `x.data` or an element of it,
    where `x` is nothing but the state of a simulation, a sum or a buffer, made in this function.
    To be bound to a new tensor, it has to be held by nobody else."""
    if not isinstance(owner, ast.Name) or names_constant(owner, facts):
        return None
    value = facts.value(owner)
    element = isinstance(target, ast.Subscript)
    alive = value.graph > Graph.NO and not (element and _is_flagged(facts, owner))
    if value.kind != Kind.TENSOR or alive or value.assumed or value.parameter:
        return None
    found = facts.needed(target)
    if found is None or not _is_made_here(facts, owner, element):
        return None
    graph, demand = found
    if graph < Graph.YES or not is_wanted(demand, target, facts):
        return None
    meant = demand.repeated or facts.is_carried(target) or facts.used_as_leaf(target)
    meant = meant or facts.is_target(target) or facts.is_weight(target)
    return None if meant else demand


def _is_flagged(facts: Facts, owner: ast.Name) -> bool:
    """`out = torch.zeros(n, requires_grad=True)`: a leaf, for there was none otherwise."""
    return any(keyword(made, "requires_grad") is not None for made in _makers(facts, owner))


def unflagged(facts: Facts, owner: ast.Name) -> list[Edit]:
    """Edits that take the flag from where it is made: what is written in place is no leaf."""
    return [
        remove_keyword(facts, made, flag)
        for made in _makers(facts, owner)
        for flag in made.keywords
        if flag.arg == "requires_grad"
    ]


def is_read_between(facts: Facts, owner: ast.Name, node: ast.stmt) -> bool:
    """Do the loops around a write read the tensor for more than to write into it? Then autograd
    may keep what the next turn overwrites."""
    makers = set(_makers(facts, owner))
    around = [set(ast.walk(loop)) for loop in facts.index.loops_around(node)]
    inside = set().union(*(nodes for nodes in around if not nodes & makers))
    return any(
        load in inside and not _is_unseen_write(facts, load)
        for load in uses_in(facts).names.all_loads(owner)
    )


def _is_unseen_write(facts: Facts, load: ast.Name) -> bool:
    parent = facts.index.parents.get(load)
    element = facts.index.parents.get(parent) if isinstance(parent, ast.Attribute) else None
    written = isinstance(element, ast.Subscript) and isinstance(element.ctx, ast.Store)
    return written and isinstance(parent, ast.Attribute) and parent.attr == "data"


def _makers(facts: Facts, owner: ast.Name) -> list[ast.Call]:
    stores = uses_in(facts).names.stores(owner)
    bound = [facts.index.parents.get(store) for store in stores]
    return [b.value for b in bound if isinstance(b, ast.Assign) and isinstance(b.value, ast.Call)]


def _is_made_here(facts: Facts, owner: ast.Name, shared: bool) -> bool:
    """By this function alone, and (if it may not be `shared`) known by no other name?"""
    uses = uses_in(facts)
    stores = [store for store in uses.names.stores(owner) if store is not owner]
    return bool(stores) and all(_is_made(facts, store, owner, shared) for store in stores)


def _is_made(facts: Facts, store: ast.Name, owner: ast.Name, shared: bool) -> bool:
    bound = facts.index.parents.get(store)
    if not isinstance(bound, (ast.Assign, ast.AnnAssign)) or bound.value is None:
        return False
    if facts.index.function_of(bound) is not facts.index.function_of(owner):
        return False
    if not (is_fresh(bound.value) or _is_copy(bound.value)):
        return False
    return shared or all(_is_own(facts, u, owner) for u in uses_in(facts).follow(bound.value))


def _is_own(facts: Facts, use: Use, owner: ast.Name) -> bool:
    """Is it used by this name, or as the argument of a function that only reads it?"""
    if use.contained or use.stored or not isinstance(use.node, ast.Name):
        return False
    here = facts.index.function_of(use.node) is facts.index.function_of(owner)
    return use.node.id == owner.id or not here


def is_fresh(value: ast.expr) -> bool:
    """A result with memory of its own: no view, and no other name of something."""
    if isinstance(value, ast.BinOp):
        return True
    return isinstance(value, ast.Call) and last_name(value.func) not in MOVES


def _is_copy(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and last_name(value.func) in ("clone", "deepcopy")
