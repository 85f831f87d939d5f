"""Weights of a Module that nothing uses but what has no gradient: a comparison, a rounding, the
choice of the largest. Whatever the loss is, they are never trained."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, last_name
from autofix.flow.syntax import plain_name
from autofix.flow.values import Graph, Kind

HARD = frozenset(
    "argmax argmin argsort one_hot multinomial bincount gt ge lt le eq ne greater less sign round "
    "floor ceil trunc heaviside long int bool searchsorted bucketize".split()
)
_STOPS = frozenset("detach item tolist numpy".split())
_QUIET = frozenset("shape dtype device ndim requires_grad grad data".split())
"""What is asked of a tensor without its graph."""
_KEPT = frozenset(
    "parameters named_parameters state_dict load_state_dict to train eval cuda cpu modules "
    "in_features out_features size dim numel zero_ requires_grad_ apply".split()
)
"""What is asked of a layer without running it."""


def only_hard(node: ast.expr, facts: Facts) -> ast.Attribute | None:
    """The weight, or the layer with weights, of the Module around that is behind the hard `node`,
    if nothing of it comes by another way out of the methods that use it."""
    function, owner = facts.index.function_of(node), facts.index.class_of(node)
    if function is None or owner is None or function.name == "__init__":
        return None
    for source in _sources(node, function, facts):
        if all(_is_stopped(use, facts) for use in _uses(source, owner, facts)):
            return source
    return None


def _sources(node: ast.expr, function: FunctionNode, facts: Facts) -> Iterator[ast.Attribute]:
    """`self.layer` and `self.weight` of what `node` is computed from, in its function."""
    names: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        for inner in ast.walk(todo.pop()):
            if isinstance(inner, ast.Attribute) and _is_own(inner) and _has_weights(inner, facts):
                yield inner
            if isinstance(inner, ast.Name) and inner.id not in names:
                names.add(inner.id)
                todo += _assigned(inner.id, function, facts)


def _assigned(name: str, function: FunctionNode, facts: Facts) -> Iterator[ast.expr]:
    for one in facts.index.body_nodes(function):
        if isinstance(one, ast.Assign | ast.AugAssign | ast.AnnAssign) and one.value is not None:
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            if any(plain_name(target) == name for target in targets):
                yield one.value


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _has_weights(node: ast.Attribute, facts: Facts) -> bool:
    """Is it a Parameter, or a layer that is called?"""
    value = facts.value(node)
    around = facts.index.parents.get(node)
    if isinstance(around, ast.Call) and around.func is node:
        return value.kind == Kind.MODULE and facts.value(around).graph == Graph.YES
    return value.parameter and value.graph == Graph.YES


def _uses(source: ast.Attribute, owner: ast.ClassDef, facts: Facts) -> Iterator[ast.Attribute]:
    """Every use of the attribute, by whatever object in this file that may be of the class."""
    for node in facts.index.of_kind(ast.Attribute):
        if node.attr == source.attr and isinstance(node.ctx, ast.Load):
            other = facts.index.class_of(node) if _is_own(node) else None
            if other is None or other is owner or _are_related(other, owner):
                yield node


def _are_related(one: ast.ClassDef, other: ast.ClassDef) -> bool:
    bases = {last_name(base) for base in (*one.bases, *other.bases)}
    return bool({one.name, other.name} & bases)


def _is_stopped(use: ast.Attribute, facts: Facts) -> bool:
    """Does no gradient come back to it, however its value goes on in the function?"""
    around = facts.index.parents.get(use)
    if isinstance(around, ast.Attribute) and around.attr in _KEPT:
        return True
    function = facts.index.function_of(use)
    names: set[str] = set()
    todo: list[ast.expr] = [use]
    while todo:
        to = _goes_to(todo.pop(), facts)
        if to is None:
            return False
        for name in to - names:
            if function is None:
                return False
            names.add(name)
            todo += [
                one
                for one in facts.index.body_nodes(function)
                if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)
            ]
    return True


def _goes_to(node: ast.expr, facts: Facts) -> set[str] | None:
    """The names that are given what is computed from `node` with a gradient; None if it goes
    anywhere else."""
    inner: ast.AST = node
    for around in facts.index.ancestors(node):
        if _stops(around, inner, facts):
            return set()
        if isinstance(around, ast.stmt):
            return _stored(around, inner)
        if isinstance(around, (ast.Lambda, ast.comprehension, ast.ListComp, ast.GeneratorExp)):
            return None
        inner = around
    return None


def _stops(around: ast.AST, inner: ast.AST, facts: Facts) -> bool:
    match around:
        case ast.Compare():
            return True
        case ast.Attribute(attr=attr) if attr in _QUIET:
            return True
        case ast.Call(func=func) if isinstance(func, (ast.Attribute, ast.Name)):
            name = last_name(func)
            hard = name in HARD or name in _STOPS or not facts.grad_enabled(around)
            return hard or ((name or "").endswith("_") and "init" in ast.unparse(func))
    return False


def _stored(statement: ast.stmt, inner: ast.AST) -> set[str] | None:
    match statement:
        case ast.Assign(targets=targets) if statement.value is inner:
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            return names if len(names) == len(targets) else None
        case ast.AugAssign(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name} if statement.value is inner else set()
    return None
