"""What an `__init__` does to call that of its base class."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from enum import Enum

from autofix.codemods.modules._lines import indent_of, statement_in
from autofix.flow.class_table import (
    ClassTable,
    How,
    Method,
    Store,
    attribute_of,
    self_name,
    stores_of,
)
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Edit
from autofix.rewrite.statements import remove_statement


class Way(Enum):
    SUPER = "super().__init__()"
    NAMED = "Base.__init__(self)"
    OLD = "super(Class, self).__init__()"
    NOT_CALLED = "super().__init__"
    NO_OBJECT = "super.__init__()"


@dataclass(frozen=True, slots=True)
class BaseCall:
    way: Way
    node: ast.expr
    """The call, or what should have been one."""
    statement: ast.stmt
    named: ast.expr | None = None
    """The class that is written out."""


def base_calls(facts: Facts, method: Method) -> list[BaseCall]:
    """In the order of the text."""
    found: list[BaseCall] = []
    for node in facts.index.body_nodes(method):
        if not (isinstance(node, ast.Attribute) and node.attr == "__init__"):
            continue
        parent = facts.index.parents.get(node)
        statement = facts.index.statement_of(node)
        if statement is None or facts.index.class_of(node) is not facts.index.class_of(method):
            continue  # of a class that the method defines
        called = isinstance(parent, ast.Call) and parent.func is node
        whole: ast.expr = parent if isinstance(parent, ast.Call) and called else node
        found.append(_classified(node.value, whole, statement, called))
    return sorted(found, key=lambda call: (call.node.lineno, call.node.col_offset))


def _classified(owner: ast.expr, whole: ast.expr, statement: ast.stmt, called: bool) -> BaseCall:
    match owner:
        case ast.Call(func=ast.Name(id="super"), args=args):
            if not called:
                return BaseCall(Way.NOT_CALLED, whole, statement)
            if args:
                return BaseCall(Way.OLD, whole, statement, args[0])
            return BaseCall(Way.SUPER, whole, statement)
        case ast.Name(id="super"):
            return BaseCall(Way.NO_OBJECT, whole, statement)
    return BaseCall(Way.NAMED if called else Way.NOT_CALLED, whole, statement, owner)


def looks_right(facts: Facts, node: ast.ClassDef, method: Method) -> bool:
    """By the syntax alone: nothing is set before the one call, by `super()`; or it is only said
    that there is one: `def __init__(self, config): ...`."""
    if all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in method.body):
        return True
    calls = base_calls(facts, method)
    if len(calls) != 1 or calls[0].way not in (Way.SUPER, Way.OLD):
        return False
    named = calls[0].named
    if named is not None and last_name(named) != node.name:
        return False
    me, line = self_name(method), calls[0].node.lineno
    if any(s.statement.lineno < line for s in stores_of(method, node)):
        return False
    return not any(  # a method that may set what has to be registered
        isinstance(n, ast.Call) and n.lineno < line and attribute_of(n.func, me) is not None
        for n in facts.index.body_nodes(method)
    )


def own_initialiser(node: ast.ClassDef) -> Method | None:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return statement if not statement.decorator_list and self_name(statement) else None
    return None


def plain_bases(table: ClassTable) -> bool:
    """Are all base classes known: torch's own, and classes of this file?"""
    info = table.info
    return info is not None and all(name.startswith("torch.nn.") for name in info.foreign_bases)


def base_initialiser(table: ClassTable) -> ast.FunctionDef | None:
    """The `__init__` that `super().__init__` means, if it is one of this file."""
    for owner in table.lineage[1:]:
        for statement in owner.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                return statement
    return None


def is_torch_module(facts: Facts, node: ast.expr | None) -> bool:
    """`nn.Module` itself."""
    return node is not None and facts.library_name(node) in (
        "torch.nn.Module",
        "torch.nn.modules.module.Module",
        "torch.nn.modules.Module",
    )


def names_class(facts: Facts, node: ast.expr | None, table: ClassTable) -> bool:
    """Does the name mean the class itself? (`super(Class, self)`, `super(self.__class__, self)`)"""
    if node is None:
        return False
    if isinstance(node, ast.Name):
        return node.id in (table.node.name, "__class__")
    return last_name(node) in (table.node.name, "__class__") or isinstance(node, ast.Call)


def class_named(facts: Facts, node: ast.expr | None) -> ClassTable | None:
    """The class of this file that a plain name means beyond doubt."""
    found = uses_in(facts).names.definitions.get(node.id, []) if isinstance(node, ast.Name) else []
    if len(found) != 1 or not isinstance(found[0], ast.ClassDef):
        return None
    return facts.class_table(found[0])


