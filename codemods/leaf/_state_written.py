"""A constant of this function into which something with a graph is written through `.data`."""

from __future__ import annotations

import ast

from autofix.codemods.graph._intent import is_wanted, names_constant
from autofix.codemods.leaf._operations import MOVES
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph, Kind


def lost_by(facts: Facts, node: ast.stmt, place: ast.Attribute) -> Demand | None:
    """What needs the gradient that `x.data += v` loses, where `x` is nothing but the state of a
    simulation or a sum: made in this function, and held by nobody else."""
    owner = place.value
    if not isinstance(owner, ast.Name) or names_constant(owner, facts):
        return None
    value = facts.value(owner)
    if value.kind != Kind.TENSOR or value.graph > Graph.NO or value.assumed or value.parameter:
        return None
    found = facts.needed(place)
    if found is None or not _is_private(facts, node, owner):
        return None
    graph, demand = found
    if graph < Graph.YES or not is_wanted(demand, place, facts):
        return None
    meant = demand.repeated or facts.is_carried(place) or facts.used_as_leaf(place)
    meant = meant or facts.is_target(place) or facts.is_weight(place)
    return None if meant else demand


def _is_private(facts: Facts, node: ast.stmt, owner: ast.Name) -> bool:
    """Does nothing but the name refer to the tensor, so that the name can be bound to another?"""
    uses = uses_in(facts)
    stores = [store for store in uses.names.stores(owner) if store is not owner]
    return bool(stores) and all(_is_made(facts, store, owner) for store in stores)


def _is_made(facts: Facts, store: ast.Name, owner: ast.Name) -> bool:
    bound = facts.index.parents.get(store)
    if not isinstance(bound, (ast.Assign, ast.AnnAssign)) or bound.value is None:
        return False
    if facts.index.function_of(bound) is not facts.index.function_of(owner):
        return False
    if not (is_fresh(bound.value) or _is_copy(bound.value)):
        return False
    return all(_is_own(facts, use, owner) for use in uses_in(facts).follow(bound.value))


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
