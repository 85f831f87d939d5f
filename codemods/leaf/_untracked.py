"""Tensors that do not require grad: where they are made, and what goes on with them."""

from __future__ import annotations

import ast

from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.frame import all_cuts
from autofix.flow.syntax import all_arguments
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph
from autofix.flow.walk import walk
from autofix.model import Edit

_TIGHT = (ast.Attribute, ast.Call, ast.Subscript)
_SHOWN = frozenset(
    {"print", "display", "type", "repr", "str", "id", "isinstance", "hasattr", "bool"}
)
_ASKED = frozenset({"requires_grad", "requires_grad_", "retain_grad", "is_leaf"})
_READ_AS_ARRAY = frozenset({"numpy", "__array__"})
_STEPS = 200


def creation(read: ast.Name, facts: Facts) -> ast.Assign | None:
    """The one assignment in the same scope that gives a name its value, if there is but one that
    the read can see."""
    names = uses_in(facts).names
    seen = [store for store in names.stores(read) if read in names.loads(store)]
    if len(seen) != 1:
        return None
    statement = facts.index.parents.get(seen[0])
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return statement if statement.targets[0] is seen[0] else None
    return None


def is_untracked(read: ast.Name, made: ast.Assign, facts: Facts) -> bool:
    """Is the value for sure a tensor without a graph, and does nobody make it require one?"""
    for keyword in (k for part in walk(made.value) for k in getattr(part, "keywords", ())):
        if keyword.arg == "requires_grad":
            return False
    if _is_asked(read, facts):
        return False
    for node in (read, made.value):
        value = facts.value(node)
        if not value.is_tensor or value.graph != Graph.NO or value.assumed or all_cuts(value):
            return False
    return True


def _is_asked(read: ast.Name, facts: Facts) -> bool:
    """`x.requires_grad_()`, or a loop over some tensors or a helper that may do so to each."""
    names = uses_in(facts).names
    scope = facts.index.function_of(read)
    elsewhere = False
    for word in _ASKED:
        for node in (*names.attributes.get(word, ()), *names.stored.get(word, ())):
            owner = node.value
            if facts.index.function_of(node) is not scope:
                elsewhere = True
            elif isinstance(owner, ast.Name) and (
                owner.id == read.id
                or isinstance(_binder(owner, facts), (ast.For, ast.comprehension))
            ):
                return True
    return any(_is_handed_over(load, elsewhere, facts) for load in names.all_loads(read))


def _is_handed_over(load: ast.Name, elsewhere: bool, facts: Facts) -> bool:
    """Could a function that is given the tensor change it? One whose result nobody wants is there
    for what it does; any other only if some function of this file asks for gradients."""
    parent = facts.index.parents.get(load)
    if isinstance(parent, (ast.List, ast.Tuple)):
        return elsewhere
    if not isinstance(parent, ast.Call) or facts.library_name(parent.func) is not None:
        return False
    alone = isinstance(facts.index.parents.get(parent), ast.Expr)
    shown = isinstance(parent.func, ast.Name) and parent.func.id in _SHOWN
    return (alone and not shown) or (elsewhere and isinstance(parent.func, ast.Name))


def _binder(name: ast.Name, facts: Facts) -> ast.AST | None:
    """What gives a name its value: a loop, or a statement."""
    stores = uses_in(facts).names.stores(name)
    return facts.index.parents.get(stores[0]) if len(stores) == 1 else None


def went_into(target: ast.expr, root: ast.expr, facts: Facts) -> bool:
    """Is `root` computed from the variable `target`, by the assignments of this scope?"""
    assert isinstance(target, ast.Name)
    names = uses_in(facts).names
    seen: set[ast.Name] = set()
    todo = [root]
    while todo and len(seen) < _STEPS:
        for part in walk(todo.pop()):
            if not isinstance(part, ast.Name) or not isinstance(part.ctx, ast.Load) or part in seen:
                continue
            seen.add(part)
            for store in names.stores(part):
                if part not in names.loads(store):
                    continue
                if store is target:
                    return True
                statement = facts.index.statement_of(store)
                if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                    todo += [statement.value] if statement.value is not None else []
    return False


def is_expected_to_fail(node: ast.AST, facts: Facts) -> bool:
    """Inside `try`, `with pytest.raises` or an assertion: somebody shows what happens."""
    return any(
        isinstance(around, (ast.Try, ast.Assert))
        or (
            isinstance(around, (ast.With, ast.AsyncWith))
            and "aises" in facts.source.segment(around.items[0].context_expr)
        )
        for around in facts.index.ancestors(node)
    )


def computes(node: ast.Attribute, facts: Facts) -> bool:
    """Is something computed from what is read? It is not only shown, or compared with None."""
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.Call):
        func = parent.func
        return not (isinstance(func, ast.Name) and func.id in _SHOWN)
    if isinstance(parent, ast.Attribute):
        call = facts.index.parents.get(parent)
        return isinstance(call, ast.Call) and call.func is parent
    return isinstance(parent, (ast.BinOp, ast.Subscript, ast.AugAssign, ast.UnaryOp))


def in_the_way(read: ast.Name, made: ast.Assign, facts: Facts) -> str | None:
    """What a leaf that requires grad would not allow."""
    for load in uses_in(facts).names.loads(made.targets[0]):  # type: ignore[arg-type]
        parent = facts.index.parents.get(load)
        if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
            return f"it is written in place (line {load.lineno})"
        if isinstance(parent, ast.Attribute) and isinstance(
            facts.index.parents.get(parent), ast.Call
        ):
            if parent.attr.endswith("_") and not parent.attr.startswith("_"):
                return f"it is written in place (line {load.lineno})"
            if parent.attr in _READ_AS_ARRAY:
                return f"it is read as an array (line {load.lineno})"
        if isinstance(parent, ast.Call) and (facts.library_name(parent.func) or "").startswith(
            ("numpy.", "matplotlib.")
        ):
            return f"it is read as an array (line {load.lineno})"
    for store in uses_in(facts).names.stores(read):
        if isinstance(facts.index.parents.get(store), ast.AugAssign):
            return f"it is written in place (line {store.lineno})"
    return None


def makes_leaf(value: ast.expr, facts: Facts) -> tuple[Edit, ...] | None:
    """Edits that make the tensor which `value` makes a leaf that requires grad."""
    start, end = facts.source.span(value)
    if isinstance(value, ast.Call):
        name = facts.library_name(value.func)
        op = torch_api.function(name) if name is not None else None
        starred = any(isinstance(a, ast.Starred) for a in value.args)
        if op is not None and (op.creates or name == "torch.tensor") and not starred:
            last = max(facts.source.span(part)[1] for part in (value.func, *all_arguments(value)))
            if value.args or value.keywords:
                return (Edit(last, last, ", requires_grad=True"),)
    if isinstance(value, _TIGHT):
        return (Edit(end, end, ".requires_grad_()"),)
    if isinstance(value, (ast.BinOp, ast.UnaryOp)):
        return (Edit(start, start, "("), Edit(end, end, ").requires_grad_()"))
    return None
