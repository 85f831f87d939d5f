"""Where the numbers come from that a tensor is made of: literals in the same file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.leaf._set import declares, stored_once
from autofix.flow.facts import Facts
from autofix.flow.given import calls_of, given_to
from autofix.flow.index import last_name
from autofix.flow.objects import Instance
from autofix.flow.syntax import argument, keyword
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in

_DEPTH = 8
_TAKEN = frozenset({"items", "values"})


@dataclass(frozen=True)
class Origin:
    node: ast.expr | None
    """A number, or a list of them; None if it is not known."""
    key: str | None = None
    """The name that it goes by in the group."""
    group: ast.expr | None = None
    """The dict or the call that it is written in, together with others that go the same way."""
    typed: bool = False
    """Is it declared as a float?"""

    @property
    def numbers(self) -> list[int | float] | None:
        return None if self.node is None else numbers_in(self.node)

    @property
    def whole(self) -> bool:
        """Does it make a tensor of integers?"""
        found = self.numbers
        return bool(found) and all(isinstance(n, int) for n in found or ())


def numbers_in(node: ast.expr) -> list[int | float] | None:
    """The numbers of a literal; None if it is anything else."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return [value]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            return numbers_in(inner)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            found = [numbers_in(e) for e in elements]
            known = [numbers for numbers in found if numbers is not None]
            return [n for one in known for n in one] if len(known) == len(found) else None
    return None


def origins(facts: Facts, node: ast.expr) -> list[Origin]:
    found = list(dict.fromkeys(_Search(facts).of(node, _DEPTH)))
    return found or [Origin(None)]


