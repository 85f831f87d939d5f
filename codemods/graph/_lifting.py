"""Follows a number or array to where it is a tensor again, and rewrites the way there in torch.

What is lifted off its way into a log, a plot or a condition stays what it was: there the export is
made again.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autofix.codemods.graph._exports import Export, Form
from autofix.codemods.graph._intent import is_loss
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._lifted_calls import attribute, passed
from autofix.codemods.graph._lifted_dicts import ANY, stored_under, under_key
from autofix.codemods.graph._lifted_holders import (
    collected,
    element,
    elements,
    is_listed,
    zipped,
)
from autofix.codemods.graph._lifted_rest import kept
from autofix.codemods.graph._lifted_returns import returned
from autofix.codemods.graph._translating import Translator
from autofix.codemods.graph._unwrapping import unwrapped, wrapped
from autofix.codemods.graph._way import OFF, Way
from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.syntax import plain_name
from autofix.flow.uses import Uses, uses_in
from autofix.flow.values import Graph, Kind, Value
from autofix.model import Edit

MOST = 300
"""Expressions that are followed for one export."""


@dataclass(eq=False)
class Lift:
    """The way of one exported value."""

    facts: Facts
    export: Export
    trusting: bool = False
    """A backward pass runs: what is not known to be a tensor or number is a tensor, then."""
    exact: bool = True
    """False once something was taken on trust."""
    partners: list[Value] = field(default_factory=list)
    """What the value is combined with where it is a tensor again; an empty one if it is not."""
    leaves: list[ast.Call] = field(default_factory=list)
    """Constructors on the way that make a new leaf."""
    wide: bool = False
    """A function of numpy was given numbers: what comes out is an array scalar of float64."""
    scalar: bool = False
    """The number came out of an array: numpy keeps its dtype."""
    moved: bool = False
    """The export stands in an argument that an edit writes elsewhere, without what makes it one."""
    listed: bool = False
    """It stands in a list that a constructor reads: that is found there."""
    withheld: bool = False
    """A read that leads to a tensor is left alone: there the numbers may be meant."""
    _seen: dict[tuple[ast.expr, Form, bool], Way] = field(default_factory=dict)

    @cached_property
    def uses(self) -> Uses:
        return uses_in(self.facts)

    @cached_property
    def translator(self) -> Translator:
        return Translator(self.facts, self.facts.value(self.export.read).rank, self.export.cut)

    def run(self) -> Way:
        """The whole way, the removal of the export included."""
        way = self.follow(self.export.whole, self.export.form)
        if not way.joined:
            return OFF
        if self.withheld:
            raise CannotLift("elsewhere its numbers are weights, which may be meant as constants")
        removal = () if self.moved else self._removal()
        edits = (*removal, *self.translator.imports, *way.edits)
        return Way(True, tuple(dict.fromkeys(edits)))

    def _removal(self) -> Sequence[Edit]:
        """The export without what makes it one."""
        facts, export = self.facts, self.export
        after = "" if export.form != Form.NUMBER or self._fits() else ".reshape(())"
        edits = unwrapped(facts, export.whole, export.read, after)
        if export.read is not export.source:
            edits += unwrapped(facts, export.cut, export.source)
        return edits

    def _fits(self) -> bool:
        """Does the tensor stand for its number as it is: 0-d, or stretched by what it meets?"""
        value = self.facts.value(self.export.read)
        if value.shape is None:
            return is_loss(self.export.read)
        if value.shape == ():
            return True
        rank = len(value.shape)
        return all(p.rank is not None and p.rank >= rank for p in self.partners)

    # One expression and what is made of it.

    def follow(self, node: ast.expr, form: Form, mixed: bool = False) -> Way:
        """`node` is lifted. `mixed`: on another path it is still a plain number."""
        key = (node, form, mixed)
        if key in self._seen or len(self._seen) > MOST:
            return self._seen.get(key, OFF)
        self._seen[key] = OFF
        way = self._step(node, form, mixed)
        self._seen[key] = way
        return way

    def _step(self, node: ast.expr, form: Form, mixed: bool) -> Way:
        parent = self.facts.index.parents.get(node)
        match parent:
            case ast.BinOp(left=left, right=right):
                return self._combined(node, right if node is left else left, parent, form, mixed)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                return self.follow(parent, form, mixed)
            case ast.IfExp(test=test) if test is not node:
                return self.follow(parent, form, mixed or form == Form.NUMBER)
            case ast.NamedExpr(target=target):
                return self.both(self.follow(parent, form, mixed), self.bind(target, form, mixed))
            case ast.Compare() if form == Form.ARRAY:
                return self.follow(parent, form)
            case ast.Subscript(value=owner) if owner is node and form != Form.NUMBER:
                return element(self, parent, form, mixed)
            case ast.Dict(keys=keys, values=values) if node in values:
                key = keys[values.index(node)]
                if not isinstance(key, ast.Constant):
                    return OFF
                return under_key(self, parent, key.value, form)
            case ast.List() | ast.Tuple():
                return collected(self, node, parent, form, mixed)
            case ast.ListComp(elt=made) | ast.GeneratorExp(elt=made) if made is node:
                if is_listed(self, node, self.facts.index.parents.get(parent)):
                    return OFF
                return self.follow(parent, Form.NUMBERS) if form == Form.NUMBER else OFF
            case ast.DictComp(value=made) if made is node:
                return under_key(self, parent, ANY, form)
            case ast.comprehension(iter=inner, target=target) if inner is node:
                return elements(self, target, self.facts.index.parents[parent], form)
            case ast.Attribute(attr=name):
                return attribute(self, node, parent, name, form, mixed)
            case ast.keyword(arg=word):
                call = self.facts.index.parents[parent]
                if isinstance(call, ast.Call) and plain_name(call.func) == "dict":
                    return under_key(self, call, word, form)
                return passed(self, node, call, form, mixed) if isinstance(call, ast.Call) else OFF
            case ast.Call(func=ast.Name(id="zip")) if form != Form.NUMBER:
                return zipped(self, node, parent, form)
            case ast.Call(func=func) if func is not node:
                return passed(self, node, parent, form, mixed)
            case ast.stmt():
                return self._stated(node, parent, form, mixed)
        return OFF

    def _stated(self, node: ast.expr, parent: ast.stmt, form: Form, mixed: bool) -> Way:
        match parent:
            case ast.Assign(targets=targets):
                ways = [self.bind(target, form, mixed) for target in targets]
                return self.both(*ways)
            case ast.AnnAssign(target=target):
                return self.bind(target, form, mixed)
            case ast.AugAssign(target=target) if target is not node:
                return self._added(target, form)
            case ast.For(iter=inner, target=target) if inner is node:
                return elements(self, target, parent, form)
            case ast.Return():
                return returned(self, node, form, mixed)
        return OFF

    def both(self, *ways: Way) -> Way:
        edits = [edit for way in ways if way.joined for edit in way.edits]
        return Way(any(way.joined for way in ways), tuple(dict.fromkeys(edits)))

    def _combined(
        self, node: ast.expr, other: ast.expr, whole: ast.BinOp, form: Form, mixed: bool
    ) -> Way:
        """Arithmetic: with a tensor it gives one, with a number or array it is to give one."""
        value = self.facts.value(other)
        result = self.facts.value(whole)
        if isinstance(whole.op, ast.Mod) and value.kind == Kind.STRING:
            return OFF
        if value.kind & Kind.TENSOR or result.is_tensor:
            self.partners.append(value if value.is_tensor else Value())
            return Way(True)
        if isinstance(whole.op, (ast.FloorDiv, ast.Mod)):
            return OFF
        way = self.follow(whole, form if value.kind != Kind.NUMPY else Form.ARRAY, mixed)
        unknown = value.kind & Kind.UNKNOWN and value.graph > Graph.NO
        if not way.joined and unknown and self.trusting:
            self.exact = False
            self.partners.append(value)
            return Way(True)
        lifted = any(cut is self.export.cut for cut in self.facts.cuts_before(other))
        if way.joined and value.kind == Kind.NUMPY and not lifted:
            edits = wrapped(self.facts, other, self.translator.torch("as_tensor", other))
            self.exact = False
            return Way(True, (*way.edits, *edits))
        return way

    def _added(self, target: ast.expr, form: Form) -> Way:
        """`target += node`."""
        before = self.facts.value(target) if isinstance(target, ast.Attribute) else None
        if isinstance(target, ast.Name):
            stores = [s for s in self.uses.names.stores(target) if s is not target]
            known = [self.facts.value(s) for s in stores]
            if known and all(v.is_tensor for v in known):
                self.partners.extend(known)
                return Way(True)
            if any(v.kind & (Kind.SEQUENCE | Kind.NUMPY) for v in known):
                return OFF
            return self.bind(target, form, True)
        if before is not None and before.is_tensor:
            self.partners.append(before)
            return Way(True)
        return OFF

    def bind(self, target: ast.expr, form: Form, mixed: bool) -> Way:
        match target:
            case ast.Name():
                names = self.uses.names
                loads = dict.fromkeys([*names.loads(target), *names.next_turn(target)])
                others = [s for s in self.uses.names.stores(target) if s is not target]
                return self.loads(
                    loads, form, lambda load: mixed or self._may_be_number(load, others)
                )
            case ast.Attribute():
                self.exact = False
                return self.loads(self.uses.attribute_loads(target), form, lambda load: mixed)
            case ast.Tuple(elts=parts) if form == Form.NUMBERS or self._is_flat(form):
                return self.both(*(self.bind(part, Form.NUMBER, mixed) for part in parts))
            case ast.Subscript(value=owner):
                value = self.facts.value(owner)
                if value.is_tensor:
                    self.partners.append(Value())
                    return Way(True)
                if value.kind == Kind.DICT:
                    return stored_under(self, target, form)
        return OFF

    def _is_flat(self, form: Form) -> bool:
        """Are the elements numbers?"""
        return form == Form.ARRAY and self.facts.value(self.export.read).rank == 1

    def _may_be_number(self, load: ast.expr, others: Iterable[ast.Name]) -> bool:
        """Can the read see another binding, of a number that is not lifted?"""
        for store in others:
            if load in self.uses.names.loads(store):
                value = contents(self.facts.value(store)) or Value()
                if value.kind & Kind.NUMBER and not value.cuts:
                    return True
        return False

    def loads(
        self, loads: Iterable[ast.expr], form: Form, mixed: Callable[[ast.expr], bool]
    ) -> Way:
        """Every read of what was bound: those that lead to a tensor go on, others stay numbers."""
        ways = [(load, self.follow(load, form, mixed(load))) for load in loads]
        if not any(way.joined for _, way in ways):
            return OFF
        edits: list[Edit] = []
        for load, way in ways:
            edits += way.edits if way.joined else kept(self, load, form, mixed(load))
        return Way(True, tuple(dict.fromkeys(edits)))

    def leads_on(self, node: ast.expr, form: Form, mixed: bool) -> bool:
        """Is it known already that this read leads to a tensor?"""
        return self._seen.get((node, form, mixed), OFF).joined
