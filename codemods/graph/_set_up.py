"""Parameters that are made where a model is put together, rather than on its way to a loss."""

from __future__ import annotations

import ast

from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, Index, last_name
from autofix.flow.objects import Closure
from autofix.flow.syntax import calls_any, calls_in
from autofix.flow.trails import Trail
from autofix.flow.uses import Use, uses_in

_STEPS = frozenset({"forward", "__call__", "training_step"})
_KEEPERS = frozenset({"setattr", "register_parameter", "ParameterList", "ParameterDict"})


def is_set_up(node: ast.Call, facts: Facts) -> bool:
    """Is the Parameter kept by an object, and only by functions that no pass of a model runs (or
    once, before its first)?"""
    if any(_is_in_pass(trail, facts) for trail in facts.trails(node)):
        return False
    if _is_initial(node, facts):
        return True
    kept = [use for use in uses_in(facts).follow(node) if _keeps(use)]
    return bool(kept) and not any(_in_pass(use.user, facts, set()) for use in kept)


def is_set_up_elsewhere(node: ast.Call, facts: Facts) -> bool:
    """Is the Parameter kept by an object, and only set up by one of the calls that lead to it?"""
    kept = _is_initial(node, facts) or any(map(_keeps, uses_in(facts).follow(node)))
    return kept and any(
        len(trail) > 1 and not _is_in_pass(trail, facts) for trail in facts.trails(node)
    )


def is_made_in_passes(node: ast.Call, facts: Facts) -> bool:
    """Do all calls that lead to the Parameter come from the passes of models?"""
    called = [trail for trail in facts.trails(node) if len(trail) > 1]
    return bool(called) and all(_is_in_pass(trail, facts) for trail in called)


def _is_in_pass(trail: Trail, facts: Facts) -> bool:
    for index, node in trail:
        if _in_training_step(node, index):
            return True
        function = index.function_of(node)
        if function is None or _is_done_once(node, index, facts):
            return False
        if function.name in _STEPS:
            return True
    return False


def _is_initial(node: ast.Call, facts: Facts) -> bool:
    """`self.scale = nn.Parameter(...).float()` in `__init__`."""
    function, statement = facts.index.function_of(node), facts.index.statement_of(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    kept = any(isinstance(target, ast.Attribute) for target in targets)
    return kept and function is not None and function.name == "__init__"


def _keeps(use: Use) -> bool:
    return use.stored or (isinstance(use.user, ast.Call) and calls_any(use.user, _KEEPERS))


def _in_pass(node: ast.AST, facts: Facts, seen: set[FunctionNode]) -> bool:
    function = facts.index.function_of(node)
    if _in_training_step(node, facts.index):
        return True
    if function is None or function in seen or _is_done_once(node, facts.index, facts):
        return False
    seen.add(function)
    return function.name in _STEPS or any(
        _in_pass(call, facts, seen) for call in uses_in(facts).calls_of(function)
    )


def _in_training_step(node: ast.AST, index: Index) -> bool:
    """Does the very loop that it is in run a backward pass, or the function further down?"""
    loops, function = index.loops_around(node), index.function_of(node)
    around = loops[0] if loops else function
    return around is not None and any(
        last_name(call.func) == "backward"
        and index.loops_around(call) == loops
        and (loops or (index.function_of(call) is function and call.lineno > _line(node)))
        for call in calls_in(around)
    )


def _line(node: ast.AST) -> int:
    line: int = getattr(node, "lineno", 0)
    return line


def _is_done_once(node: ast.AST, index: Index, facts: Facts) -> bool:
    """`if self.weight is None: ...`, `if not self.built: ...`: asked of what is set there."""
    for around in index.ancestors(node):
        if isinstance(around, FUNCTIONS):
            return _returns_early(node, around)
        if isinstance(around, ast.If) and _asked(around.test) & _set_in(around, facts):
            return True
    return False


def _returns_early(node: ast.AST, function: FunctionNode) -> bool:
    """`if isinstance(self.scale, nn.Parameter): return`, at the beginning of what sets it."""
    inside = ast.walk(function)
    stores = {
        n.attr for n in inside if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
    }
    return any(
        isinstance(statement, ast.If)
        and isinstance(statement.body[-1], ast.Return)
        and statement.lineno < getattr(node, "lineno", 0)
        and bool(_asked(statement.test) & stores)
        for statement in (function.body if isinstance(function.body, list) else ())
    )


def _asked(test: ast.expr) -> set[str]:
    """Attributes that a condition reads, `hasattr` included."""
    names = {n.attr for n in ast.walk(test) if isinstance(n, ast.Attribute)}
    texts = (n.value for n in ast.walk(test) if isinstance(n, ast.Constant))
    return names | {text for text in texts if isinstance(text, str)}


def _set_in(block: ast.If, facts: Facts) -> set[str]:
    """Attributes that a block sets, or the methods of the file that it calls."""
    nodes = list(ast.walk(block))
    for call in calls_in(block):
        ref = facts.value(call.func).ref
        nodes += ast.walk(ref.node) if isinstance(ref, Closure) else ()
    return {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
