"""Tensors that `__init__` computes from Parameters, once and for all."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow.class_table import How, Method, attribute_of, self_name
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import calls_in, mentions
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.names import unused_name
from autofix.rewrite.statements import insert_above, remove_statement

_RANDOM = ("rand", "normal", "bernoulli", "multinomial", "dropout")


@dataclass(frozen=True, eq=False)
class Composed:
    statement: ast.Assign
    target: ast.Attribute
    readers: tuple[Method, ...]
    """The methods that compute with it."""


def composed_once(facts: Facts, node: ast.Assign) -> Composed | None:
    """`self.scale = self.log_scale.exp()` in `__init__`, which other methods read."""
    target, init = node.targets[0], facts.index.function_of(node)
    if len(node.targets) != 1 or not isinstance(target, ast.Attribute) or init is None:
        return None
    owner, me = facts.index.class_of(node), self_name(init)
    if init.name != "__init__" or owner is None or node not in init.body:
        return None
    name = attribute_of(target, me)
    if name is None or me is None or not _may_move(facts, node.value, me, init):
        return None
    table = facts.class_table(owner)
    others = [s for s in table.stores.get(name, ()) if s.statement is not node]
    if not table.is_module or any(s.how != How.DELETED and s.owner is owner for s in others):
        return None
    value = facts.value(node.value)
    if not value.is_tensor or value.graph != Graph.YES or value.leaf or value.parameter:
        return None
    if _is_view(facts, node.value) or _runs_module(facts, node.value):
        return None
    if _is_of_frozen(facts, node.value, init):
        return None
    readers = _readers(facts, owner, target)
    return Composed(node, target, readers) if readers else None


def _may_move(facts: Facts, value: ast.expr, me: str, init: Method) -> bool:
    """Does it mean the same in another method: nothing but attributes, and no random numbers?"""
    bound = facts.index.bound_names(init)
    names = {n.id for n in walk(value) if isinstance(n, ast.Name)}
    if me not in names or (names - {me}) & bound or isinstance(value, (ast.Name, ast.Attribute)):
        return False
    known = set(dir(builtins)) | set(facts.libraries) | set(uses_in(facts).names.definitions)
    if not names - {me} <= known:
        return False
    return not any(
        (last_name(c.func) or "").startswith(_RANDOM)
        or (last_name(c.func) or "").endswith(("Parameter", "requires_grad_"))
        or any(k.arg == "requires_grad" for k in c.keywords)
        for c in calls_in(value)
    )


def _is_view(facts: Facts, node: ast.expr) -> bool:
    """`self.embedding.weight.t()` shares the memory of the weight, and follows it."""
    storage = facts.value(node).storage
    parts = (n for n in walk(node) if isinstance(n, ast.Attribute) and n is not node)
    return any(facts.value(part).storage & storage for part in parts)


def _is_of_frozen(facts: Facts, node: ast.expr, init: Method) -> bool:
    """No step moves `self.points`, if `__init__` has a `self.points.requires_grad = False`. (What
    is frozen by another method learns at other times.)"""
    flags = ("requires_grad", "requires_grad_")
    if not any(isinstance(n, ast.Attribute) and n.attr in flags for n in walk(init)):
        return False
    read = (facts.value(n) for n in walk(node) if isinstance(n, ast.Attribute))
    weights = [value for value in read if value.parameter]
    return bool(weights) and all(w.storage & facts.program.frozen for w in weights)


def _runs_module(facts: Facts, node: ast.expr) -> bool:
    """A module may have dropout, and states of its own."""
    return any(facts.value(call.func).kind == Kind.MODULE for call in calls_in(node))


def _readers(facts: Facts, owner: ast.ClassDef, target: ast.Attribute) -> tuple[Method, ...]:
    """The methods that read it, if nobody else does."""
    found: dict[Method, None] = {}
    for read in uses_in(facts).names.attributes.get(target.attr, ()):
        method = facts.index.function_of(read)
        mine = facts.index.class_of(read) is owner and isinstance(method, FUNCTIONS)
        if not mine or method is None or method not in owner.body:
            if ast.unparse(read.value) != "super()" and _may_be_one(facts, read, owner):
                return ()
            continue
        if attribute_of(read, self_name(method)) is None:
            continue
        if method.name == "__init__":
            if read.lineno > target.lineno:
                return ()
            continue
        found[method] = None
    return tuple(found)


def _may_be_one(facts: Facts, read: ast.Attribute, owner: ast.ClassDef) -> bool:
    """Is the attribute read of an object that may be of this class?"""
    ref = facts.value(read.value).ref
    info = getattr(ref, "info", None)
    if info is not None:
        return any(i.node is owner for i in info.lineage)
    return not isinstance(ref, str)


def in_each_call(facts: Facts, found: Composed) -> tuple[Edit, ...] | None:
    """The expression goes into the methods that read the result."""
    text = facts.source.segment(found.statement.value)
    removed = remove_statement(facts, found.statement)
    if removed is None or "\n" in text:
        return None
    init = facts.index.function_of(found.statement)
    edits = [removed]
    for method in found.readers:
        if self_name(method) != (self_name(init) if init is not None else None):
            return None
        first = next(_without_docstring(method), None)
        if first is None:
            return None
        name = unused_name(facts, found.target.attr.lstrip("_") or "value", first)
        edits.append(insert_above(facts, first, f"{name} = {text}"))
        edits += [
            Edit(*facts.source.span(r), name) for r in mentions(method, ast.unparse(found.target))
        ]
    return tuple(edits)


def _without_docstring(method: Method) -> Iterator[ast.stmt]:
    for i, statement in enumerate(method.body):
        said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if i or not said:
            yield statement
