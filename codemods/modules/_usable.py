"""Classes that are made as Modules usually are."""

from __future__ import annotations

import ast

from autofix.codemods.modules._initialiser import plain_bases
from autofix.flow.class_table import ClassTable, Method
from autofix.flow.index import last_name


def usable(table: ClassTable, method: Method) -> bool:
    """Is it made as other classes are? (A dataclass below others would call `__init__` of those,
    which calls `__post_init__` again.)"""
    node, dataclass = table.node, method.name == "__post_init__"
    names = {last_name(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}
    others = {"attrs", "define", "s"} if dataclass else {"dataclass", "attrs", "define", "s"}
    own_making = {"__new__", "__setattr__", "__getattr__", "__getattribute__"}
    return (
        plain_bases(table)
        and not any(_has_maker(owner) for owner in table.lineage)
        and not names & others
        and not own_making & table.methods.keys()
        and not any(_is_dataclass(owner) for owner in table.lineage[dataclass:])
    )


def _has_maker(owner: ast.ClassDef) -> bool:
    """`metaclass=PrePostInit`, which may well call `__init__` of the base class itself."""
    return any(last_name(one.value) != "ABCMeta" for one in owner.keywords)


def _is_dataclass(owner: ast.ClassDef) -> bool:
    names = {last_name(d.func if isinstance(d, ast.Call) else d) for d in owner.decorator_list}
    return "dataclass" in names
