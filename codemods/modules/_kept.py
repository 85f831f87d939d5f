"""Lists and dicts of modules or Parameters that a Module keeps as plain attributes."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.modules._inherited import only_run_through
from autofix.flow.class_table import (
    ClassTable,
    How,
    Method,
    Store,
    methods_of,
    stores_of,
    weighted,
)
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.objects import Instance
from autofix.flow.syntax import is_none
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind, Value
from autofix.flow.walk import walk

_PLAIN = ("int", "float", "bool", "str")
_CONTAINERS = Kind.SEQUENCE | Kind.DICT
_INDEXED = re.compile(r"\.(\w+)\s*\[")
_STARRED = re.compile(r"\*\w+\.(\w+)")
_REARRANGED = re.compile(r"\b(?:dict|list|tuple|iter|sorted|zip|enumerate)\(\w+\.(\w+)")
_BEHIND_IN = re.compile(r"in\b(?<!\win)([^\n]*)")
_RANGE = re.compile(r"range\([^()]*\)")
_ATTRIBUTE = re.compile(r"\.(\w+)")
_FILLING = (How.ELEMENT, How.ADDED, How.AUGMENTED, How.INSIDE)
_MIXED = Kind.NUMBER | Kind.STRING | Kind.FUNCTION | Kind.LIBRARY | Kind.OTHER | Kind.UNKNOWN
"""What may stand in a list beside modules."""


@dataclass(frozen=True, eq=False)
class Kept:
    """An attribute that holds a plain list, tuple, set or dict of parts that have weights."""

    table: ClassTable
    attribute: str
    roots: tuple[Store, ...]
    """Where the container is made."""
    fills: tuple[Store, ...]
    """Where something is put into it."""
    nested: bool
    """It holds lists or dicts of the parts."""
    in_dicts: bool
    """It holds dicts of them."""
    mixed: bool
    """It holds other things, too."""
    certain: bool
    """Some part is known to have weights."""
    made: bool
    """All parts are Parameters or modules already, rather than tensors that require grad."""
    classes: tuple[ast.ClassDef, ...]
    """Those of this file that the parts are of."""
    is_dict: bool
    instead: bool = False
    """On another way it is one module rather than several."""

    @property
    def place(self) -> Store:
        """Where to tell of it: what makes it, or what fills it if that is in another file."""
        return next(s for s in (*self.roots, *self.fills) if not is_foreign(s.owner))


def may_keep(facts: Facts, node: ast.ClassDef) -> bool:
    """By the syntax alone, which spares the analysis most classes."""
    return any(
        _may_be_kept(facts, store)
        for method in methods_of(node)
        for store in stores_of(method, node)
        if node.bases or method.name != "__init__"  # before that of Module has run, perhaps
    )


def is_mixin(facts: Facts, table: ClassTable) -> bool:
    """Is it no Module by itself, but together with a class that is known?"""
    if table.node.bases or table.info is None or "__init__" in table.methods:
        return False
    for stores in table.stores.values():
        facts.value(stores[0].node)  # with it, whoever calls the method
    return bool(heirs(facts, table))


def heirs(facts: Facts, table: ClassTable) -> list[ast.ClassDef]:
    """The Modules that are known to derive from a class without bases."""
    return [
        info.node
        for info in list(facts.program.classes.values())
        if not table.node.bases and info.is_module
        if any(one.node is table.node for one in info.lineage)
    ]


def _may_be_kept(facts: Facts, store: Store) -> bool:
    """Is a container made or filled, or something given that the class takes elements of?"""
    if store.how in _FILLING:
        return True
    if store.how != How.ASSIGNED or not _looks_like_container(store.value):
        return False
    if not isinstance(store.value, (ast.Name, ast.Call, ast.IfExp)):
        return True
    if isinstance(store.value, ast.Name) and _is_said_plain(store.value.id, store.method):
        return False
    return is_foreign(store.owner) or store.attribute in _taken_apart(facts, store.owner)


def _is_said_plain(name: str, method: Method) -> bool:
    """Does an annotation say that an argument is a number or a string?"""
    arguments = (*method.args.args, *method.args.kwonlyargs)
    return any(
        each.arg == name and isinstance(each.annotation, ast.Name) and each.annotation.id in _PLAIN
        for each in arguments
    )


@functools.lru_cache(maxsize=64)
def _taken_apart(facts: Facts, node: ast.ClassDef) -> frozenset[str]:
    """The attributes of which the class takes elements: `a.x[0]`, `in a.x`, `*a.x`."""
    text = facts.source.segment(node)
    found = {*_INDEXED.findall(text), *_STARRED.findall(text), *_REARRANGED.findall(text)}
    for rest in _BEHIND_IN.findall(text):
        found.update(_ATTRIBUTE.findall(_RANGE.sub("", rest)))
    return frozenset(found)


def kept_in(facts: Facts, table: ClassTable, *, parameters: bool) -> Iterator[Kept]:
    """The containers that the class itself makes, or makes of what a base class makes."""
    for attribute, stores in table.stores.items():
        if attribute == "?" or attribute in (table.info.body if table.info else {}):
            continue  # set under a computed name; a property or the like
        assigned = [s for s in stores if s.how == How.ASSIGNED]
        others = [s for s in stores if s.how in (How.REGISTERED, How.BUFFER, How.DELETED)]
        if others or not any(_may_be_kept(facts, s) for s in stores):
            continue
        if not any(_may_be_container(facts, s.value) for s in assigned):
            continue
        roots = [s for s in assigned if _is_container(facts, s)]
        rest = [s for s in assigned if s not in roots and not _is_instead(facts, s, roots)]
        fills = [s for s in stores if s.how in _FILLING]
        if not roots or rest or not any(s.owner is table.node for s in (*roots, *fills)):
            continue
        if not _is_here(facts, table, roots, fills):
            continue  # of another file
        elements, nested = _content(facts, roots, fills)
        if _hold(elements, parameters):
            mixed = any(v.kind & _MIXED for v in elements)
            sure = (parameters or not mixed) and any(v.parameter or weighted(v) for v in elements)
            classes = {v.ref.info.node: None for v in elements if isinstance(v.ref, Instance)}
            dicts = {_is_dict(facts, root.value) for root in roots}
            if len(dicts) > 1:
                continue
            made = all(v.parameter for v in elements if v.is_tensor)
            yield Kept(
                table,
                attribute,
                tuple(roots),
                tuple(fills),
                nested=nested > 0,
                in_dicts=nested == Kind.DICT,
                mixed=mixed,
                certain=sure,
                made=made,
                classes=tuple(classes),
                is_dict=True in dicts,
                instead=any(s not in roots and not is_none(s.value) for s in assigned),
            )


def _is_instead(facts: Facts, store: Store, roots: list[Store]) -> bool:
    """`self.x = None`, or one module on the other branch: `if n == 1: self.x = nn.Linear(2, 2)`."""
    if store.value is None or is_none(store.value):
        return True
    if facts.value(store.value).kind != Kind.MODULE:
        return False
    around = list(facts.index.ancestors(store.statement))
    return all(
        any(
            isinstance(owner, ast.If)
            and owner in around
            and _is_in(owner.body, store.statement) != _is_in(owner.body, root.statement)
            for owner in facts.index.ancestors(root.statement)
        )
        for root in roots
    )


def _is_in(block: list[ast.stmt], statement: ast.stmt) -> bool:
    return any(statement is inner for part in block for inner in walk(part))


def _is_here(facts: Facts, table: ClassTable, roots: list[Store], fills: list[Store]) -> bool:
    """Does this file make and fill the container? Or does it fill one that a base class of another
    file has made, and only runs through?"""
    here = {n for names in uses_in(facts).names.definitions.values() for n in names}
    if any(s.owner not in here for s in fills):
        return False
    others = [s for s in roots if s.owner not in here]
    if not others:
        return True
    return len(roots) == 1 and _is_empty(roots[0].value) and only_run_through(table, roots[0])


def _is_empty(value: ast.expr | None) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict"), args=[], keywords=[]):
            return True
    return False


def _is_dict(facts: Facts, value: ast.expr | None) -> bool:
    if isinstance(value, (ast.Dict, ast.DictComp)):
        return True
    if isinstance(value, ast.Call) and last_name(value.func) in ("dict", "OrderedDict"):
        return True
    return value is not None and facts.value(value).kind == Kind.DICT


def _looks_like_container(value: ast.expr | None) -> bool:
    match value:
        case ast.List() | ast.Tuple() | ast.ListComp() | ast.Dict() | ast.DictComp() | ast.Set():
            return True
        case ast.SetComp() | ast.Name() | ast.Call() | ast.IfExp():
            return True
        case ast.BinOp(left=left, right=right):
            return _looks_like_container(left) or _looks_like_container(right)
    return False


def _may_be_container(facts: Facts, value: ast.expr | None) -> bool:
    """Also without what is called, unless a function of another file surely makes it."""
    if isinstance(value, ast.Call):
        name = last_name(value.func)
        if name in ("list", "tuple", "dict", "OrderedDict", "set", "sorted"):
            return True
        known = name in uses_in(facts).names.definitions
        plain = isinstance(value.func, ast.Name) or (
            isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Name)
        )
        return known or (plain and _makes_container(facts, value))
    return _looks_like_container(value)


def _makes_container(facts: Facts, value: ast.expr) -> bool:
    kind = facts.value(value).kind
    return bool(kind & _CONTAINERS) and not kind & ~_CONTAINERS


def _is_container(facts: Facts, store: Store) -> bool:
    if store.value is None or not _may_be_container(facts, store.value):
        return False
    if is_foreign(store.owner) and _is_empty(store.value):
        return True  # nobody here may have made an object yet
    if _ordered_pairs(store.value) is not None:
        return True
    kind = _value(facts, store.value).kind
    return bool(kind & _CONTAINERS) and not kind & ~_CONTAINERS


def _value(facts: Facts, node: ast.expr) -> Value:
    """Also of `[layer] * n`, whatever the number is."""
    match node:
        case ast.BinOp(left=ast.List() as inner, op=ast.Mult()):
            return facts.value(inner)
        case ast.BinOp(op=ast.Mult(), right=ast.List() as inner):
            return facts.value(inner)
    return facts.value(node)


def _ordered_pairs(node: ast.expr) -> list[ast.expr] | None:
    """The values of `OrderedDict([("a", x), ("b", y)])`."""
    if not isinstance(node, ast.Call) or last_name(node.func) != "OrderedDict" or node.keywords:
        return None
    match node.args:
        case []:
            return []
        case [ast.List(elts=pairs) | ast.Tuple(elts=pairs)]:
            both = [p.elts for p in pairs if isinstance(p, ast.Tuple) and len(p.elts) == 2]
            return [value for _, value in both] if len(both) == len(pairs) else None
    return None


def _root_elements(facts: Facts, node: ast.expr) -> list[Value]:
    pairs = _ordered_pairs(node)
    if pairs is not None:
        return [facts.value(value) for value in pairs]
    return _elements(_value(facts, node))


def _content(facts: Facts, roots: list[Store], fills: list[Store]) -> tuple[list[Value], int]:
    """What the elements are, and of what kind the containers are inside this one that hold them."""
    elements = [v for s in roots if s.value is not None for v in _root_elements(facts, s.value)]
    for store in fills:
        if store.value is None:
            continue
        value = facts.value(store.value)
        called = last_name(store.node.func) if isinstance(store.node, ast.Call) else ""
        several = store.how == How.AUGMENTED or called in ("extend", "update")
        if store.how == How.INSIDE:
            elements.append(value if several else Value(Kind.SEQUENCE, elem=value))
        elif several:
            elements += _elements(value)
        else:
            elements.append(value)
    inside = [v for v in elements if v.kind & _CONTAINERS]
    dicts = bool(inside) and all(v.kind == Kind.DICT for v in elements)
    nested = Kind.DICT if dicts else Kind.SEQUENCE
    if any(v.kind & nested for v in inside):
        elements = [i for v in elements for i in (_elements(v) if v.kind & nested else [v])]
        return elements, nested
    return elements, 0


def _elements(value: Value) -> list[Value]:
    if value.kind == Kind.SEQUENCE and value.items is not None:
        return list(value.items)
    if value.kind == Kind.DICT and value.entries:
        return list(value.entries.values())
    return [value.elem] if value.elem is not None else []


def _hold(elements: list[Value], parameters: bool) -> bool:
    """Is there a part with weights, and nothing that is not known to stand beside such parts?"""
    if parameters:
        found = [v for v in elements if v.kind not in (Kind.NONE, Kind.STRING, Kind.NUMBER)]
        return bool(found) and all(_trains(v) for v in found)
    if any(v.kind & ~(Kind.MODULE | Kind.NONE | _MIXED) for v in elements):
        return False
    if elements and all(v.kind & Kind.UNKNOWN for v in elements):
        return False  # of classes that are looked up, some are Modules: those taken may be others
    parts = [v.but(kind=Kind.MODULE) for v in elements if v.kind & Kind.MODULE]
    return any(weighted(v) is not False for v in parts)


def _trains(value: Value) -> bool:
    leaf = value.leaf and not value.computed  # not one of several, the others computed from it
    return value.is_tensor and leaf and value.graph == Graph.YES
