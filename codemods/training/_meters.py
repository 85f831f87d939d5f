"""Meters of other files that add up, or list, what they are handed."""

from __future__ import annotations

import ast

from autofix.flow.class_table import Method, methods_of
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS
from autofix.flow.objects import Closure, Instance
from autofix.flow.uses import ADDING
from autofix.flow.walk import walk
from autofix.source import Line


def handed_to_meter(call: ast.Call, facts: Facts) -> list[ast.expr]:
    """The arguments that a method in another file keeps in its object from call to call, as they
    are: `self.sum += value * n`, `self.values.append(value)`; or part by part: `self.sums[k] +=
    values[k]`. An object that is called is one, too: `tracker(n, loss=loss)`."""
    if not call.args and not call.keywords:
        return []
    method = _method(call.func, facts)
    if method is None or not isinstance(line := method.lineno, Line):
        return []
    module = facts.program.modules.at(line.path)
    kept = _kept_by(method, module.unit.index.tree if module is not None else None)
    names = _arguments(method)
    given = list(zip(names, call.args, strict=False))
    others = method.args.kwarg.arg if method.args.kwarg is not None else None
    for keyword in call.keywords:
        name = keyword.arg if keyword.arg in names else others
        if keyword.arg is not None and name is not None:
            given.append((name, keyword.value))
    return [value for name, value in given if name in kept]


def _method(func: ast.expr, facts: Facts) -> Method | None:
    """What a call runs of an object of another file."""
    ref = facts.value(func).ref
    if isinstance(ref, Instance) and not ref.info.is_module:
        found = ref.info.find("__call__")
        ref = found.ref if found is not None else None
    elif not isinstance(func, ast.Attribute) or not isinstance(ref, Closure) or not ref.bound_to:
        return None
    node = ref.node if isinstance(ref, Closure) else None
    known = isinstance(node, FUNCTIONS) and bool(node.args.args or node.args.posonlyargs)
    return node if isinstance(node, FUNCTIONS) and known else None


def _arguments(method: Method) -> list[str]:
    return [a.arg for a in (*method.args.posonlyargs, *method.args.args)][1:]


def _kept_by(method: Method, tree: ast.Module | None) -> set[str]:
    """The arguments that go into the object. `tree`: where the methods stand that they are handed
    on to, if that is looked at."""
    me = next(a.arg for a in (*method.args.posonlyargs, *method.args.args))
    if any(getattr(node, "attr", None) == "no_grad" for node in ast.walk(method)):
        return set()  # what it adds up has no graph there
    parts = {name: whole for node in walk(method) for name, whole in _parts(node).items()}
    stored = [
        n.id for n in walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    kept: set[str] = set()
    for node in walk(method):
        handed = _handed_on(node, me, method, tree) if tree is not None else None
        kept |= _kept(node, me) if handed is None else handed
    # The name of a part is set by its loop, and once more where its value is taken out first.
    return {parts.get(n, n) for n in kept if stored.count(n) == (n in parts)} - {*stored}


def _handed_on(node: ast.AST, me: str, method: Method, tree: ast.Module) -> set[str] | None:
    """`value` of `self.meters.setdefault(name, Meter()).update(value, n)`, if all the methods of
    that name keep it; None where nothing is handed on."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if _is_element(owner, me):
            pass
        case _:
            return None
    classes = [cls for cls in tree.body if isinstance(cls, ast.ClassDef)]
    named = [m for cls in classes for m in methods_of(cls) if m.name == name and m is not method]
    found: list[set[str]] = []
    for other in named:
        given = [*zip(_arguments(other), node.args, strict=False)]
        given += [(keyword.arg or "", keyword.value) for keyword in node.keywords]
        kept = _kept_by(other, None) if other.args.args else set()
        found.append({v.id for word, v in given if word in kept and isinstance(v, ast.Name)})
    return set.intersection(*found) if found else None


def _is_element(node: ast.expr, me: str) -> bool:
    """`self.meters[name]`, `self.meters.setdefault(name, Meter())`"""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="setdefault" | "get")):
            return _is_of(owner, me)
        case ast.Subscript(value=owner):
            return _is_of(owner, me)
    return False


def _parts(node: ast.AST) -> dict[str, str]:
    """`value` is a part of `values` in `for name, value in values.items():`"""
    match node:
        case ast.For(
            target=ast.Tuple(elts=[_, ast.Name(id=part)]),
            iter=ast.Call(func=ast.Attribute(value=ast.Name(id=whole), attr="items")),
        ):
            return {part: whole}
    return {}


def _kept(node: ast.AST, me: str) -> set[str]:
    match node:
        case ast.AugAssign(target=target, op=ast.Add(), value=value) if _is_of(target, me):
            return _terms(value)
        case ast.Assign(targets=[target], value=ast.BinOp(op=ast.Add(), left=left, right=right)):
            same = ast.unparse(target) == ast.unparse(left)
            return _terms(right) if same and _is_of(target, me) else set()
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[value]) if name in ADDING:
            return _terms(value) if _is_of(owner, me) else set()
    return set()


def _is_of(node: ast.expr, me: str) -> bool:
    """`self.sum`, `self.sums[name]`"""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return isinstance(node, ast.Name) and node.id == me


def _terms(node: ast.expr) -> set[str]:
    """The names that are added as they are, or scaled."""
    match node:
        case ast.BinOp(left=left, right=right):
            return _terms(left) | _terms(right)
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name), slice=ast.Name()):
            return {name}
    return set()
