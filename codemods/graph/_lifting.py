"""Follows a number or array to where it is a tensor again, and rewrites the way there in torch.

What is lifted off its way into a log, a plot or a condition stays what it was: there the export is
made again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autofix.codemods.graph._exports import Export, Form
from autofix.codemods.graph._intent import is_loss
from autofix.codemods.graph._landing import CannotLift, landed
from autofix.codemods.graph._translating import Translator
from autofix.codemods.graph._unwrapping import appended, unwrapped, wrapped
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.objects import Closure, Instance
from autofix.flow.uses import Uses, uses_in
from autofix.flow.values import Graph, Kind, Value
from autofix.model import Edit

_TESTS = (ast.If, ast.While, ast.Assert, ast.IfExp, ast.BoolOp)
MOST = 300
"""Expressions that are followed for one export."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where following an expression led: to a tensor or not, and what has to be rewritten."""

    joined: bool = False
    edits: tuple[Edit, ...] = ()


OFF = Way()


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
    listed: bool = False
    """It stands in a list that a constructor reads: that is found there."""
    _seen: dict[tuple[ast.expr, Form, bool], Way] = field(default_factory=dict)

    @cached_property
    def uses(self) -> Uses:
        return uses_in(self.facts)

    @cached_property
    def translator(self) -> Translator:
        return Translator(self.facts)

    def run(self) -> Way:
        """The whole way, the removal of the export included."""
        way = self.follow(self.export.whole, self.export.form)
        if not way.joined:
            return OFF
        edits = (*self._removal(), *self.translator.imports, *way.edits)
        return Way(True, tuple(dict.fromkeys(edits)))

    def _removal(self) -> Sequence[Edit]:
        """The export without what makes it one."""
        facts, export = self.facts, self.export
        after = "" if export.form != Form.NUMBER or self._fits() else ".reshape(())"
        return unwrapped(facts, export.whole, export.source, after)

    def _fits(self) -> bool:
        """Does the tensor stand for its number as it is: 0-d, or stretched by what it meets?"""
        value = self.facts.value(self.export.source)
        if value.shape is None:
            return is_loss(self.export.source)
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
                return self._both(self.follow(parent, form, mixed), self._bind(target, form, mixed))
            case ast.Compare() if form == Form.ARRAY:
                return self.follow(parent, form)
            case ast.Subscript(value=owner) if owner is node and form != Form.NUMBER:
                return self._element(parent, form, mixed)
            case ast.Dict(keys=keys, values=values) if node in values:
                key = keys[values.index(node)]
                return self._in_dict(parent, key, form) if key is not None else OFF
            case ast.List() | ast.Tuple():
                return self._collected(node, parent, form, mixed)
            case ast.ListComp(elt=made) | ast.GeneratorExp(elt=made) if made is node:
                if self._is_listed(node, self.facts.index.parents.get(parent)):
                    return OFF
                return self.follow(parent, Form.NUMBERS) if form == Form.NUMBER else OFF
            case ast.comprehension(iter=inner, target=target) if inner is node:
                return self._elements(target, self.facts.index.parents[parent], form)
            case ast.Attribute(attr=name):
                return self._attribute(node, parent, name, form, mixed)
            case ast.keyword():
                call = self.facts.index.parents[parent]
                return self._passed(node, call, form, mixed) if isinstance(call, ast.Call) else OFF
            case ast.Call(func=func) if func is not node:
                return self._passed(node, parent, form, mixed)
            case ast.stmt():
                return self._stated(node, parent, form, mixed)
        return OFF

    def _stated(self, node: ast.expr, parent: ast.stmt, form: Form, mixed: bool) -> Way:
        match parent:
            case ast.Assign(targets=targets):
                ways = [self._bind(target, form, mixed) for target in targets]
                return self._both(*ways)
            case ast.AnnAssign(target=target):
                return self._bind(target, form, mixed)
            case ast.AugAssign(target=target) if target is not node:
                return self._added(target, form)
            case ast.For(iter=inner, target=target) if inner is node:
                return self._elements(target, parent, form)
            case ast.Return():
                return self._returned(node, form, mixed)
        return OFF

    def _both(self, *ways: Way) -> Way:
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
            return self._bind(target, form, True)
        if before is not None and before.is_tensor:
            self.partners.append(before)
            return Way(True)
        return OFF

    def _bind(self, target: ast.expr, form: Form, mixed: bool) -> Way:
        match target:
            case ast.Name():
                loads = self.uses.names.loads(target)
                others = [s for s in self.uses.names.stores(target) if s is not target]
                return self._loads(
                    loads, form, lambda load: mixed or self._may_be_number(load, others)
                )
            case ast.Attribute():
                self.exact = False
                return self._loads(self.uses.attribute_loads(target), form, lambda load: mixed)
            case ast.Subscript(value=owner):
                value = self.facts.value(owner)
                if value.is_tensor:
                    self.partners.append(Value())
                    return Way(True)
        return OFF

    def _may_be_number(self, load: ast.expr, others: Iterable[ast.Name]) -> bool:
        """Can the read see another binding, of a number that is not lifted?"""
        for store in others:
            if load in self.uses.names.loads(store):
                value = self.facts.value(store)
                if value.kind & Kind.NUMBER and not value.cuts:
                    return True
        return False

    def _loads(self, loads: Iterable[ast.expr], form: Form, mixed: object) -> Way:
        """Every read of what was bound: those that lead to a tensor go on, others stay numbers."""
        assert callable(mixed)
        ways = [(load, self.follow(load, form, mixed(load))) for load in loads]
        if not any(way.joined for _, way in ways):
            return OFF
        edits: list[Edit] = []
        for load, way in ways:
            edits += way.edits if way.joined else self._kept(load, form, mixed(load))
        return Way(True, tuple(dict.fromkeys(edits)))

    def _kept(self, load: ast.expr, form: Form, mixed: bool) -> list[Edit]:
        """What this read gets stays a number or array, if that makes a difference to it."""
        if self._seen.get((load, form, mixed), OFF).joined:
            return []
        parent = self.facts.index.parents.get(load)
        match parent:
            case ast.Expr() | ast.Attribute(attr="append" | "extend"):
                return []
            case ast.Attribute(attr="shape" | "ndim"):
                return []
            case ast.Call(func=ast.Name(id="float" | "len" | "int")):
                return []
            case ast.FormattedValue(conversion=-1) if form == Form.NUMBER:
                return []
            case ast.AugAssign(target=target) if target is load:
                return []
        if form == Form.NUMBER and (
            isinstance(parent, _TESTS)
            or (
                isinstance(parent, ast.Compare)
                and isinstance(self.facts.index.parents.get(parent), _TESTS)
            )
        ):
            return []
        if form == Form.NUMBERS:
            raise CannotLift("a list of the numbers is used as such, too")
        if form == Form.ARRAY:
            return appended(self.facts, load, self.export.how)
        return (
            wrapped(self.facts, load, "float") if mixed else appended(self.facts, load, ".item()")
        )

    def _element(self, whole: ast.Subscript, form: Form, mixed: bool) -> Way:
        if isinstance(whole.ctx, ast.Store):
            return OFF
        if form == Form.NUMBERS and not isinstance(whole.slice, ast.Slice):
            return self.follow(whole, Form.NUMBER, mixed)
        return self.follow(whole, form, mixed)

    def _collected(self, node: ast.expr, parent: ast.expr, form: Form, mixed: bool) -> Way:
        """`(a, node)`: returned or unpacked, or a list of numbers."""
        around = self.facts.index.parents.get(parent)
        match around, parent:
            case ast.Return(), ast.Tuple(elts=parts):
                return self._returned(parent, form, mixed, parts.index(node))
            case ast.Assign(targets=[ast.Tuple(elts=names)]), ast.Tuple(elts=parts) if len(
                names
            ) == len(parts):
                return self._bind(names[parts.index(node)], form, mixed)
            case ast.Call(), ast.List() if form == Form.NUMBER:
                if self._is_listed(node, around):
                    return OFF
                return self._passed(parent, around, Form.NUMBERS, mixed)
        if isinstance(parent, ast.List) and form == Form.NUMBER:
            return self.follow(parent, Form.NUMBERS)
        return OFF

    def _in_dict(self, holder: ast.expr, key: ast.expr, form: Form) -> Way:
        """`{"kl": node}`: what is read under this key, here or where it is returned to."""
        reads: list[ast.expr] = []
        parent = self.facts.index.parents.get(holder)
        held = [holder] if not isinstance(parent, ast.Return) else []
        function = self.facts.index.function_of(holder)
        if isinstance(parent, ast.Return) and function is not None:
            held = list(calls_of(function, self.uses))
        for one in held:
            reads += self._read_under(one, key)
        self.exact = False  # others may read the dict as a whole
        return self._loads(dict.fromkeys(reads), form, lambda load: False)

    def _read_under(self, holder: ast.expr, key: ast.expr) -> list[ast.expr]:
        """`parts["kl"]` where `parts` is bound to the dict."""
        parent = self.facts.index.parents.get(holder)
        if not isinstance(key, ast.Constant):
            return []
        loads: list[ast.expr] = [holder]
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            target = parent.targets[0]
            loads = [*self.uses.names.loads(target)] if isinstance(target, ast.Name) else []
        found: list[ast.expr] = []
        for load in loads:
            match self.facts.index.parents.get(load):
                case ast.Subscript(slice=ast.Constant(value=value)) as read if value == key.value:
                    found.append(read)
        return found

    def _is_listed(self, node: ast.expr, around: ast.AST | None) -> bool:
        """`torch.tensor([node])` reads the tensor behind the export by itself."""
        if node is not self.export.whole or not isinstance(around, ast.Call):
            return False
        name = last_name(around.func)
        self.listed = self.listed or name in LISTED
        return name in LISTED

    def _elements(self, target: ast.expr, loop: ast.AST, form: Form) -> Way:
        if not isinstance(target, ast.Name) or form == Form.NUMBER:
            return OFF
        flat = self.facts.value(self.export.source).rank == 1
        inner = Form.NUMBER if form == Form.NUMBERS or flat else Form.ARRAY
        loads = [
            n
            for n in ast.walk(loop)
            if isinstance(n, ast.Name) and n.id == target.id and isinstance(n.ctx, ast.Load)
        ]
        return self._loads(loads, inner, lambda load: False)

    def _attribute(
        self, node: ast.expr, parent: ast.Attribute, name: str, form: Form, mixed: bool
    ) -> Way:
        if form == Form.ARRAY and name == "T":
            return self.follow(parent, form)
        call = self.facts.index.parents.get(parent)
        if not isinstance(call, ast.Call) or call.func is not parent or form != Form.ARRAY:
            return OFF
        translated = self.translator.method(call, name)
        if translated is None:
            self._refuse_if_joined(call, form, f"`.{name}` of an array")
            return OFF
        after = Form.NUMBER if name == "item" else form
        way = self.follow(call, after)
        return Way(True, (*way.edits, *translated)) if way.joined else OFF

    def _refuse_if_joined(self, call: ast.expr, form: Form, what: str) -> None:
        value = self.facts.value(call)
        if value.kind & (Kind.NUMPY | Kind.NUMBER) and self.follow(call, form).joined:
            raise CannotLift(f"{what} has no counterpart in torch here")

    def _passed(self, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
        """An argument of a call."""
        facts = self.facts
        landing = landed(node, call, form, mixed, facts, self.translator, self.export, self.wide)
        if landing is not None:
            edits, leaf = landing
            self.partners.append(Value())
            if leaf is not None:
                self.leaves.append(leaf)
            return Way(True, tuple(edits))
        if isinstance(call.func, ast.Name) and not self.uses.names.definitions.get(call.func.id):
            found = self._builtin(node, call, call.func.id, form, mixed)
            if found is not None:
                return found
        translated = self.translator.function(call, node, form, mixed)
        if translated is not None:
            after, edits = translated
            is_numpy = (facts.library_name(call.func) or "").startswith("numpy.")
            self.wide = self.wide or (is_numpy and form != Form.ARRAY)
            way = self.follow(call, after)
            return Way(True, (*edits, *way.edits)) if way.joined else OFF
        dotted = facts.library_name(call.func) or ""
        if dotted.startswith(("numpy.", "math.", "scipy.")):
            self._refuse_if_joined(call, form, f"`{facts.source.segment(call.func)}`")
            return OFF
        if dotted.startswith("torch.") or facts.value(call).is_tensor:
            return self._into_torch(node, call, form, mixed)
        if form == Form.NUMBER and last_name(call.func) == "append":
            return self._appended(call)
        return self._received(node, call, form, mixed)

    def _into_torch(self, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
        """A number as the operand of an operation that takes tensors in its place."""
        name = last_name(call.func)
        if form != Form.NUMBER or mixed or name not in _TAKES_EITHER or node not in call.args:
            if name in ("clamp", "clip") and form == Form.NUMBER and len(call.keywords) == 1:
                self.partners.append(Value())
                return Way(not call.args or isinstance(call.func, ast.Attribute))
            return OFF
        self.partners.append(self.facts.value(call.args[0]))
        return Way(True)

    def _builtin(
        self, node: ast.expr, call: ast.Call, name: str, form: Form, mixed: bool
    ) -> Way | None:
        if name == "float" and form != Form.NUMBERS:
            way = self.follow(call, Form.NUMBER, mixed)
            return (
                Way(True, (*unwrapped(self.facts, call, node), *way.edits)) if way.joined else OFF
            )
        if name in ("abs", "max", "min", "pow") and form == Form.NUMBER:
            return self.follow(call, form, mixed or name in ("max", "min"))
        if name == "sum" and form != Form.NUMBER:
            return self.follow(call, Form.NUMBER if form == Form.NUMBERS else form, True)
        if name in ("list", "tuple") and form == Form.NUMBERS:
            return self.follow(call, form)
        if name in ("len", "range", "print", "int", "round", "str", "isinstance", "bool"):
            return OFF
        return None

    def _appended(self, call: ast.Call) -> Way:
        """`numbers.append(node)`."""
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if not isinstance(owner, ast.Name):
            return OFF
        loads = [n for n in self.uses.names.all_loads(owner) if n is not owner]
        return self._loads(loads, Form.NUMBERS, lambda load: False)

    def _received(self, node: ast.expr, call: ast.Call, form: Form, mixed: bool) -> Way:
        """A function of this file: its argument is lifted."""
        name = last_name(call.func)
        if name not in self.uses.names.definitions:
            return OFF
        ref = self.facts.value(call.func).ref
        if not isinstance(ref, Closure) or isinstance(ref.node, ast.Lambda):
            return OFF
        names = [a.arg for a in (*ref.node.args.posonlyargs, *ref.node.args.args)]
        names = names[int(ref.bound_to is not None) :]
        wanted = next((k.arg for k in call.keywords if k.value is node), None)
        if wanted is None and node in call.args and call.args.index(node) < len(names):
            wanted = names[call.args.index(node)]
        loads = self.uses.names.argument_loads(ref.node, wanted)
        alone = len(self.uses.calls_of(ref.node)) == 1
        way = self._loads(loads, form, lambda load: mixed or not alone)
        if way.joined and way.edits and not alone:
            raise CannotLift(f"`{name}` is called with other values as well")
        return way

    def _returned(
        self, node: ast.expr, form: Form, mixed: bool, position: int | None = None
    ) -> Way:
        function = self.facts.index.function_of(node)
        if function is None:
            return OFF
        ways: list[tuple[ast.expr, Way]] = []
        for read in property_reads(function, self.uses) if position is None else ():
            ways.append((read, self.follow(read, form, mixed)))
        for call in calls_of(function, self.uses):
            self.exact = self.exact and form == Form.NUMBER
            if position is None:
                ways.append((call, self.follow(call, form, mixed)))
                continue
            parent = self.facts.index.parents.get(call)
            match parent:
                case ast.Assign(targets=[ast.Tuple(elts=names)]) if position < len(names):
                    ways.append((call, self._bind(names[position], form, mixed)))
                case ast.Subscript(slice=ast.Constant(value=at)) if at == position:
                    ways.append((parent, self.follow(parent, form, mixed)))
        if not any(way.joined for _, way in ways):
            return OFF
        self.exact = False  # whoever else calls it gets a tensor now
        edits: list[Edit] = []
        for call, way in ways:
            if way.joined:
                edits += way.edits
            elif position is None:
                edits += self._kept(call, form, mixed)
        return Way(True, tuple(dict.fromkeys(edits)))


LISTED = frozenset(
    {
        "tensor",
        "as_tensor",
        "asarray",
        "array",
        "Tensor",
        "FloatTensor",
        "DoubleTensor",
        "new_tensor",
    }
)
_TAKES_EITHER = frozenset(
    {"add", "sub", "mul", "div", "pow", "add_", "sub_", "mul_", "div_", "masked_fill", "fill_"}
    | {"multiply", "divide", "subtract", "true_divide"}
)


def property_reads(function: FunctionNode, uses: Uses) -> list[ast.Attribute]:
    """Where the value of a property is read."""
    decorators = getattr(function, "decorator_list", [])
    if not any(last_name(d) in ("property", "cached_property") for d in decorators):
        return []
    owner = uses.facts.index.parents.get(function)
    found = []
    for read in uses.names.attributes.get(getattr(function, "name", ""), ()):
        ref = uses.facts.value(read.value).ref
        if isinstance(ref, Instance) and any(i.node is owner for i in ref.info.lineage):
            found.append(read)
    return found


def calls_of(function: FunctionNode, uses: Uses) -> list[ast.Call]:
    """The calls in this file that surely call `function`; `model(x)` calls its `forward`."""
    found = list(uses.calls_of(function))
    if isinstance(function, FUNCTIONS) and function.name in ("forward", "__call__"):
        owner = uses.facts.index.parents.get(function)
        for calls in uses.names.calls.values() if isinstance(owner, ast.ClassDef) else ():
            for call in calls:
                ref = uses.facts.value(call.func).ref
                if isinstance(ref, Instance) and any(i.node is owner for i in ref.info.lineage):
                    found.append(call)
    return found
