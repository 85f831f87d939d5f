"""Weights of a Module that nothing uses but what has no gradient: a comparison, a rounding, the
choice of the largest, a stop. Whatever the loss is, they are never trained."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.flow.facts import Facts
from autofix.flow.index import FunctionNode, Index, last_name
from autofix.flow.syntax import plain_name
from autofix.flow.users import users
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
_RETURNED = "return"


def only_hard(node: ast.expr, facts: Facts) -> ast.Attribute | None:
    """The weight, or the layer with weights, of the Module around that is behind the hard `node`,
    if nothing of it comes by another way out of the methods that use it."""
    function, owner = facts.index.function_of(node), facts.index.class_of(node)
    if function is None or owner is None or function.name == "__init__":
        return None
    for source in _sources(node, function, facts):
        if _are_stopped(source, owner, facts):
            return source
    return None


def _are_stopped(source: ast.Attribute, owner: ast.ClassDef, facts: Facts) -> bool:
    uses = _named(source.attr, owner, facts.index)
    stopped = all(_is_stopped(use, owner, facts) for use in uses)
    return stopped and not _is_known_elsewhere(source.attr, owner, facts)


def only_stopped(source: ast.expr, facts: Facts) -> bool:
    """Is what is stopped computed by weights that the Module around makes itself, none of which
    has a gradient on another way? (What it was given may be trained by somebody else.)"""
    function, owner = facts.index.function_of(source), facts.index.class_of(source)
    if function is None or owner is None or function.name == "__init__":
        return False
    found = [*_sources(source, function, facts), *_of_methods(source, owner, facts)]
    return bool(found) and all(
        _is_made(one, owner, facts)
        and all(_is_run(use, facts) for use in _named(one.attr, owner, facts.index))
        and _are_stopped(one, owner, facts)
        for one in found
    )


def _is_run(node: ast.Attribute, facts: Facts) -> bool:
    """Is it a layer that is called? (Weights may be written by hand, and handed on.)"""
    around = facts.index.parents.get(node)
    return isinstance(around, ast.Call) and around.func is node


def _of_methods(source: ast.expr, owner: ast.ClassDef, facts: Facts) -> Iterator[ast.Attribute]:
    """The same of the methods that are called for it."""
    methods = {one.name: one for one in owner.body if isinstance(one, ast.FunctionDef)}
    for call in (n for n in ast.walk(source) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Attribute) and _is_own(call.func):
            yield from _weighty(methods.get(call.func.attr, ast.Pass()), facts)


def _weighty(node: ast.AST, facts: Facts) -> Iterator[ast.Attribute]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and _is_own(inner) and _has_weights(inner, facts):
            yield inner


def _is_made(source: ast.Attribute, owner: ast.ClassDef, facts: Facts) -> bool:
    """`self.layer = nn.Linear(...)`, once."""
    stores = facts.class_table(owner).stores.get(source.attr, [])
    value = stores[0].value if len(stores) == 1 else None
    name = facts.library_name(value.func) if isinstance(value, ast.Call) else None
    return name is not None and name.startswith("torch.nn.") and "Sequential" not in name


def _sources(node: ast.expr, function: FunctionNode, facts: Facts) -> Iterator[ast.Attribute]:
    """`self.layer` and `self.weight` of what `node` is computed from, in its function."""
    names: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        part = todo.pop()
        yield from _weighty(part, facts)
        for inner in ast.walk(part):
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


def _named(name: str, owner: ast.ClassDef, index: Index) -> Iterator[ast.Attribute]:
    """Every use of an attribute in a file, by whatever object that may be of the class."""
    for node in index.of_kind(ast.Attribute):
        if node.attr == name and isinstance(node.ctx, ast.Load):
            other = index.class_of(node) if _is_own(node) else None
            if other is None or other is owner or _are_related(other, owner):
                yield node


def _are_related(one: ast.ClassDef, other: ast.ClassDef) -> bool:
    bases = {last_name(base) for base in (*one.bases, *other.bases)}
    return bool({one.name, other.name} & bases)


def _is_known_elsewhere(name: str, owner: ast.ClassDef, facts: Facts) -> bool:
    """Does another file ask an object for it, that may be of the class?"""
    others = [other.unit for other in facts.program.modules.others]
    return any(
        next(_named(name, owner, unit.index), None) is not None
        for unit in (*others, *users(facts, owner.name))
    )


def _is_stopped(use: ast.Attribute, owner: ast.ClassDef, facts: Facts) -> bool:
    """Does no gradient come back to it, however its value goes on in the methods?"""
    around = facts.index.parents.get(use)
    if isinstance(around, ast.Attribute) and around.attr in _KEPT:
        return True
    seen: set[tuple[FunctionNode, str]] = set()
    todo: list[ast.expr] = [use]
    while todo:
        node = todo.pop()
        function, to = facts.index.function_of(node), _goes_to(node, facts)
        if to is None or (to and function is None):
            return False
        for name in to:
            if function is None or (function, name) in seen:
                continue
            seen.add((function, name))
            if name != _RETURNED:
                todo += _loads(name, function, facts)
            elif calls := _calls(function, owner, facts):
                todo += calls
            else:
                return False
    return True


def _loads(name: str, function: FunctionNode, facts: Facts) -> Iterator[ast.expr]:
    for one in facts.index.body_nodes(function):
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load):
            yield one


def _calls(function: FunctionNode, owner: ast.ClassDef, facts: Facts) -> list[ast.expr]:
    """The calls of a method; none where not all of them are known."""
    name = getattr(function, "name", "")
    if name in ("", "forward", "__call__") or _is_known_elsewhere(name, owner, facts):
        return []
    parents = facts.index.parents
    found = [(node, parents.get(node)) for node in _named(name, owner, facts.index)]
    return [c if isinstance(c, ast.Call) and c.func is node else node for node, c in found]


def _goes_to(node: ast.expr, facts: Facts) -> set[str] | None:
    """The names that are given what is computed from `node` with a gradient, `_RETURNED` if it
    is returned; None if it goes anywhere else."""
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
        case ast.Return():
            return {_RETURNED}
        case ast.Assign(targets=targets) if statement.value is inner:
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            return names if len(names) == len(targets) else None
        case ast.AugAssign(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name} if statement.value is inner else set()
    return None
