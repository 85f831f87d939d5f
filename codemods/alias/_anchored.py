"""Weights and gradients that are kept, without a copy, to compare them with what they are later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._aliases import is_basic
from autofix.codemods.alias._kept_gradient import zeroed
from autofix.codemods.alias._weights import gathered, owner_of, uncut
from autofix.codemods.modules._tier import trained_here
from autofix.flow.facts import Facts
from autofix.flow.given import calls_of, stands_for
from autofix.flow.handles import any_related
from autofix.flow.index import last_name
from autofix.flow.syntax import taken_from
from autofix.flow.uses import uses_in

_DISTANCES = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "dist", "sub"})
_COMPREHENSIONS = (ast.ListComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Anchored:
    holder: ast.Attribute
    each: ast.expr
    """What is kept: `w.data`, or (of each parameter) `p.data`."""
    compared: ast.expr
    """`p - self.anchor[name]`"""


def anchored(facts: Facts, statement: ast.Assign | ast.Expr) -> Anchored | None:
    """`self.anchor = {n: p.data for n, p in net.named_parameters()}`, and `p - self.anchor[n]` in
    another method"""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name()) as holder], value=value):
            found = _kept(facts, value)
        case _:
            one = gathered(facts, statement)
            if one is None or not (one.cut and isinstance(one.holder, ast.Attribute)):
                return None
            holder, found = one.holder, (one.each, one.model)
    if "data" in uses_in(facts).names.stored or holder.attr in ("data", "grad"):
        return None  # the weights get other memory
    if found is None:
        assert isinstance(statement, ast.Assign)
        return _alone(facts, statement, holder)
    each, model = found
    function = facts.index.function_of(statement)
    owner = facts.index.class_of(statement)
    if function is None or not (facts.index.trains or (owner and trained_here(facts, owner))):
        return None
    for read in uses_in(facts).attribute_loads(holder):
        if facts.index.function_of(read) is not function:
            compared = _compared(facts, read, model)
            if compared is not None:
                return Anchored(holder, each, compared)
    return None


def _alone(facts: Facts, statement: ast.Assign, holder: ast.Attribute) -> Anchored | None:
    """`self.last = self.x.data`, and `self.x.data - self.last` in another method or before."""
    part = _part(facts, statement.value)
    inner, cut = uncut(part.whole)
    cut = cut or part.cut
    gradient = isinstance(inner, ast.Attribute) and inner.attr == "grad"
    weight = inner.value if gradient and isinstance(inner, ast.Attribute) else inner
    owner = facts.index.class_of(statement)
    if not (cut or gradient) or not isinstance(weight, ast.Attribute) or owner is None:
        return None
    stores = [
        s
        for s in uses_in(facts).names.stored.get(weight.attr, ())
        if facts.index.class_of(s) is owner
        and not isinstance(facts.index.parents.get(s), ast.AugAssign)
    ]
    made = {getattr(facts.index.function_of(s), "name", "") for s in stores}
    if made - {"__init__"} or (gradient and zeroed(facts) is None):
        return None
    steps = "step" in uses_in(facts).names.calls or trained_here(facts, owner)
    trained = facts.value(weight).leaf and steps
    if not gradient and not trained and not _is_written(facts, weight):
        return None
    if _is_written(facts, holder):
        return None  # by way of it the weight is
    wanted = {(ast.unparse(holder), ""), (ast.unparse(inner), part.index)}
    for node in ast.walk(owner):
        if isinstance(facts.index.statement_of(node), ast.Assert):
            continue
        pair = compared_in(node)
        if pair is not None and isinstance(node, ast.expr):
            other = facts.index.function_of(node) is not facts.index.function_of(statement)
            before = node.lineno < statement.lineno
            parts = [_part(facts, side) for side in pair]
            sides = {(ast.unparse(uncut(one.whole)[0]), one.index) for one in parts}
            if sides == wanted and (other or before):
                return Anchored(holder, statement.value, node)
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    whole: ast.expr
    index: str
    """The slices that give a view of it; nothing where it is the whole."""
    cut: bool
    """`.data` or `.detach()` stands behind them."""


def _part(facts: Facts, node: ast.expr) -> _Part:
    """`w.data` and `:k` of `w.data[:k]`."""
    inner, cut = uncut(node)
    match inner:
        case ast.Subscript(value=whole, slice=index) if is_basic(facts, index):
            return _Part(whole, ast.unparse(index), cut)
    return _Part(node, "", cut)


def _is_written(facts: Facts, weight: ast.Attribute) -> bool:
    """Is it written in place in its class?"""
    text, owner = ast.unparse(weight), facts.index.class_of(weight)
    for read in uses_in(facts).names.attributes.get(weight.attr, ()):
        if facts.index.class_of(read) is not owner or ast.unparse(read) != text:
            continue
        node: ast.AST = read
        parent = facts.index.parents.get(node)
        if isinstance(parent, ast.Attribute) and parent.attr == "data":
            node, parent = parent, facts.index.parents.get(parent)
        if isinstance(parent, ast.Attribute) and parent.attr.endswith("_"):
            return not parent.attr.startswith("_") and parent.attr != "requires_grad_"
    stores = uses_in(facts).names.stored.get(weight.attr, ())
    return any(
        isinstance(facts.index.parents.get(s), ast.AugAssign) and ast.unparse(s) == text
        for s in stores
    )


def _kept(facts: Facts, value: ast.expr, whole: bool = False) -> tuple[ast.expr, ast.expr] | None:
    """What is kept of each parameter of which model; None for copies. If `whole`, it is the
    parameters themselves."""
    match value:
        case ast.Call(func=ast.Name(id="list" | "tuple" | "dict"), args=[inner]):
            model = owner_of(inner) if whole else None
            return _kept(facts, inner, whole) if model is None else (inner, model)
        case ast.ListComp(elt=each) | ast.GeneratorExp(elt=each) | ast.DictComp(value=each):
            inner, cut = uncut(each)
            generator = value.generators[0]
            for name, source in taken_from(generator.target, generator.iter):
                model = _model(facts, source) if cut != whole else None
                if model is not None and ast.unparse(inner) == name.id:
                    return each, model
    return None


def _model(facts: Facts, parameters: ast.expr) -> ast.expr | None:
    """`net` of `net.parameters()`, and of `self.params.items()` where `self.params` is only ever
    `{n: p for n, p in net.named_parameters()}`."""
    model = owner_of(parameters)
    match parameters:
        case ast.Call(func=ast.Attribute(attr="items" | "values", value=held), args=[]):
            pass
        case _:
            held = parameters
    names = uses_in(facts).names
    stores: list[ast.expr] = []
    if isinstance(held, ast.Name):
        stores = list(names.all_stores(held))
    elif isinstance(held, ast.Attribute):
        stores = [
            s
            for s in names.stored.get(held.attr, ())
            if ast.unparse(s) == ast.unparse(held)
            and facts.index.class_of(s) is facts.index.class_of(held)
        ]
    made = facts.index.parents.get(stores[0]) if len(stores) == 1 and model is None else None
    if not isinstance(made, ast.Assign):
        return model
    found = _kept(facts, made.value, whole=True)
    return found[1] if found is not None else None


def _compared(facts: Facts, read: ast.expr, model: ast.expr) -> ast.expr | None:
    """The difference between a parameter of that model and what was kept of it."""
    for difference, pair, names in _differences(facts, read):
        weights = {
            name.id
            for around in facts.index.ancestors(difference)
            for target, source in _loops(around)
            for name, many in taken_from(target, source)
            if (other := _model(facts, many)) is not None and _is_same(facts, model, other)
        }
        sides = [ast.unparse(uncut(side)[0]) for side in pair]
        if any(a in names and b in weights for a, b in (sides, sides[::-1])):
            return difference
    return None


def _is_same(facts: Facts, model: ast.expr, other: ast.expr) -> bool:
    """Are they called alike, and is nothing known that tells them apart?"""
    if ast.unparse(model) != ast.unparse(other):
        return False
    a, b = stands_for(facts, model), stands_for(facts, other)
    if a is None or b is None:
        return False
    argument = isinstance(model, ast.Name)
    called = all(calls_of(facts, f) for f in map(facts.index.function_of, (model, other)) if f)
    return not argument or not called or any_related(a, b)


def _differences(
    facts: Facts, read: ast.expr
) -> Iterator[tuple[ast.expr, list[ast.expr], set[str]]]:
    """Differences of which one side may be what was kept, and how that is called there."""
    names: set[str] = set()
    scopes: list[ast.AST] = []
    parent = facts.index.parents.get(read)
    if isinstance(parent, ast.Subscript) and parent.value is read:
        names.add(ast.unparse(parent))
        statement = facts.index.statement_of(read)
        scopes += [statement] if statement is not None else []
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is parent:
                names.add(name)
                scopes += facts.index.loops_around(statement)[:1]
    for around in facts.index.ancestors(read):
        for target, source in _loops(around):
            taken = {n.id for n, many in taken_from(target, source) if read in ast.walk(many)}
            names |= taken
            scopes += [around] if taken else []
    for scope in scopes:
        for inner in ast.walk(scope):
            pair = compared_in(inner)
            if pair is not None and isinstance(inner, ast.expr):
                yield inner, pair, names


def compared_in(node: ast.AST) -> list[ast.expr] | None:
    """What is compared with what."""
    match node:
        case ast.BinOp(op=ast.Sub(), left=left, right=right):
            return [left, right]
        case ast.Call(func=func, args=[left, right, *_]) if last_name(func) in _DISTANCES:
            return [left, right]
    return None


def _loops(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, (ast.For, ast.AsyncFor)):
        yield node.target, node.iter
    elif isinstance(node, _COMPREHENSIONS):
        yield from ((g.target, g.iter) for g in node.generators)
