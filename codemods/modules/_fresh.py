"""Layers and Parameters that a Module makes anew whenever it is called."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.modules._brought import brings_new
from autofix.codemods.modules._layer_uses import calls_elements, calls_layer, is_called
from autofix.codemods.modules._maker_functions import is_made_by_function
from autofix.flow.class_table import (
    ClassTable,
    Method,
    attribute_of,
    methods_of,
    self_name,
    weighted,
)
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.flow.walk import walk

_NORMS = ("Norm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm2d")


@dataclass(frozen=True, eq=False)
class Fresh:
    call: ast.Call
    """What makes it."""
    whole: ast.expr
    """The call with what moves it to a device."""
    method: Method
    parameter: bool
    name: str | None
    """What it is called, if it is."""
    stored: bool
    """It is set as an attribute."""


def may_make(facts: Facts, node: ast.ClassDef) -> bool:
    """By the syntax alone, which spares the analysis most classes."""
    methods = [m for m in methods_of(node) if m.name != "__init__"]
    if not any(m.name in ("forward", "training_step") for m in methods):
        return False
    making = _makers(facts)
    if any(method in making for method in methods):
        return True
    calls = uses_in(facts).names.calls
    return any(
        isinstance(call.func, ast.Name) and set(methods) & set(facts.index.ancestors(call))
        for helper in facts.tree.body
        if isinstance(helper, ast.FunctionDef) and helper in making
        for call in calls.get(helper.name, ())
    )


@functools.lru_cache(maxsize=4)
def _makers(facts: Facts) -> frozenset[ast.AST]:
    """The functions that call something with the name of a class."""
    return frozenset(
        around
        for name, calls in uses_in(facts).names.calls.items()
        if _is_name_of_class(name)
        for call in calls
        for around in facts.index.ancestors(call)
    )


def called_by_forward(facts: Facts, table: ClassTable) -> list[Method]:
    """`forward`, and the methods and functions of this file that it calls with the input."""
    names = uses_in(facts).names
    found = [m for n, m in table.methods.items() if n in ("forward", "training_step")]
    found = [m for m in found if m in table.node.body]
    for method in found:  # grows while it is read
        me = self_name(method)
        for node in facts.index.body_nodes(method):
            if not isinstance(node, ast.Call):
                continue
            name = attribute_of(node.func, me) if me else None
            target = table.methods.get(name) if name else names.function_named(node.func)
            if not isinstance(target, ast.FunctionDef) or target in found:
                continue
            if _once(facts, node, method):
                continue
            if target.name != "__init__" and (name is None or target in table.node.body):
                found.append(target)
    return [] if any(_trains_itself(m) for m in found) else found


def _trains_itself(method: Method) -> bool:
    """`backward()` in it: what is made is trained there, an explanation or an attack."""
    calls = (n for n in walk(method) if isinstance(n, ast.Call))
    return any(last_name(call.func) in ("backward", "step") for call in calls)


def trains_itself(method: Method) -> bool:
    """Does a `forward`, or what it calls, run a backward pass? It then is no layer but a procedure,
    which makes its weights and trains them."""
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "backward"
        for n in walk(method)
    )


def fresh_in(facts: Facts, method: Method) -> Iterator[Fresh]:
    for node in facts.index.body_nodes(method):
        if not isinstance(node, ast.Call):
            continue
        if not _looks_like_a_class(node.func) and not is_made_by_function(facts, node):
            continue
        if without_gradient(facts, node) or _guarded(facts, node, method):
            continue
        if _once(facts, node, method):
            continue
        whole = _with_moves(facts, node)
        found = _made(facts, node, whole, method)
        if found is not None:
            yield found


def _looks_like_a_class(func: ast.expr) -> bool:
    return _is_name_of_class(last_name(func) or "")


def _is_name_of_class(name: str) -> bool:
    short = len(name) == 1 or name in ("LSTM", "GRU", "RNN")
    return name[:1].isupper() and (short or not name.isupper())


def _guarded(facts: Facts, node: ast.AST, method: Method) -> bool:
    """`if self.proj is None:`, `if not hasattr(self, "proj"):`, or in a function of its own."""
    for owner in facts.index.ancestors(node):
        if owner is method:
            return False
        if isinstance(owner, ast.If):
            text = ast.unparse(owner.test)
            if "hasattr" in text or " is None" in text or "not self." in text or "init" in text:
                return True
        if isinstance(owner, (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.Try)):
            return True
    return False


def _once(facts: Facts, node: ast.AST, method: Method) -> bool:
    """`if self.ready: return`, or around it `if not self.ready:`, `if self.head is None:` or
    `if not hasattr(self, "head"):`, where the class itself says when it is ready: only the first
    call gets there."""
    statement = facts.index.statement_of(node)
    for owner in facts.index.ancestors(node):
        if owner is method:
            break
        match owner:
            case ast.If(
                test=ast.UnaryOp(op=ast.Not(), operand=flag)
                | ast.Compare(left=flag, ops=[ast.Is()], comparators=[ast.Constant(value=None)])
            ):
                asked = isinstance(flag, ast.Call) and last_name(flag.func) == "hasattr"
                if statement not in owner.orelse and (asked or _is_told(facts, flag, method)):
                    return True
    return any(
        isinstance(before.body[-1], ast.Return) and _is_told(facts, before.test, method)
        for before in method.body
        if isinstance(before, ast.If) and before.lineno < getattr(node, "lineno", 0)
    )


def _is_told(facts: Facts, test: ast.expr, method: Method) -> bool:
    """Is it an attribute that is set later than in `__init__`?"""
    if not isinstance(test, ast.Attribute) or attribute_of(test, self_name(method)) is None:
        return False
    stores = uses_in(facts).names.stored.get(test.attr, ())
    makers = [facts.index.function_of(store) for store in stores]
    here = facts.index.class_of(method)
    return any(
        maker is not None and maker.name != "__init__" and facts.index.class_of(maker) is here
        for maker in makers
    )


def _with_moves(facts: Facts, node: ast.expr) -> ast.expr:
    """`nn.Linear(2, 2).to(x.device)`"""
    parent = facts.index.parents.get(node)
    call = facts.index.parents.get(parent) if parent is not None else None
    moves = isinstance(parent, ast.Attribute) and parent.attr in ("to", "cuda", "train")
    if moves and isinstance(call, ast.Call) and call.func is parent:
        return _with_moves(facts, call)
    return node


def _made(facts: Facts, node: ast.Call, whole: ast.expr, method: Method) -> Fresh | None:
    """By the syntax first: most calls of classes make results, not layers."""
    found = _placed(facts, node, whole, method)
    return found if found is not None and _has_new_weights(facts, node) else None


def _placed(facts: Facts, node: ast.Call, whole: ast.expr, method: Method) -> Fresh | None:
    """What becomes of the object: it is called, named, kept or computed with."""
    parameter = _is_parameter(node)
    parent = facts.index.parents.get(whole)
    if isinstance(parent, ast.NamedExpr):
        whole, parent = parent, facts.index.parents.get(parent)
        return (
            Fresh(node, node, method, parameter, None, False)
            if calls_layer(parent, whole)
            else None
        )
    match parent:
        case ast.Call(func=func) if func is whole:
            return Fresh(node, whole, method, parameter, None, False)
        case ast.Assign(targets=[ast.Name(id=name)]):
            if parameter or is_called(facts, parent.targets[0]):
                return Fresh(node, whole, method, parameter, name, False)
        case ast.Assign(targets=[ast.Attribute() as target]):
            attribute = attribute_of(target, self_name(method))
            if attribute is not None:
                return Fresh(node, whole, method, parameter, attribute, True)
        case ast.BinOp() | ast.Call() if parameter:
            return Fresh(node, whole, method, parameter, None, False)
        case ast.List() | ast.Dict() | ast.ListComp() if calls_elements(facts, parent):
            return Fresh(node, whole, method, parameter, None, False)
    return None


def _is_parameter(node: ast.Call) -> bool:
    return last_name(node.func) == "Parameter"


def _has_new_weights(facts: Facts, node: ast.Call) -> bool:
    value = facts.value(node)
    if not _is_parameter(node):
        if value.kind != Kind.MODULE or weighted(value) is not True or _fixed(node):
            return False
        return brings_new(facts, node)
    data = facts.value(node.args[0]) if node.args else None
    if data is None or not value.parameter or not value.leaf or data.graph != Graph.NO:
        return False
    return _created(facts, node.args[0])


def _created(facts: Facts, data: ast.expr) -> bool:
    """Is it made of nothing: `torch.ones(3)`, `torch.randn(2, 2) * 0.1`?"""
    match data:
        case ast.BinOp(left=left, right=right):
            return _created(facts, left) or _created(facts, right)
        case ast.Call(func=func):
            made = (facts.library_name(func) or "").rpartition(".")[2]
            return made in {"ones", "zeros", "randn", "rand", "full", "eye", "empty", "tensor"}
    return False


def _fixed(node: ast.Call) -> bool:
    """`nn.LayerNorm(8, elementwise_affine=False)` has no weights."""
    return any(
        k.arg in ("affine", "elementwise_affine") and getattr(k.value, "value", True) is False
        for k in node.keywords
    )


def is_norm(fresh: Fresh) -> bool:
    """Its weights begin as ones and zeros: made anew it still does what a function would."""
    name = last_name(fresh.call.func) or ""
    return any(norm in name for norm in _NORMS)


def names_in(node: ast.AST) -> list[ast.Name]:
    return [n for n in walk(node) if isinstance(n, ast.Name)]
