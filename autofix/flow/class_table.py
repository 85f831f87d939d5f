"""What a class keeps on its objects: every store to `self.<name>`, over its methods and bases.

This is read off the syntax of the class and of its base classes, wherever their nodes come from;
what a stored value is, the analysis says.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from autofix.flow import torch_api
from autofix.flow.index import FUNCTIONS, has_decorator, last_name
from autofix.flow.objects import ClassInfo, Instance
from autofix.flow.syntax import all_arguments
from autofix.flow.values import Kind, Value
from autofix.flow.walk import children, walk

Method = ast.FunctionDef | ast.AsyncFunctionDef


class How(Enum):
    """How something comes to be an attribute."""

    ASSIGNED = "self.x = value"
    AUGMENTED = "self.x += value"
    ELEMENT = "self.x[key] = value"
    ADDED = "self.x.append(value)"
    INSIDE = "self.x[key].append(value)"
    REGISTERED = "self.register_parameter('x', value)"
    BUFFER = "self.register_buffer('x', value)"
    DELETED = "del self.x"


ADDING = frozenset({"append", "extend", "insert", "appendleft", "update", "setdefault", "add"})
_REGISTERING = {
    "register_parameter": How.REGISTERED,
    "add_module": How.REGISTERED,
    "register_module": How.REGISTERED,
    "register_buffer": How.BUFFER,
}
_OWN_BOOKKEEPING = frozenset(
    {"parameters", "named_parameters", "__setattr__", "__getattr__", "__getattribute__"}
    | {"modules", "named_modules", "children", "named_children", "_apply", "__new__"}
)
"""Methods by which a class may list, or register, its parts in a way of its own."""
_BOOKS = frozenset({"_modules", "_parameters", "_buffers"})


@dataclass(frozen=True, eq=False)
class Store:
    """One place that makes, fills or removes an attribute."""

    attribute: str
    how: How
    node: ast.expr
    """The target, or the call that adds or registers."""
    value: ast.expr | None
    statement: ast.stmt
    method: Method
    owner: ast.ClassDef
    key: ast.expr | None = None
    """The index or key of an element."""


@dataclass(eq=False)
class ClassTable:
    """One class with its bases, as far as their code is known."""

    node: ast.ClassDef
    info: ClassInfo | None
    lineage: tuple[ast.ClassDef, ...]
    stores: dict[str, list[Store]] = field(default_factory=dict)
    """By attribute, in the order of the text, the class itself before its bases."""

    def __post_init__(self) -> None:
        for owner in self.lineage:
            for method in methods_of(owner):
                for store in stores_of(method, owner):
                    if store.attribute not in self.managed:
                        self.stores.setdefault(store.attribute, []).append(store)

    @cached_property
    def is_module(self) -> bool | None:
        """Is it a torch.nn.Module? None where a base class is not known."""
        if self.info is None:
            return None
        if self.info.is_module:
            return True
        return None if self.info.foreign_bases else False

    @cached_property
    def may_be_module(self) -> bool:
        """A Module, or a class with a `forward` whose base class is in a file that is not known."""
        if self.is_module is not None or self.info is None or self.info.is_autograd_function:
            return bool(self.is_module)
        return "forward" in self.methods

    @cached_property
    def managed(self) -> frozenset[str]:
        """The properties that run code of their own when they are set."""
        return frozenset(
            method.name
            for owner in self.lineage
            for method in methods_of(owner)
            if has_decorator(method, "setter")
        )

    @cached_property
    def methods(self) -> dict[str, Method]:
        """The nearest definition of each method."""
        found: dict[str, Method] = {}
        for owner in self.lineage:
            for method in methods_of(owner):
                found.setdefault(method.name, method)
        return found

    @cached_property
    def keeps_own_books(self) -> bool:
        """Does the class override what lists or registers the parts of a Module?"""
        return bool(_OWN_BOOKKEEPING & self.methods.keys() or _BOOKS & self.stores.keys())

    def own(self, attribute: str, *hows: How) -> list[Store]:
        """The stores in the body of this very class."""
        return [
            s
            for s in self.stores.get(attribute, ())
            if s.owner is self.node and (not hows or s.how in hows)
        ]


def methods_of(owner: ast.ClassDef) -> list[Method]:
    """Methods, also those that are defined under a condition."""
    found: list[Method] = []
    todo: list[ast.stmt] = list(owner.body)
    for statement in todo:  # grows while it is read
        if isinstance(statement, FUNCTIONS):
            found.append(statement)
        elif isinstance(statement, (ast.If, ast.Try, ast.With)):
            todo += statement.body + getattr(statement, "orelse", [])
    return found


def self_name(method: Method) -> str | None:
    """What a method calls its object."""
    names = [*method.args.posonlyargs, *method.args.args]
    decorators = {last_name(d) for d in method.decorator_list}
    return names[0].arg if names and not decorators & {"staticmethod", "classmethod"} else None


@functools.lru_cache(maxsize=256)  # of a file or two: several rules ask, and the tables
def stores_of(method: Method, owner: ast.ClassDef) -> tuple[Store, ...]:
    me = self_name(method)
    return tuple(
        Store(attribute, how, node, value, statement, method, owner, key)
        for statement, calls in (_statements(method) if me is not None else ())
        for how, node, attribute, value, key in _stored(statement, calls, me or "")
    )


Stored = tuple[How, ast.expr, str, ast.expr | None, ast.expr | None]


def _stored(statement: ast.stmt, calls: list[ast.Call], me: str) -> Iterator[Stored]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _assigned(target, value, me)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield from _assigned(target, value, me)
        case ast.AugAssign(target=target, value=value):
            if (name := attribute_of(target, me)) is not None:
                yield How.AUGMENTED, target, name, value, None
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from _assigned(target, None, me)
        case ast.Delete(targets=targets):
            for target in targets:
                if (name := attribute_of(target, me)) is not None:
                    yield How.DELETED, target, name, None, None
    for call in calls:
        yield from _added(call, me)


def _assigned(target: ast.expr, value: ast.expr | None, me: str) -> Iterator[Stored]:
    match target:
        case ast.Attribute():
            if (name := attribute_of(target, me)) is not None:
                yield How.ASSIGNED, target, name, value, None
        case ast.Subscript(value=inner, slice=key):
            if (name := attribute_of(inner, me)) is not None:
                yield How.ELEMENT, target, name, value, key
        case ast.Tuple(elts=targets) | ast.List(elts=targets):
            values: list[ast.expr | None] = [None] * len(targets)
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(targets):
                values = list(value.elts)
            for each, part in zip(targets, values, strict=True):
                yield from _assigned(each, part, me)
        case ast.Starred(value=inner):
            yield from _assigned(inner, None, me)


def _added(call: ast.Call, me: str) -> Iterator[Stored]:
    func = call.func
    match call:
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=owner), key, given]):
            if owner == me:
                yield How.ASSIGNED, call, _text(key) or "?", given, None
    if not isinstance(func, ast.Attribute):
        return
    if func.attr in ADDING and (name := attribute_of(func.value, me)) is not None:
        last = call.args[-1] if call.args else None
        at = call.args[0] if func.attr in ("insert", "setdefault") and call.args else None
        yield How.ADDED, call, name, last, at
    elif func.attr in ("append", "extend") and isinstance(func.value, ast.Subscript):
        if (name := attribute_of(func.value.value, me)) is not None and call.args:
            yield How.INSIDE, call, name, call.args[-1], func.value.slice
    elif func.attr in _REGISTERING and isinstance(func.value, ast.Name) and func.value.id == me:
        both = all_arguments(call)
        if both:
            part = both[1] if len(both) > 1 else None
            yield _REGISTERING[func.attr], call, _text(both[0]) or "?", part, None


def attribute_of(node: ast.expr, me: str | None) -> str | None:
    """`x` of `self.x`."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == me:
            return name
    return None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _statements(method: Method) -> Iterator[tuple[ast.stmt, list[ast.Call]]]:
    """The statements of a method, each with its own calls, without those in its blocks."""
    blocks: list[ast.AST] = [method]
    for block in blocks:  # grows while it is read
        parts = children(block)
        inner = [part for part in parts if isinstance(part, _BLOCKS)]
        blocks += inner
        if isinstance(block, ast.stmt) and block is not method:
            own = [] if isinstance(block, _DEFINITIONS) else parts
            rest = (part for part in own if not isinstance(part, _BLOCKS))
            yield block, [n for part in rest for n in walk(part) if isinstance(n, ast.Call)]


_DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def weighted(value: Value | None, depth: int = 6) -> bool | None:
    """Does what `value` is have weights to train? None if it is not known."""
    if value is None or not depth:
        return None
    if value.parameter:
        return True
    if value.kind in (Kind.SEQUENCE, Kind.DICT):
        known = [*(value.items or ()), *(value.entries or {}).values()]
        return _any(
            weighted(part, depth - 1) for part in (*known, *(() if known else (value.elem,)))
        )
    if value.kind != Kind.MODULE:
        return False if value.kind in (Kind.NONE, Kind.NUMBER, Kind.STRING) else None
    if isinstance(value.ref, Instance):
        return _class_weighted(value.ref.info, depth - 1)
    if isinstance(value.ref, str):
        op = torch_api.module(value.ref)
        if op is None or not op.container:
            return op.params if op is not None else None
        return _any(weighted(part, depth - 1) for part in value.items or (value.elem,))
    return None


def _class_weighted(info: ClassInfo, depth: int) -> bool | None:
    bases = [torch_api.module(name) for name in info.foreign_bases if name != "torch.nn.Module"]
    found = [base.params if base is not None else None for base in bases]
    called = {
        node.func.attr
        for each in info.lineage
        for node in walk(each.node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    kept = (
        weighted(value, depth)
        for name, value in info.table.items()
        if not value.kind & Kind.UNKNOWN or name in called  # an argument that is no module
    )
    return _any([*found, *kept])


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False
