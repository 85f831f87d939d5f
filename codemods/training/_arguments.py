"""Which objects a function of this file is called with."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.handles import Handles, Scope, handles
from autofix.flow.index import FunctionNode


def arguments_of(
    call: ast.Call, function: FunctionNode, bound: int, scope: Scope, facts: Facts
) -> dict[str, Handles]:
    """By the names that they have inside; the first `bound` names are not given by the call."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)][bound:]
    found = {n: handles(v, scope, facts) for n, v in zip(names, call.args, strict=False)}
    for keyword in call.keywords:
        if keyword.arg is not None:
            found[keyword.arg] = handles(keyword.value, scope, facts)
    return {name: objects for name, objects in found.items() if objects}
