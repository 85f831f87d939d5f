"""Objects that are no Modules, but hold some: kept by a Module, they hide those from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.modules._lines import line_after, statement_in
from autofix.codemods.modules._owners import has_another_owner
from autofix.codemods.modules._reads import reads_of
from autofix.flow.class_table import ClassTable, How, Store, self_name, weighted
from autofix.flow.facts import Facts
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind, Value
from autofix.model import Edit
from autofix.rewrite.names import spell


@dataclass(frozen=True, eq=False)
class Holder:
    attribute: str
    store: Store
    fills: tuple[Store, ...]
    info: ClassInfo
    listed: bool
    """The Module keeps a list of them."""


def may_hold(facts: Facts, node: ast.ClassDef) -> bool:
    """Is there a class without bases in this file, of which the class makes objects?"""
    calls = uses_in(facts).names.calls
    plain = [s.name for s in facts.tree.body if isinstance(s, ast.ClassDef) and not s.bases]
    return any(
        isinstance(call.func, ast.Name) and node in facts.index.ancestors(call)
        for name in plain
        for call in calls.get(name, ())
    )


def holders_in(facts: Facts, table: ClassTable) -> Iterator[Holder]:
    for attribute, stores in table.stores.items():
        roots = [s for s in stores if s.how == How.ASSIGNED]
        fills = [s for s in stores if s.how == How.ADDED]
        if len(roots) != 1 or len(roots) + len(fills) != len(stores):
            continue
        root = roots[0]
        if root.value is None or root.owner is not table.node or root.method.name != "__init__":
            continue
        if any(s.method is not root.method for s in fills):
            continue
        value = facts.value(root.value)
        found = _element(facts, value, fills)
        if found is None or not isinstance(found.ref, Instance):
            continue
        info, listed = found.ref.info, found is not value
        if not _hides(facts, info) or not reads_of(facts, table, attribute):
            continue
        yield Holder(attribute, root, tuple(fills), info, listed)


def _element(facts: Facts, value: Value, fills: list[Store]) -> Value | None:
    if value.kind == Kind.OBJECT and not fills:
        return value
    if value.kind != Kind.SEQUENCE:
        return None
    added = [facts.value(s.value) for s in fills if s.value is not None]
    found = [*([value.elem] if value.elem is not None else []), *added]
    same = found and all(v.kind == Kind.OBJECT and isinstance(v.ref, Instance) for v in found)
    return found[0] if same and len({id(v.ref.info) for v in found}) == 1 else None


def _hides(facts: Facts, info: ClassInfo) -> bool:
    """Has it weights that are no part of something else, and no way of its own to give them to an
    optimizer?"""
    parts = _parts(info)
    if info.bases or info.node.decorator_list or not parts:
        return False
    if not is_foreign(info.node):
        stores = facts.class_table(info.node).stores
        made = [s.value for name, _ in parts for s in stores.get(name, ()) if s.value is not None]
        if any(has_another_owner(facts, value) for value in made):
            return False
    text = {n.attr for n in ast.walk(info.node) if isinstance(n, ast.Attribute)}
    return not text & {"parameters", "named_parameters", "step", "backward", "no_grad", "eval"}


def _parts(info: ClassInfo) -> list[tuple[str, bool]]:
    """The attributes that are modules, and those that are lists of them."""
    found = []
    for name, value in info.table.items():
        elem = value.elem if value.kind == Kind.SEQUENCE else None
        if value.kind == Kind.MODULE and weighted(value):
            found.append((name, False))
        elif elem is not None and elem.kind == Kind.MODULE and weighted(value) is not False:
            found.append((name, True))
    return found


def registered_beside(facts: Facts, table: ClassTable, holder: Holder) -> tuple[Edit, ...] | None:
    """`self.blocks_modules = nn.ModuleList(m for part in self.blocks for m in part.units)`"""
    beside = f"{holder.attribute}_modules"
    if beside in table.stores or beside in table.methods:
        return None
    method = holder.store.method
    me = self_name(method)
    owner = "part" if holder.listed else f"{me}.{holder.attribute}"
    parts = _parts(holder.info)
    items = ", ".join(f"*{owner}.{name}" if many else f"{owner}.{name}" for name, many in parts)
    inside = f"[{items}]"
    if len(parts) == 1 and parts[0][1]:
        inside = items[1:]
    if holder.listed:
        inside = f"m for part in {me}.{holder.attribute} for m in {inside}"
    stores = (holder.store, *holder.fills)
    tops = [statement_in(facts, store.statement, method) for store in stores]
    last = max(tops, key=lambda statement: statement.end_lineno or 0)
    spelling = spell(facts, "torch.nn.ModuleList", last)
    code = f"{me}.{beside} = {spelling.code}({inside})"
    return (line_after(facts, last, code), *spelling.edits)
