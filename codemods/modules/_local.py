"""The edits that give what `forward` computes from a Parameter a name of its own."""

from __future__ import annotations

import ast

from autofix.codemods.modules._overwritten import Change, Overwritten
from autofix.flow.facts import Facts
from autofix.flow.syntax import mentions
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.names import unused_name


def used_in_this_call(facts: Facts, found: Overwritten) -> tuple[Edit, ...] | str:
    """`alpha = self.alpha.clamp(0, 1)` for `self.alpha = nn.Parameter(self.alpha.clamp(0, 1))`,
    with `alpha` wherever the method goes on to read `self.alpha`; or why not."""
    method = facts.index.function_of(found.statement)
    target = found.target
    if not isinstance(target, ast.Attribute):
        return "it is set by its name"
    if method is None or found.statement not in getattr(method, "body", ()):
        return "it is set on a condition: whether the Parameter should change is not known"
    if _stores(facts, found, target) != [target]:
        return "it is set more than once"
    if _read_elsewhere(facts, found, target):
        return "other methods read it: whether the Parameter should change is not known"
    name = unused_name(facts, target.attr.lstrip("_") or "value", found.statement)
    later = [
        n
        for n in mentions(method, ast.unparse(target))
        if n.lineno > (found.statement.end_lineno or 0)
    ]
    if not later:
        return "nothing reads it: whether the Parameter should change is not known"
    edits = [Edit(*facts.source.span(node), name) for node in (target, *later)]
    return (*edits, *_unwrapped(facts, found))


def _unwrapped(facts: Facts, found: Overwritten) -> tuple[Edit, ...]:
    call, data = found.statement.value, found.data
    if found.change != Change.MADE_ANEW or not isinstance(call, ast.Call):
        return ()
    if "\n" in facts.source.segment(call):  # its parentheses stay, comments too
        return (Edit(*facts.source.span(call.func), ""),)
    (start, end), (a, b) = facts.source.span(call), facts.source.span(data)
    return (Edit(start, a, ""), Edit(b, end, ""))


def _stores(facts: Facts, found: Overwritten, target: ast.Attribute) -> list[ast.Attribute]:
    method = facts.index.function_of(found.statement)
    stored = uses_in(facts).names.stored.get(target.attr, ())
    return [s for s in stored if facts.index.function_of(s) is method]


def _read_elsewhere(facts: Facts, found: Overwritten, target: ast.Attribute) -> bool:
    """Does another method than `__init__` read it as an attribute of the same object?"""
    method, owner = (f(found.statement) for f in (facts.index.function_of, facts.index.class_of))
    return any(
        facts.index.class_of(read) is owner
        and facts.index.function_of(read) is not method
        and getattr(facts.index.function_of(read), "name", "") != "__init__"
        and ast.unparse(read.value) == ast.unparse(target.value)
        for read in uses_in(facts).names.attributes.get(target.attr, ())
    )
