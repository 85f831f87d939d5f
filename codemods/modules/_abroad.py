"""What other files do with an attribute of a Module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.class_table import ClassTable
from autofix.flow.facts import Facts
from autofix.flow.index import Index
from autofix.flow.looks import is_looked_at
from autofix.flow.syntax import plain_name
from autofix.flow.users import around, companions
from autofix.flow.walk import walk

_TRAINING = frozenset({"parameters", "named_parameters", "state_dict", "load_state_dict", "grad"})
_TRAINERS = frozenset({"add_param_group", "requires_grad_", "chain"})


def is_handled_abroad(facts: Facts, table: ClassTable, attribute: str) -> bool:
    """`model.context = model.context - rate * gradient`, `Adam([model.context])`: does a file that
    uses the class set the attribute, or do more with it than to look at it? Or is there an
    optimizer by hand in a file that goes with those?"""
    if any(True for _ in _abroad(facts, table, attribute)):
        return True
    return any(_steps(unit.index, attribute) for unit in companions(facts, table.node.name))


def _steps(index: Index, attribute: str) -> bool:
    """`layer.weight.data -= rate * layer.weight.grad`"""
    reads = [node for node in index.of_kind(ast.Attribute) if node.attr == attribute]
    found = [(index.statement_of(read), index.parents.get(read)) for read in reads]
    asking = {
        at for at, parent in found if isinstance(parent, ast.Attribute) and parent.attr == "grad"
    }
    return any(at in asking and getattr(parent, "attr", "") != "grad" for at, parent in found)


def is_trained_abroad(facts: Facts, table: ClassTable, attribute: str) -> bool:
    """`parameters = [*net.parameters(), *net.scales]`: does a function of such a file that trains
    or saves something take the attribute for itself?"""
    return any(
        isinstance(node.ctx, ast.Store) or _trains(index, node)
        for index, node in _abroad(facts, table, attribute)
    )


def _trains(index: Index, node: ast.AST) -> bool:
    function = index.function_of(node)
    return any(
        isinstance(inner, ast.Attribute)
        and inner.attr in _TRAINING | _TRAINERS
        and (function is not None or index.function_of(inner) is None)
        for inner in walk(function or index.tree)
    )


def _abroad(
    facts: Facts, table: ClassTable, attribute: str
) -> Iterator[tuple[Index, ast.Attribute]]:
    """Where a file that uses the class does more with the attribute than to look at it."""
    for index in around(facts, table.node):
        for node in index.of_kind(ast.Attribute):
            named = node.attr == attribute and not _is_its_own(index, node)
            if named and not is_looked_at(node, index):
                yield index, node


def _is_its_own(index: Index, node: ast.Attribute) -> bool:
    """`self.weight` in a class that sets one itself."""
    owner = index.class_of(node) if plain_name(node.value) == "self" else None
    return owner is not None and any(
        other.attr == node.attr
        and isinstance(other.ctx, ast.Store)
        and index.class_of(other) is owner
        and plain_name(other.value) == "self"
        for other in index.of_kind(ast.Attribute)
    )
