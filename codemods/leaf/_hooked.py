"""Outputs of layers that a forward hook of this file keeps."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import all_arguments, plain_name
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk

_HOOKS = frozenset({"register_forward_hook", "register_module_forward_hook"})


def is_output_of_layer(facts: Facts, node: ast.expr) -> bool:
    """`self.kept["act"]`, where a forward hook does `self.kept["act"] = output`."""
    name = plain_name(node)
    if not isinstance(node, (ast.Attribute, ast.Subscript)) or name is None:
        return False
    stores = [s for hook in _hooks(facts) for s in _kept_in(hook) if plain_name(s) == name]
    return bool(stores) and any(ast.unparse(s) == ast.unparse(node) for s in stores)


def _hooks(facts: Facts) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of this file that are registered as forward hooks."""
    names = uses_in(facts).names
    given = [
        a for hook in sorted(_HOOKS) for c in names.calls.get(hook, ()) for a in all_arguments(c)
    ]
    wanted = {last_name(a) or "" for a in given}
    return [
        f
        for name in sorted(wanted)
        for f in names.definitions.get(name, ())
        if isinstance(f, FUNCTIONS)
    ]


def _kept_in(hook: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Where the hook puts the output, its last argument, as it is."""
    arguments = [a.arg for a in (*hook.args.posonlyargs, *hook.args.args)]
    return [
        target
        for node in walk(hook)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and node.value.id == arguments[-1]
        and len(arguments) >= 3
        for target in node.targets
    ]