@dataclass(frozen=True)
class _Search:
    facts: Facts

    def of(self, node: ast.expr, depth: int) -> Iterator[Origin]:
        """What a value may have been written as."""
        if numbers_in(node) is not None:
            yield Origin(node)
        elif not depth:
            yield Origin(None)
        elif isinstance(node, ast.Name):
            yield from self._name(node, depth - 1)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key = str(node.slice.value)
            found = [o for o in self._entries(node.value, depth - 1) if o.key == key]
            yield from found or [Origin(None)]
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node, depth - 1)
        elif isinstance(node, ast.IfExp):
            yield from self.of(node.body, depth - 1)
            yield from self.of(node.orelse, depth - 1)
        else:
            yield Origin(None)

    def _name(self, node: ast.Name, depth: int) -> Iterator[Origin]:
        names, parents = uses_in(self.facts).names, self.facts.index.parents
        stores = self._bound_around(node) or [
            s for s in names.stores(node) if node in names.loads(s)
        ]
        for store in stores:
            match parents.get(store):
                case ast.Assign(targets=[only], value=value) if only is store:
                    yield from self.of(value, depth)
                case ast.AnnAssign(value=ast.expr() as value):
                    yield from self.of(value, depth)
                case (
                    ast.For(target=target, iter=many) | ast.comprehension(target=target, iter=many)
                ) if target is store:
                    yield from self._elements(many, depth)
                case ast.Tuple(elts=[_, second]) as both if second is store:
                    loop = parents.get(both)
                    if isinstance(loop, (ast.For, ast.comprehension)):
                        yield from self._pairs(loop.iter, depth)
                    else:
                        yield Origin(None)
                case _:
                    yield Origin(None)
        if not stores:
            yield from self._argument(node, depth)

    def _bound_around(self, node: ast.Name) -> list[ast.Name]:
        """Where a comprehension around it binds the name."""
        return [
            target
            for around in self.facts.index.ancestors(node)
            if isinstance(around, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))
            for generator in around.generators
            for target in ast.walk(generator.target)
            if isinstance(target, ast.Name) and target.id == node.id
        ][:1]

    def _elements(self, many: ast.expr, depth: int) -> Iterator[Origin]:
        match many:
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                for element in elements:
                    yield from self.of(element, depth)
            case ast.Call(func=ast.Attribute(value=owner, attr="values"), args=[]):
                yield from self._entries(owner, depth)
            case ast.Name():
                made = self._made(many)
                if isinstance(made, (ast.List, ast.Tuple)):
                    yield from (Origin(o.node, None, made) for o in self._elements(made, depth))
                else:
                    yield Origin(None)
            case _:
                yield Origin(None)

    def _pairs(self, many: ast.expr, depth: int) -> Iterator[Origin]:
        match many:
            case ast.Call(func=ast.Attribute(value=owner, attr="items"), args=[]):
                yield from self._entries(owner, depth)
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
                yield from self._elements(inner, depth)
            case _:
                yield Origin(None)

    def _entries(self, owner: ast.expr, depth: int) -> Iterator[Origin]:
        """What a dict holds, by its keys."""
        match owner:
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    name = str(key.value) if isinstance(key, ast.Constant) else None
                    yield from (Origin(o.node, name, owner) for o in self.of(value, depth))
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                yield from self._keywords(owner, keywords, frozenset(), depth)
            case ast.Name() if depth:
                made = self._made(owner)
                if made is not None:
                    yield from self._entries(made, depth - 1)
                else:
                    yield from self._given_dict(owner, depth - 1)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if depth:
                stored = stored_once(self.facts, owner, name, attr)
                if stored is not None:
                    yield from self._entries(stored, depth - 1)
                else:
                    yield Origin(None)
            case _:
                yield Origin(None)

    def _keywords(
        self, call: ast.expr, keywords: list[ast.keyword], taken: frozenset[str], depth: int
    ) -> Iterator[Origin]:
        for one in keywords:
            if one.arg is None:
                yield from self._entries(one.value, depth)
            elif one.arg not in taken:
                yield from (Origin(o.node, one.arg, call) for o in self.of(one.value, depth))

    def _given_dict(self, name: ast.Name, depth: int) -> Iterator[Origin]:
        """`constants` of `def f(**constants)`, or a dict that is an argument."""
        function = self._function(name)
        if function is None:
            yield Origin(None)
            return
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        only = [a.arg for a in function.args.kwonlyargs]
        if function.args.kwarg is not None and function.args.kwarg.arg == name.id:
            for call in calls_of(self.facts, function):
                taken = frozenset((*names, *only))
                yield from self._keywords(call, call.keywords, taken, depth)
            return
        for call in calls_of(self.facts, function):
            given = given_to(self.facts, function, call, name.id)
            yield from self._entries(given, depth) if given is not None else [Origin(None)]

    def _made(self, name: ast.Name) -> ast.expr | None:
        stores = uses_in(self.facts).names.stores(name)
        match [self.facts.index.parents.get(s) for s in stores]:
            case [ast.Assign(targets=[ast.Name()], value=value)]:
                return value
            case [ast.AnnAssign(target=ast.Name(), value=value)]:
                return value
        return None

    def _function(self, name: ast.Name) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function that has an argument of that name."""
        function = self.facts.index.function_of(name)
        while function is not None:
            if any(a.arg == name.id for a in _arguments(function)):
                return function
            function = self.facts.index.outer_function(function)
        return None

    def _argument(self, name: ast.Name, depth: int) -> Iterator[Origin]:
        function = self._function(name)
        calls = calls_of(self.facts, function) if function is not None else []
        if function is None or not calls:
            yield Origin(None)
            return
        for call in calls:
            given = given_to(self.facts, function, call, name.id)
            if given is None:
                yield Origin(None)
            for one in self.of(given, depth) if given is not None else ():
                grouped = one.group is None and keyword(call, name.id) is given
                yield Origin(one.node, name.id, call) if grouped else one

    def _attribute(self, node: ast.Attribute, depth: int) -> Iterator[Origin]:
        """`args.rate` of a command line, `config.rate` of a dataclass, `self.rate`."""
        if isinstance(node.value, ast.Name):
            stored = stored_once(self.facts, node, node.value.id, node.attr)
            if stored is not None:
                yield from self.of(stored, depth)
                return
        for call in uses_in(self.facts).names.calls.get("add_argument", ()):
            default = keyword(call, "default")
            flags = [a.value for a in call.args if isinstance(a, ast.Constant)]
            if default is not None and any(
                isinstance(f, str) and f.lstrip("-").replace("-", "_") == node.attr for f in flags
            ):
                typed = keyword(call, "type")
                floats = typed is not None and last_name(typed) == "float"
                known = floats or typed is None
                yield Origin(default if known else None, node.attr, typed=floats)
                return
        yield from self._field(node)

    def _field(self, node: ast.Attribute) -> Iterator[Origin]:
        """A field of a dataclass: its default, and what its objects are made with."""
        ref = self.facts.value(node.value).ref
        cls = ref.info.node if isinstance(ref, Instance) else None
        body = cls.body if cls is not None else []
        field = next((s for s in body if declares(s, node.attr)), None)
        if cls is None or field is None or is_foreign(field):
            yield Origin(None)
            return
        typed = last_name(field.annotation) == "float"
        for call in uses_in(self.facts).names.calls.get(cls.name, ()):
            at = [s for s in cls.body if isinstance(s, ast.AnnAssign)].index(field)
            given = argument(call, at, node.attr)
            yield Origin(given if given is not None else field.value, node.attr, typed=typed)


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [n for n in ast.walk(function.args) if isinstance(n, ast.arg)]
