"""What the functions do to an optimizer that statements call."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from autofix.codemods.training._groups import GAINS
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import calls_in
from autofix.flow.uses import uses_in


def gains(statement: ast.stmt, facts: Facts) -> bool:
    """Is an optimizer that is there given more to train, here or in what is called?"""
    parts = [statement, *_called([statement], facts)]
    return any(GAINS.search(facts.source.segment(one)) for one in parts)


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
