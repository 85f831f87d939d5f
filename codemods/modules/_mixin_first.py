"""A base class in front of `nn.Module` whose `__init__` goes no further."""

from __future__ import annotations

import ast

from autofix.codemods.modules._initialiser import (
    Way,
    base_calls,
    is_torch_module,
    own_initialiser,
    registering,
)
from autofix.flow.class_table import ClassTable, Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.objects import ClassInfo
from autofix.flow.walk import walk
from autofix.model import Applicability
from autofix.rewrite.statements import insert_before
from autofix.rule import Report, fix


def stopped_by_mixin(facts: Facts, table: ClassTable, method: Method) -> Report | None:
    """`class Net(Mixin, nn.Module)`, where `super().__init__()` runs that of `Mixin`, which does
    not call the next one in its turn."""
    module = next((b for b in table.node.bases[1:] if is_torch_module(facts, b)), None)
    mixin = table.info.bases[0].ref if module and table.info and table.info.bases else None
    if module is None or not isinstance(mixin, ClassInfo) or mixin.foreign_bases or mixin.parents:
        return None
    inner = own_initialiser(mixin.node)
    if inner is None or mixin.node.keywords or mixin.node.decorator_list or _goes_on(inner):
        return None
    calls = base_calls(facts, method)
    if len(calls) != 1 or calls[0].way != Way.SUPER or not registering(facts, table, method):
        return None
    message = f"`{mixin.node.name}.__init__` does not go on to that of `nn.Module`"
    call = f"{facts.source.segment(module)}.__init__({self_name(method)})"
    edit = insert_before(facts, calls[0].statement, call)
    return Report(calls[0].node, message, fix=fix(Applicability.SAFE, edit))


def _goes_on(method: Method) -> bool:
    return any(
        (isinstance(n, ast.Name) and n.id == "super")
        or (isinstance(n, ast.Attribute) and n.attr in ("__init__", "__class__", "__mro__"))
        for n in walk(method)
    )
