"""Who is who in a training loop: which expressions are optimizers, schedulers and modules.

The analysis is asked first. What comes from another file is told by how this file made it, and an
argument by its name, as a reader would.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autofix.flow import torch_api
from autofix.flow.index import last_name
from autofix.flow.syntax import calls_in, key_name, plain_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk

if TYPE_CHECKING:
    from autofix.flow.facts import Facts

BACKWARD = frozenset({"backward", "manual_backward"})
_OPTIMIZER = re.compile(
    r"(?i)^_*(?:(?:\w+_)?opts?|opt_?[a-z]{1,2}|opt_\w+|\w*optim(?:i[sz]ers?)?|optim(?:i[sz]ers?)?_?\w{0,12})"
    r"\d*_*$"
)
_SCHEDULER = re.compile(r"(?i)sched|warm_?up|plateau|annealing")
_MODULE = re.compile(
    r"(?i)^_*(?:\w*(?:model|net|network|encoder|decoder|actor|critic|generator|discriminator|policy"
    r"|classifier|module|backbone|head|student)|net_?[dg]|[dg])\d*_*$"
)


def is_optimizer(node: ast.expr, facts: Facts) -> bool:
    """Is `node` an optimizer of torch, or one that is used and called like it?"""
    value = facts.value(node)
    if value.kind == Kind.OPTIMIZER:
        return True
    if is_scheduler(node, facts):
        return False
    if value.kind & ~(Kind.UNKNOWN | Kind.NONE):  # None is what an abstract method seems to give
        return bool(value.kind & Kind.OPTIMIZER)
    if any(optimizer_class(call, facts) for call in constructors(node, facts)):
        return True
    many = _iterated(node, facts) or node
    names = [plain_name(many), *(value.id for _, value in kept_names(facts, many))]
    names.append(plain_name(node))
    return any(name is not None and _OPTIMIZER.search(name) is not None for name in names)


def kept_names(facts: Facts, node: ast.expr) -> Iterator[tuple[ast.Attribute, ast.Name]]:
    """The names that are kept as an attribute called so: `self.o = optimizer`."""
    if isinstance(node, ast.Attribute):
        for target in uses_in(facts).names.stored.get(node.attr, ()):
            statement = facts.index.statement_of(target)
            pairs = name_pairs(statement) if statement is not None else ()
            yield from (pair for pair in pairs if pair[0] is target)


def name_pairs(statement: ast.AST) -> Iterator[tuple[ast.Attribute, ast.Name]]:
    """`self.net = net`, also as one of several: `self.net, self.lr = net, lr`."""
    pairs: list[tuple[ast.expr, ast.expr]] = []
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            pairs = list(zip(targets, values, strict=False))
        case ast.Assign(targets=[target], value=value):
            pairs = [(target, value)]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, value)]
    for target, value in pairs:
        if isinstance(target, ast.Attribute) and isinstance(value, ast.Name):
            yield target, value


def _iterated(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`optimizers`, if `node` is the variable of `for o in optimizers`, or of `for o in
    optimizers.values()`, `for name, o in optimizers.items()`."""
    for store in uses_in(facts).names.stores(node) if isinstance(node, ast.Name) else ():
        target: ast.AST = store
        around = facts.index.parents.get(store)
        several = isinstance(around, ast.Tuple) and around.elts[-1] is store
        if around is not None and several:
            target, around = around, facts.index.parents.get(around)
        if not isinstance(around, (ast.For, ast.comprehension)) or around.target is not target:
            continue
        match around.iter:
            case ast.Call(func=ast.Attribute(value=many, attr=attr), args=[]):
                if attr == ("items" if several else "values"):
                    return many
            case many if not several:
                return many
    return None


def is_scheduler(node: ast.expr, facts: Facts) -> bool:
    name = plain_name(node)
    if any(one is not None and _SCHEDULER.search(one) for one in (name, key_name(node))):
        return True
    return any(scheduler_class(call, facts) for call in constructors(node, facts))


def optimizer_class(call: ast.Call, facts: Facts) -> str | None:
    """The class of torch.optim that a call makes an object of."""
    name = facts.library_name(call.func) or ""
    return name.rpartition(".")[2] if torch_api.is_optimizer(name) else None


def scheduler_class(call: ast.Call, facts: Facts) -> str | None:
    """The class of torch.optim.lr_scheduler that a call makes an object of."""
    name = facts.library_name(call.func) or ""
    return name.rpartition(".")[2] if torch_api.is_scheduler(name) else None


def runs_backward(node: ast.AST, facts: Facts) -> bool:
    """Is a backward pass run here, or in a function of this file that is called here?"""
    called = {last_name(call.func) for call in calls_in(node)}
    definitions = uses_in(facts).names.definitions
    return not called.isdisjoint(BACKWARD) or any(
        isinstance(n, ast.Attribute) and n.attr in BACKWARD
        for name in called
        for definition in definitions.get(name or "", ())
        for n in walk(definition)
    )


def is_optimizer_name(node: ast.expr) -> bool:
    """Does a reader take the name for that of an optimizer?"""
    name = plain_name(node)
    return name is not None and _OPTIMIZER.search(name) is not None


def is_module_name(node: ast.expr) -> bool:
    """Does a reader take the name for that of a model?"""
    name = plain_name(node)
    return name is not None and _MODULE.search(name) is not None


def constructors(node: ast.expr, facts: Facts) -> list[ast.Call]:
    """The calls whose result this file stores under the name (or as the attribute) of `node`."""
    names = uses_in(facts).names
    if isinstance(node, ast.Name):
        targets: list[ast.expr] = list(names.stores(node))
    elif isinstance(node, ast.Attribute):
        targets = list(names.stored.get(node.attr, ()))
    else:
        return []
    found = []
    for target in targets:
        statement = facts.index.parents.get(target)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(
            statement.value, ast.Call
        ):
            found.append(statement.value)
    return found
