"""Is a backward pass run for the derivative at each point, rather than to train something?"""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import Graphs, key_of, keys
from autofix.flow.events import updated
from autofix.flow.index import last_name
from autofix.flow.shapes import Shape
from autofix.model import Applicability

_UPDATES = frozenset({"step", "add_", "sub_", "copy_", "mul_"})


def tier_of_derivative(graphs: Graphs, root: ast.expr) -> Applicability | None:
    """How sure it is that the gradient which the function reads is that of the sum; None if it may
    as well be that of the mean: something is updated along it, or it is that of a weight."""
    facts = graphs.facts
    if any(isinstance(n, ast.stmt) and updated(n) is not None for n in graphs.nodes) or any(
        isinstance(n, ast.Call) and last_name(n.func) in _UPDATES for n in graphs.nodes
    ):
        return None
    sources = graphs.made_of(keys(root))
    read = [
        node.value
        for node in ast.walk(graphs.scope)
        if isinstance(node, ast.Attribute)
        and node.attr == "grad"
        and isinstance(node.ctx, ast.Load)
        and key_of(node.value) in sources
    ]
    leaves = [facts.value(node) for node in read]
    if not leaves or any(not v.is_tensor or not v.leaf or v.parameter for v in leaves):
        return None
    shape = facts.value(root).shape
    fits = [_fits(shape, leaf.shape) for leaf in leaves]
    if not all(fits):
        return None
    same = shape is not None and all(leaf.shape == shape for leaf in leaves)
    return Applicability.SAFE if same and None not in (shape or ()) else Applicability.UNSAFE


def _fits(result: Shape | None, leaf: Shape | None) -> bool:
    """May each element, or each row, of the leaf have a result of its own?"""
    if leaf is None or result is None:
        return leaf is None or leaf not in ((), (1,))
    return bool(leaf and result) and (leaf == result or leaf[0] == result[0])
