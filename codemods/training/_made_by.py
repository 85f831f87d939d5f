"""Calls of this file's own functions and classes that make an optimizer."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from autofix.codemods.training._replaced import may_be_known
from autofix.codemods.training._sorted_out import LISTING, sorted_out
from autofix.flow.class_table import Method, Store, methods_of, self_name, stores_of
from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope, arguments_of, handles
from autofix.flow.index import last_name, root_name
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.roles import optimizer_class, scheduler_class
from autofix.flow.syntax import all_arguments, argument, calls_in
from autofix.flow.turns import held_by_call
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.walk import walk

_HARMLESS = frozenset({"__init__", "super", "to", "list", "filter", "iter"}) | LISTING
"""What is called beside an optimizer, and does nothing to the model."""
_TELLING = re.compile(r"(?i:optim)|Ada|SGD|RMSprop|LBFGS|Rprop|Muon")
_SETTING = (ast.Assign, ast.AnnAssign, ast.Expr, ast.If, ast.Pass)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def held_by_maker(call: ast.Call, scope: Scope, facts: Facts) -> Handles | None:
    """The modules whose parameters the optimizer gets that a function makes and returns, or that an
    object keeps; None where the call makes no optimizer, or does more than that."""
    definitions = uses_in(facts).names.definitions.get(last_name(call.func) or "", [])
    if not definitions and not may_be_known(call, facts):
        return None
    if definitions and (len(definitions) != 1 or not _makes_optimizer(definitions[0], facts)):
        return None
    ref = facts.value(call.func).ref
    if not isinstance(ref, (ClassInfo, Closure)) or isinstance(ref.node, ast.Lambda):
        return None
    if not _makes_optimizer(ref.node, facts):
        return None
    if definitions and ref.node is not definitions[0]:
        return None
    if isinstance(ref, ClassInfo):
        return _held_by_object(call, ref, scope, facts)
    if not isinstance(ref.node, ast.FunctionDef):
        return None
    return _held_by_function(call, ref.node, scope, facts)


@functools.lru_cache(maxsize=256)  # every call asks
def _makes_optimizer(definition: Definition, facts: Facts) -> bool:
    """By the text first, which spares the analysis most functions."""
    if not is_foreign(definition) and not _TELLING.search(facts.source.segment(definition)):
        return False
    return any(_optimizers(definition, facts))


def _optimizers(node: ast.AST, facts: Facts) -> Iterator[ast.Call]:
    return (n for n in walk(node) if isinstance(n, ast.Call) and optimizer_class(n, facts))


def _held_by_function(
    call: ast.Call, function: ast.FunctionDef, scope: Scope, facts: Facts
) -> Handles | None:
    """`get_optimizer("sgd", model.parameters(), 0.1)`, `make_optimizer(model)`"""
    if any(isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) for n in walk(function)):
        return None
    given = [
        part.func.value
        for one in all_arguments(call)
        for part in walk(one)
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr in LISTING
    ]
    if given:
        return NOBODY.union(*(handles(owner, scope, facts) for owner in given)) or None
    inner = Scope(function, arguments_of(call, function, 0, scope, facts))
    return _all_held(function, inner, facts)


def lists_parameters(node: ast.expr) -> bool:
    """`model.parameters()`, or something made of it"""
    return any(isinstance(n, ast.Attribute) and n.attr in LISTING for n in walk(node))


def _held_by_object(call: ast.Call, cls: ClassInfo, scope: Scope, facts: Facts) -> Handles | None:
    """`Trainer(model)`, whose `__init__` sets attributes and makes an optimizer, nothing else."""
    own = [s for s in cls.node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
    if len(own) != 1 or not own[0].args.args:
        return None
    init = own[0]
    inside = [n for n in walk(init) if isinstance(n, ast.Call)]
    if not all(_is_harmless(one, facts) for one in inside):
        return None
    if any(not isinstance(s, (ast.Assign, ast.AnnAssign, ast.Expr)) for s in init.body):
        return None
    return _all_held(init, Scope(init, arguments_of(call, init, 1, scope, facts)), facts)


def _is_harmless(call: ast.Call, facts: Facts) -> bool:
    if last_name(call.func) in _HARMLESS or optimizer_class(call, facts):
        return True
    name = facts.library_name(call.func) or ""
    return bool(scheduler_class(call, facts)) or name.endswith("Loss")


def _all_held(function: ast.FunctionDef, inner: Scope, facts: Facts) -> Handles | None:
    made = list(_optimizers(function, facts))
    if any(_is_listed_otherwise(one, facts) for one in made):
        return None
    held = [held_by_call(one, inner, facts) or sorted_out(one, inner, facts) for one in made]
    known = [one for one in held if one]
    given = NOBODY.union(*inner.arguments.values())
    if not known or len(known) != len(held):
        return None
    parts = (one for one in NOBODY.union(*known) if any(one[: len(g)] == g for g in given))
    return frozenset(parts) or None


def _is_listed_otherwise(call: ast.Call, facts: Facts) -> bool:
    """Is it made in a function within the function, with arguments of its own?"""
    given = argument(call, 0, "params")
    return given is None or isinstance(facts.index.function_of(call), ast.Lambda)


def held_by_method(
    call: ast.Call, facts: Facts
) -> tuple[ast.Attribute, Handles, tuple[Store, ...]] | None:
    """For `self.set_up()`, which nobody else calls: a method of the class that makes an optimizer
    and nothing else. The attribute that keeps it, what it holds, and all that is set."""
    owner, around = facts.index.class_of(call), facts.index.function_of(call)
    if owner is None or not isinstance(around, ast.FunctionDef):
        return None
    named = [m for m in methods_of(owner) if m.name == last_name(call.func)]
    if len(named) != 1 or root_name(call.func) != self_name(around):
        return None
    method = named[0]
    if not _makes_optimizer(method, facts) or len(_callers(method, facts)) != 1:
        return None
    inside = [n for n in walk(method) if isinstance(n, ast.stmt) and n is not method]
    if not all(isinstance(n, _SETTING) for n in inside):
        return None
    if not all(_is_harmless(one, facts) for one in calls_in(method)):
        return None
    stores = stores_of(method, owner)
    optimizers = list(_optimizers(method, facts))
    kept = [s for s in stores if s.value in optimizers]
    held = [held_by_call(one, Scope(method), facts) for one in optimizers]
    known = [one for one in held if one]
    if len({s.attribute for s in kept}) != 1 or not len(known) == len(held) == len(kept):
        return None
    target = kept[0].node
    return (target, NOBODY.union(*known), stores) if isinstance(target, ast.Attribute) else None


def _callers(method: Method, facts: Facts) -> list[ast.Call]:
    """But for methods of other classes that call one of their own by the same name."""
    owner = facts.index.class_of(method)
    return [
        call
        for call in uses_in(facts).names.calls.get(method.name, [])
        if root_name(call.func) != "self" or facts.index.class_of(call) is owner
    ]
