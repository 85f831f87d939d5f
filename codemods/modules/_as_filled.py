"""Modules that a method is given and puts into a plain list: they are registered as they come."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.modules._elsewhere import reads_of
from autofix.codemods.modules._kept import Kept
from autofix.codemods.modules._lines import line_after
from autofix.flow.class_table import How, Store, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument
from autofix.flow.unit import is_foreign
from autofix.flow.users import users
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Edit
from autofix.rewrite.names import spell


def registered_as_filled(facts: Facts, kept: Kept, beside: str) -> tuple[Edit, ...] | None:
    """`self.parts_modules = nn.ModuleList()` behind `self.parts = []`, and
    `self.parts_modules.append(part)` behind each `self.parts.append((name, part))`."""
    if len(kept.roots) != 1 or kept.is_dict or kept.in_dicts:
        return None
    root = kept.roots[0]
    if is_foreign(root.owner) or not isinstance(root.value, ast.List) or root.value.elts:
        return None
    if any(_is_rearranged(facts, read) for read in reads_of(facts, kept)):
        return None
    spelling = spell(facts, "torch.nn.ModuleList", root.statement)
    made = f"{self_name(root.method)}.{beside} = {spelling.code}()"
    edits = [line_after(facts, root.statement, made), *spelling.edits]
    for fill in kept.fills:
        part = _part(facts, fill)
        if part is None or not _is_always_made_for_it(facts, kept, fill, part):
            return None
        code = f"{self_name(fill.method)}.{beside}.append({part.id})"
        edits.append(line_after(facts, fill.statement, code))
    return tuple(edits)


def _is_rearranged(facts: Facts, read: ast.expr) -> bool:
    """Does anything leave the list, or come in by another way?"""
    around = facts.index.parents.get(read)
    if isinstance(around, ast.Attribute):
        return around.attr != "append"
    return isinstance(around, (ast.Assign, ast.AugAssign, ast.Return, ast.Delete)) or (
        isinstance(around, ast.Subscript) and not isinstance(around.ctx, ast.Load)
    )


def _part(facts: Facts, fill: Store) -> ast.Name | None:
    """The one argument of the method that is put in, by itself or in a tuple."""
    if fill.how != How.ADDED or not isinstance(fill.node, ast.Call):
        return None
    if last_name(fill.node.func) != "append" or not isinstance(fill.statement, ast.Expr):
        return None
    parts = fill.value.elts if isinstance(fill.value, ast.Tuple) else [fill.value]
    found = [p for p in parts if p is not None and facts.value(p).kind & Kind.MODULE]
    if len(found) != 1 or facts.value(found[0]).kind != Kind.MODULE:
        return None
    part = found[0]
    given = {a.arg for a in (*fill.method.args.posonlyargs, *fill.method.args.args)}
    if not isinstance(part, ast.Name) or part.id not in given:
        return None
    return None if uses_in(facts).names.stores(part) else part


def _is_always_made_for_it(facts: Facts, kept: Kept, fill: Store, part: ast.Name) -> bool:
    """Is each module made right in the call of the method, so that nothing else has it?"""
    names = [a.arg for a in (*fill.method.args.posonlyargs, *fill.method.args.args)][1:]
    calls = list(_calls(facts, kept, fill.method.name))
    given = [argument(call, names.index(part.id), part.id) for call in calls]
    return bool(given) and all(isinstance(one, ast.Call) for one in given)


def _calls(facts: Facts, kept: Kept, name: str) -> Iterator[ast.Call]:
    yield from uses_in(facts).names.calls.get(name, ())
    for unit in users(facts, kept.table.node.name):
        for node in unit.index.of_kind(ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == name:
                yield node