def runs_base_elsewhere(facts: Facts, table: ClassTable, method: Method) -> bool:
    """Might something that `__init__` does, or a subclass, call that of `nn.Module`?"""
    body = [s for s in method.body if not _is_text(s)]
    if body and isinstance(body[0], ast.Raise):
        return True
    name = table.node.name
    for node in facts.index.body_nodes(method):
        if isinstance(node, ast.Attribute) and node.attr in ("__dict__", "__class__"):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            helper = table.methods.get(node.func.attr)
            if helper is not None and base_calls(facts, helper):
                return True
    for other in list(facts.program.classes.values()):
        mixes = len(other.node.bases) > 1 and table.node in (i.node for i in other.lineage[1:])
        if mixes or any(_calls_by_name(facts, m, name) for m in other.methods() if m is not method):
            return True
    return len(table.node.bases) > 1 and base_initialiser(table) is not None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _calls_by_name(facts: Facts, method: Method, name: str) -> bool:
    return any(
        call.named is not None and last_name(call.named) == name
        for call in base_calls(facts, method)
        if call.way == Way.NAMED
    )


def registering(facts: Facts, table: ClassTable, method: Method) -> list[Store]:
    """Where `method` sets what has to be registered, in order."""
    found = [
        store
        for stores in table.stores.values()
        for store in stores
        if store.method is method and _registers(facts, store)
    ]
    return sorted(found, key=lambda store: store.statement.lineno)


def _registers(facts: Facts, store: Store) -> bool:
    if store.how in (How.REGISTERED, How.BUFFER):
        return True
    if store.how != How.ASSIGNED or store.value is None:
        return False
    value = facts.value(store.value)
    return value.kind == Kind.MODULE or (value.is_tensor and value.parameter)


def inserted(facts: Facts, method: Method, code: str) -> tuple[Edit, ...]:
    """`code` as the first statement, behind a docstring."""
    body = method.body
    first = body[1] if len(body) > 1 and _is_text(body[0]) else body[0]
    if _is_text(first):
        end = facts.source.span(first)[1]
        start = facts.source.span(first)[0]
        return (Edit(end, end, facts.source.newline(start) + indent_of(facts, first) + code),)
    start = facts.source.span(first)[0]
    if first.lineno == method.lineno or not _indent_only(facts, start):
        return (Edit(start, start, f"{code}; "),)
    line = start - len(indent_of(facts, first))
    text = f"{indent_of(facts, first)}{code}{facts.source.newline(start)}"
    return (Edit(line, line, text),)


def _indent_only(facts: Facts, start: int) -> bool:
    text = facts.source.text
    return not text[text.rfind("\n", 0, start) + 1 : start].strip()


def moved_up(
    facts: Facts, method: Method, call: BaseCall, before: ast.stmt
) -> tuple[Edit, ...] | str:
    """The edits that put the call in front of what needs it, or why there are none."""
    assert isinstance(call.node, ast.Call)
    wanted = _asked_by_bases(facts, method, call)
    if wanted is not None:
        return f"`__init__` of the base class asks for `{wanted}`, which may need what is set here"
    if not isinstance(call.statement, ast.Expr) or call.statement.value is not call.node:
        return "the call is part of another statement"
    removed = remove_statement(facts, call.statement)
    if removed is None or removed.text:
        return "the call shares its line with another statement"
    code = facts.source.segment(call.node)
    given = all_arguments(call.node)
    plain = call.way != Way.NAMED
    if (plain and not given) or (not plain and len(given) == 1):
        return (*inserted(facts, method, code), removed)
    names = {n.id for each in given for n in ast.walk(each) if isinstance(n, ast.Name)}
    at = statement_in(facts, before, method)
    block = method.body[method.body.index(at) : method.body.index(call.statement)]
    me = self_name(method)
    reads_object = any(isinstance(n, ast.Attribute) for each in given for n in ast.walk(each))
    bound = {
        n.id
        for s in block
        for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    if names & bound or (me in names and reads_object):
        return "its arguments are computed in between"
    start = facts.source.span(at)[0] - len(indent_of(facts, at))
    return (
        Edit(start, start, f"{indent_of(facts, at)}{code}{facts.source.newline(start)}"),
        removed,
    )


def _asked_by_bases(facts: Facts, method: Method, call: BaseCall) -> str | None:
    """A method, or an attribute that is set before the call, that a base's `__init__` reads."""
    owner = facts.index.class_of(method)
    table = facts.class_table(owner) if owner is not None else None
    if table is None:
        return None
    early = {
        name
        for name, stores in table.stores.items()
        if any(s.method is method and s.statement.lineno < call.node.lineno for s in stores)
    }
    for base in table.lineage[1:]:
        made = own_initialiser(base)
        me = self_name(made) if made is not None else None
        for node in ast.walk(made) if made is not None else ():
            name = attribute_of(node, me) if isinstance(node, ast.Attribute) else None
            loaded = isinstance(getattr(node, "ctx", None), ast.Load)
            if name is not None and loaded and name in {*table.methods, *early}:
                return name
    return None


def unbound(facts: Facts, node: ast.expr | None) -> bool:
    """A name that this file gives no meaning at all."""
    if not isinstance(node, ast.Name) or facts.program.star_imports:
        return False
    known = set(uses_in(facts).names.definitions) | set(dir(builtins))
    for other in ast.walk(facts.tree):
        if isinstance(other, ast.Name) and not isinstance(other.ctx, ast.Load):
            known.add(other.id)
        elif isinstance(other, ast.arg):
            known.add(other.arg)
        elif isinstance(other, ast.alias):
            known.add((other.asname or other.name).partition(".")[0])
    return node.id not in known
