"""A base class in front of `nn.Module` whose `__init__` goes no further."""

from __future__ import annotations

import ast

from autofix.codemods.modules._initialiser import (
    BaseCall,
    Way,
    base_calls,
    class_named,
    is_torch_module,
    looks_right,
    own_initialiser,
    registering,
    runs_base_elsewhere,
)
from autofix.codemods.modules._weights import weights_in
from autofix.flow.class_table import ClassTable, Method, self_name
from autofix.flow.facts import Facts
from autofix.flow.objects import ClassInfo
from autofix.flow.walk import walk
from autofix.model import Applicability
from autofix.rewrite.statements import insert_before
from autofix.rule import Report, fix


def stopped_by_mixin(facts: Facts, table: ClassTable, method: Method) -> Report | None:
    """`class Net(Mixin, nn.Module)`, where `super().__init__()` (or `Mixin.__init__(self)`) runs
    that of `Mixin`, which does not call the next one in its turn."""
    module = next((b for b in table.node.bases[1:] if is_torch_module(facts, b)), None)
    mixin = table.info.bases[0].ref if module and table.info and table.info.bases else None
    if module is None or not isinstance(mixin, ClassInfo) or mixin.foreign_bases or mixin.parents:
        return None
    inner = own_initialiser(mixin.node)
    if inner is None or mixin.node.keywords or mixin.node.decorator_list or _goes_on(inner):
        return None
    calls = base_calls(facts, method)
    if len(calls) != 1 or not (calls[0].way == Way.SUPER or _names(facts, calls[0], mixin)):
        return None
    used = registering(facts, table, method) or "forward" in table.methods
    if not used and not any(True for _ in weights_in(facts, table)):
        return None
    message = f"`{mixin.node.name}.__init__` does not go on to that of `nn.Module`"
    call = f"{facts.source.segment(module)}.__init__({self_name(method)})"
    edit = insert_before(facts, calls[0].statement, call)
    return Report(calls[0].node, message, fix=fix(Applicability.SAFE, edit))


def never_initialised(facts: Facts, table: ClassTable) -> bool:
    """Does nothing run `nn.Module.__init__`? Then a Parameter or Module cannot be set, either."""
    method = own_initialiser(table.node)
    if method is None or looks_right(facts, table.node, method):
        return False
    if stopped_by_mixin(facts, table, method) is not None:
        return True
    return not (base_calls(facts, method) or runs_base_elsewhere(facts, table, method))


def _names(facts: Facts, call: BaseCall, mixin: ClassInfo) -> bool:
    named = class_named(facts, call.named) if call.way == Way.NAMED else None
    return named is not None and named.node is mixin.node


def _goes_on(method: Method) -> bool:
    return any(
        (isinstance(n, ast.Name) and n.id == "super")
        or (isinstance(n, ast.Attribute) and n.attr in ("__init__", "__class__", "__mro__"))
        for n in walk(method)
    )
