"""Where a value goes: through names, attributes, containers, returns and calls of this file.

This is told by the syntax, with the analysis asked only for who is called. Where it cannot tell,
a use is missing rather than invented.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from autofix.flow.attribute_reads import attribute_reads, property_reads
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.objects import ClassInfo, Closure, Instance
from autofix.flow.reaching import Names
from autofix.flow.records import (
    FIRST,
    INSIDE,
    NOT,
    Records,
    held_by_element,
    held_by_result,
)
from autofix.flow.syntax import loads_in, taken_from
from autofix.flow.unit import is_foreign
from autofix.flow.walk import walk

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

MOST = 400
"""Uses that are followed for one value."""

ADDING = frozenset({"append", "appendleft", "add", "insert", "extend", "update", "setdefault"})
_WHOLE = frozenset({"values", "items", "copy"})
_LEAVING = (ast.Return, ast.Yield, ast.YieldFrom)
_ONE = frozenset({"get", "pop", "popitem", "popleft"})


@dataclass(frozen=True, slots=True)
class Use:
    """`user` does something with `node`, which is the value or (`contained`) holds it. If `stored`,
    `node` is where the value is put rather than an expression that gives it."""

    node: ast.expr
    user: ast.AST
    contained: bool = False
    stored: bool = False
    origin: ast.expr | None = None
    """The call, or read of a property, by which the value came out of the function that makes it:
    another one makes another value."""


Step = Use | tuple[ast.expr, int]


@dataclass(eq=False)
class Uses:
    """Follows values through one module."""

    facts: Facts
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.facts.index)

    @cached_property
    def records(self) -> Records:
        return Records(self.names)

    def follow(
        self, node: ast.expr, origin: ast.expr | None = None, *, held: int = NOT
    ) -> list[Use]:
        """Every place where the value of `node`, or (`held`) what it holds, stops being merely
        handed on."""
        todo: list[tuple[ast.expr, int, ast.expr | None]] = [(node, held, origin)]
        seen = set(todo)
        found: dict[Use, None] = {}
        while todo and len(seen) < MOST:
            at, how, origin = todo.pop()
            leaves = self._leaves(at, origin or node)
            for step in self._step(at, how):
                if isinstance(step, Use):
                    found[replace(step, origin=origin)] = None
                    continue
                outside = step[0] if leaves else origin
                if (item := (*step, outside)) not in seen:
                    seen.add(item)
                    todo.append(item)
        return list(found)

    def _leaves(self, node: ast.expr, made: ast.expr) -> bool:
        """Is it returned by the function that makes it, and not by one that reads where it was
        put?"""
        index = self.facts.index
        leaves = isinstance(index.parents.get(node), _LEAVING)
        return leaves and index.function_of(node) is index.function_of(made)

    def _step(self, node: ast.expr, held: int) -> Iterator[Step]:
        parent = self.facts.index.parents.get(node)
        match parent:
            case ast.IfExp(test=test) if test is not node:
                yield parent, held
            case ast.BoolOp() | ast.Await():
                yield parent, held
            case ast.BinOp(op=ast.Add()) if held:
                yield parent, True
            case ast.NamedExpr():
                yield parent, held
                yield from self._bind(parent.target, parent, held)
            case ast.Starred() | ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
                yield from self._collected(node, parent)
            case (
                ast.ListComp(elt=made)
                | ast.SetComp(elt=made)
                | ast.GeneratorExp(elt=made)
                | ast.DictComp(value=made)
            ) if made is node:
                yield parent, INSIDE
            case ast.comprehension(iter=inner, target=target) if inner is node and held:
                yield from self._elements(target, inner, self.facts.index.parents[parent])
            case ast.Yield() | ast.YieldFrom():
                yield from self._left(node, held, parent)
            case ast.Subscript(value=owner, ctx=ast.Load()) if owner is node and held:
                if not self.records.another(parent.slice, held):
                    yield parent, isinstance(parent.slice, ast.Slice)
            case ast.Attribute(attr=name) if held or name in self.records.places:
                yield from self._taken_out(parent, node, held)
            case ast.keyword():
                taker = self.facts.index.parents[parent]
                if isinstance(taker, ast.Call):
                    yield from self._passed(node, taker, parent.arg, held)
            case ast.Call(func=func) if func is not node:
                yield from self._passed(node, parent, None, held)
            case ast.stmt():
                yield from self._stated(node, held, parent)
            case _ if parent is not None:
                yield Use(node, parent, bool(held))

    def _stated(self, node: ast.expr, held: int, parent: ast.stmt) -> Iterator[Step]:
        match parent:
            case ast.For(iter=inner, target=target) if inner is node and held:
                yield from self._elements(target, inner, parent)
            case ast.Assign(targets=targets):
                for target in targets:
                    yield from self._bind(target, parent, held)
            case ast.AnnAssign(target=target):
                yield from self._bind(target, parent, held)
            case ast.AugAssign(target=target) if held and target is not node:
                yield from self._contents(target, parent)
            case ast.Return():
                yield from self._left(node, held, parent)
            case ast.Expr():
                pass
            case _:
                yield Use(node, parent, bool(held))

    def _left(self, node: ast.expr, held: int, parent: ast.AST) -> Iterator[Step]:
        """Returned or yielded: it is what the calls of the function, or reads of the property,
        give."""
        yield Use(node, parent, bool(held))
        function = self.facts.index.function_of(node)
        for call in self.calls_of(function):
            yield call, held or isinstance(parent, ast.Yield)
        for read in self.property_reads(function):
            yield read, held

    def _collected(self, node: ast.expr, parent: ast.expr) -> Iterator[Step]:
        """`[a, node]`; of a tuple it is known where in it the value is."""
        spread = [e for e in getattr(parent, "elts", ()) if isinstance(e, ast.Starred)]
        if isinstance(parent, ast.Tuple) and not spread:
            yield parent, FIRST + parent.elts.index(node)
        elif isinstance(parent, ast.Dict) and node in parent.values:
            yield parent, self.records.by_key(parent.keys[parent.values.index(node)])
        else:
            yield parent, INSIDE

    def _bind(self, target: ast.expr, at: ast.AST, held: int) -> Iterator[Step]:
        match target:
            case ast.Name():
                for load in self.names.loads(target):
                    yield load, held
            case ast.Attribute():
                yield Use(target, at, bool(held), stored=True)
                for read in self.attribute_loads(target):
                    yield read, held
            case ast.Subscript(value=owner, slice=index):
                yield from self._contents(owner, at, self.records.by_key(index))
            case ast.Tuple() | ast.List():
                starred = any(isinstance(e, ast.Starred) for e in target.elts)
                for i, element in enumerate(target.elts):
                    if held and (starred or held in (INSIDE, FIRST + i)):
                        yield from self._bind(element, at, NOT)

    def _contents(self, owner: ast.expr, at: ast.AST, held: int = INSIDE) -> Iterator[Step]:
        """The list or dict that `owner` refers to now holds the value."""
        if isinstance(owner, ast.Name):
            for load in self.names.all_loads(owner):
                if load is not owner:
                    yield load, held
        elif isinstance(owner, ast.Attribute):
            yield Use(owner, at, True, stored=True)
            for read in self.attribute_loads(owner):
                if read is not owner:
                    yield read, held

    def _elements(self, target: ast.expr, of: ast.expr, loop: ast.AST) -> Iterator[Step]:
        """`for target in container`: what the loop calls each element."""
        held = held_by_element(of) if isinstance(target, ast.Name) else NOT
        for load in loads_in(loop, {n.id for n in walk(target) if isinstance(n, ast.Name)}):
            yield load, held

    def _paired(self, node: ast.expr, call: ast.Call) -> list[Step] | None:
        """`for x, y in zip(xs, ys)`: the reads of the name that takes the elements of `node`."""
        loop = scope = self.facts.index.parents.get(call)
        if isinstance(loop, ast.comprehension):
            scope = self.facts.index.parents[loop]
        elif not isinstance(loop, (ast.For, ast.AsyncFor)):
            return None
        taken = taken_from(loop.target, call) if loop.iter is call and scope is not None else ()
        names = [name.id for name, many in taken if many is node]
        return [(load, NOT) for load in loads_in(scope, names)] if names and scope else None

    def _taken_out(self, attribute: ast.Attribute, node: ast.expr, held: int) -> Iterator[Step]:
        if attribute.attr in self.records.places:
            if held < FIRST or held - FIRST in self.records.places[attribute.attr]:
                yield attribute, NOT
            return
        call = self.facts.index.parents.get(attribute)
        is_call = isinstance(call, ast.Call) and call.func is attribute
        if isinstance(call, ast.Call) and is_call and attribute.attr in _WHOLE:
            yield call, INSIDE
        elif isinstance(call, ast.Call) and is_call and attribute.attr in _ONE:
            if not call.args or not self.records.another(call.args[0], held):
                yield call, NOT
        else:
            yield Use(node, attribute, True)

    def _passed(
        self, node: ast.expr, call: ast.Call, keyword: str | None, held: int
    ) -> Iterator[Step]:
        """An argument: of a container's constructor or method, or of code of this file."""
        name = last_name(call.func)
        if name == "zip" and (paired := self._paired(node, call)) is not None:
            yield from paired
            return
        if (after := held_by_result(call, held)) is not None:
            yield call, after
            return
        if isinstance(call.func, ast.Name) and name in self.records.fields:
            yield call, self.records.held_by(node, call, keyword)
            return
        yield Use(node, call, bool(held))
        if isinstance(call.func, ast.Attribute) and name in ADDING:
            yield from self._contents(call.func.value, call)
        elif name in self.names.definitions:
            yield from self._received(node, call, keyword, held)

    def _received(
        self, node: ast.expr, call: ast.Call, keyword: str | None, held: int
    ) -> Iterator[Step]:
        known = self.names.function_named(call.func)
        ref = Closure(known) if known is not None else self.facts.value(call.func).ref
        if isinstance(ref, ClassInfo):
            found = ref.find("__init__")
            if found is None or not isinstance(found.ref, Closure):
                yield from self._field(node, call, keyword, ref, held)
                return
            function, skip = found.ref.node, 1
        elif isinstance(ref, Closure):
            function, skip = ref.node, int(ref.bound_to is not None)
        else:
            return
        if is_foreign(function):
            return
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)][skip:]
        at = call.args.index(node) if node in call.args else None
        wanted = keyword if keyword else names[at] if at is not None and at < len(names) else None
        for load in self.names.argument_loads(function, wanted):
            yield load, held

    def _field(
        self, node: ast.expr, call: ast.Call, keyword: str | None, info: ClassInfo, held: int
    ) -> Iterator[Step]:
        """A dataclass or named tuple keeps its arguments as attributes."""
        fields = [
            s.target.id
            for s in info.node.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        ]
        at = call.args.index(node) if node in call.args else len(fields)
        name = keyword or (fields[at] if at < len(fields) else None)
        for read in self.names.attributes.get(name or "", ()):
            owner = self.facts.value(read.value).ref
            if isinstance(owner, Instance) and owner.info is info:
                yield read, held

    def attribute_loads(self, target: ast.Attribute) -> list[ast.Attribute]:
        return attribute_reads(self.facts, self.names, target)

    def property_reads(self, function: FunctionNode | None) -> list[ast.Attribute]:
        return property_reads(self.facts, self.names, function)

    def calls_of(self, function: FunctionNode | None) -> list[ast.Call]:
        """The calls in this file that surely call `function`."""
        if not isinstance(function, FUNCTIONS):
            return []
        found = []
        for call in self.names.calls.get(function.name, ()):
            ref = self.facts.value(call.func).ref
            if isinstance(ref, Closure) and ref.node is function:
                found.append(call)
        return found


@functools.lru_cache(maxsize=1)
def uses_in(facts: Facts) -> Uses:
    """The one `Uses` of a module, whoever asks."""
    return Uses(facts)
