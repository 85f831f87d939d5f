"""Is a container of layers made of new ones, or of such as there were before?"""

from __future__ import annotations

import ast

from autofix.flow import torch_api
from autofix.flow.class_table import weighted
from autofix.flow.facts import Facts
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import uses_in


def brings_new(facts: Facts, part: ast.expr) -> bool:
    """Not `self.fc`, `self.layers[0]` or an argument, whose weights were there before."""
    match part:
        case ast.Starred(value=inner) | ast.ListComp(elt=inner) | ast.DictComp(value=inner):
            return brings_new(facts, inner)
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Dict(values=elts):
            return any(brings_new(facts, each) for each in elts)
        case ast.Attribute() | ast.Subscript(value=ast.Attribute()):
            return False
        case ast.Name():
            return _is_filled_here(facts, part)
        case ast.Call() if _is_container(part, facts):
            given = all_arguments(part)  # an empty one is filled later
            return not given or any(brings_new(facts, each) for each in given)
    return weighted(facts.value(part)) is True


def _is_container(call: ast.Call, facts: Facts) -> bool:
    op = torch_api.module(facts.library_name(call.func) or "")
    return op is not None and op.container


def _is_filled_here(facts: Facts, name: ast.Name) -> bool:
    """Is a local name bound to something with new weights, or a list of such filled?"""
    names = uses_in(facts).names
    stores = [facts.index.parents.get(store) for store in names.stores(name)]
    values = [s.value for s in stores if isinstance(s, (ast.Assign, ast.AugAssign))]
    adders = [facts.index.parents.get(load) for load in names.all_loads(name)]
    calls = [facts.index.parents.get(a) for a in adders if isinstance(a, ast.Attribute)]
    values += [call.args[-1] for call in calls if isinstance(call, ast.Call) and call.args]
    return any(not isinstance(v, ast.Name) and brings_new(facts, v) for v in values)
