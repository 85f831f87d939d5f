"""Does a program ask of what it sums up or keeps what only tensors have?"""

from __future__ import annotations

import ast

from autofix.codemods.training._graphs import Graphs, key_of
from autofix.flow.facts import Facts
from autofix.flow.uses import uses_in


def is_treated_as_tensor(graphs: Graphs, key: str) -> bool:
    """Does the code ask of the sum what no float has: `total.cpu()`? Or what it is? Or of the parts
    of a list: `mean(losses).item()`, `torch.stack(losses)`, `[x.item() for x in losses]`?"""
    facts = graphs.facts
    for read in ast.walk(graphs.scope):
        if not isinstance(read, (ast.Name, ast.Attribute)) or key_of(read) != key:
            continue
        match facts.index.parents.get(read):
            case (
                ast.Call(func=ast.Name(id="isinstance"))
                | ast.Call(func=ast.Attribute(attr="is_tensor"))
            ):
                return True
            case ast.Call(func=func) as call if read in call.args:
                library = facts.library_name(func) or ""
                if library.startswith("torch.") or _of_tensor(call, facts):
                    return True
                if _is_asked_later(call, facts):
                    return True
            case ast.Subscript() as element if _of_tensor(element, facts):
                return True
            case ast.For(target=ast.Name() as each) | ast.comprehension(target=ast.Name() as each):
                loads = uses_in(facts).names.all_loads(each)
                if any(_of_tensor(load, facts) for load in loads):
                    return True
            case _ if _of_tensor(read, facts, (list, dict)):
                return True
    return False


def _is_asked_later(call: ast.Call, facts: Facts) -> bool:
    """`reduced = reduce_over_ranks(sums)`, and `reduced["loss"].item()`"""
    statement = facts.index.parents.get(call)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(target, ast.Name):
        return False
    parents = [facts.index.parents.get(load) for load in uses_in(facts).names.loads(target)]
    return any(isinstance(p, ast.Subscript) and _of_tensor(p, facts) for p in parents)


def _of_tensor(node: ast.expr, facts: Facts, others: tuple[type, ...] = ()) -> bool:
    parent = facts.index.parents.get(node)
    named = isinstance(parent, ast.Attribute)
    return named and not any(hasattr(kind, parent.attr) for kind in (float, *others))  # type: ignore[union-attr]
