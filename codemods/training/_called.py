"""What the functions do to an optimizer that statements call."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.training._groups import GAINS
from autofix.codemods.training._made_by import held_by_maker
from autofix.codemods.training._replaced import Replaced, reads
from autofix.flow.facts import Facts
from autofix.flow.handles import NOBODY, Handles, Scope, any_related, handles
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.modules import identity
from autofix.flow.objects import ClassInfo, Closure
from autofix.flow.roles import optimizer_class
from autofix.flow.syntax import all_arguments, calls_in
from autofix.flow.turns import held_by_call
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in


def _gains(statement: ast.stmt, facts: Facts) -> bool:
    """Is an optimizer that is there given more to train, here or in what is called?"""
    parts = [statement, *_called([statement], facts)]
    return any(GAINS.search(facts.source.segment(one)) for one in parts)


def is_trained_otherwise(
    one: Replaced, later: Sequence[ast.stmt], scope: Scope, facts: Facts
) -> bool:
    """Is there another optimizer, or another group, for what comes in?"""
    if _is_given(one, facts):
        return True
    place: Handles = (
        handles(one.node, scope, facts) if isinstance(one.node, ast.expr) else Handles()
    )
    return gets_another(place, later, scope, facts)


def gets_another(place: Handles, later: Sequence[ast.stmt], scope: Scope, facts: Facts) -> bool:
    """Does one of some statements make an optimizer of a part, or give one more to train?"""
    for statement in later:
        if _gains(statement, facts):
            return True
        for call in calls_in(statement):
            if statement is later[0]:
                continue
            if optimizer_class(call, facts):
                held = held_by_call(call, scope, facts)
                if held is None or any_related(held, place):
                    return True
            elif any_related(held_by_maker(call, scope, facts) or NOBODY, place):
                return True
    return False


def _is_given(one: Replaced, facts: Facts) -> bool:
    """Is it a part that is not to learn: frozen, or only ever called without gradients?"""
    part = one.node
    if not isinstance(part, ast.Attribute) or is_foreign(part):
        return False
    if identity(facts.value(part)) & facts.program.frozen:
        return True
    calls = [
        call
        for read in uses_in(facts).names.attributes.get(part.attr, ())
        if isinstance(call := facts.index.parents.get(read), ast.Call) and call.func is read
        if last_name(read.value) != "self" or _in_one_class(read, part, facts)
    ]
    return bool(calls) and all(without_gradient(facts, call) for call in calls)


def _in_one_class(one: ast.AST, other: ast.AST, facts: Facts) -> bool:
    owner = facts.index.class_of(other)
    return owner is None or facts.index.class_of(one) is owner


def is_handed_to_unknown(
    target: ast.expr, before: Sequence[ast.stmt], later: Sequence[ast.stmt], facts: Facts
) -> bool:
    """Is an optimizer that was at work given to code that cannot be seen, and that was not called
    `before`? It may take the new parameters in."""
    known = {last_name(call.func) for one in before for call in calls_in(one)}
    return any(
        last_name(call.func) not in known
        and not isinstance(facts.value(call.func).ref, (ClassInfo, Closure))
        and not (facts.library_name(call.func) or "").startswith(("builtins.", "torch."))
        and any(reads(target, [ast.Expr(given)], facts) for given in all_arguments(call))
        for one in later
        for call in calls_in(one)
    )


def mentions(
    statements: Sequence[ast.stmt], names: Collection[str], facts: Facts
) -> Iterator[ast.Attribute]:
    """Where methods of this file that statements call read or set attributes of these names."""
    for function in _called(statements, facts):
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr in names:
                yield node


def _called(statements: Sequence[ast.stmt], facts: Facts) -> list[ast.stmt]:
    """The functions and methods that statements call by name, those that they call, and so on."""
    found: list[ast.stmt] = []
    todo = list(statements)
    for one in todo:  # grows while it is read
        for call in calls_in(one):
            for known in _named(call, facts):
                if isinstance(known, FUNCTIONS) and known not in found:
                    found.append(known)
                    todo.append(known)
    return found


def _named(call: ast.Call, facts: Facts) -> list[ast.stmt]:
    """The definitions that a call may mean; of `self.f()` the one in the class, if there is one."""
    known = uses_in(facts).names.definitions.get(last_name(call.func) or "", [])
    owner = facts.index.class_of(call)
    if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "self":
        return [one for one in known if owner and facts.index.class_of(one) is owner] or known
    return known
