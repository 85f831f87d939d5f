"""Names for memory that is written in place while the name is still read as what it was."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import FUNCTIONS, last_name, root_name
from autofix.flow.objects import Closure
from autofix.flow.values import Kind
from autofix.flow.walk import walk

_VIEWS = frozenset({"view", "view_as", "narrow", "t", "transpose", "permute", "squeeze", "select"})
_VIEWS |= {"unsqueeze", "flatten", "unbind", "reshape"}
_GIVING = _VIEWS | {"detach", "list", "dict", "tuple", "state_dict"}
_PARAMETERS = frozenset({"parameters", "named_parameters", "state_dict"})
_NO_TENSORS = frozenset({"shape", "dtype", "device", "ndim"})


class Of(Enum):
    GRADIENT = "the gradient"
    GRADIENTS = "the gradients"
    WEIGHT = "the weight"
    WEIGHTS = "the weights"
    PART = "a part of the tensor"


@dataclass(frozen=True, slots=True)
class Alias:
    statement: ast.stmt
    holder: ast.expr
    node: ast.expr
    """What gives the memory: `w.grad`, `p.data`, `x[:4]`."""
    of: Of
    base: str
    """The tensor, or for `WEIGHTS` and `GRADIENTS` the model, as it is written."""
    leaf: bool
    cut: bool = False
    """Of each weight `.data` or `.detach()` is kept: it is for the values."""


def aliases_in(facts: Facts, node: ast.Assign) -> Iterator[Alias]:
    target = node.targets[0]
    pairs = [(target, node.value)]
    both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
    if both and len(target.elts) == len(node.value.elts):  # type: ignore[attr-defined]
        pairs = list(zip(target.elts, node.value.elts, strict=True))  # type: ignore[attr-defined]
    for holder, value in pairs:
        named = isinstance(holder, (ast.Name, ast.Attribute)) and not _is_data(holder)
        if named and _may_be_alias(facts, value):
            found = _alias(facts, node, holder, value)
            if found is not None:
                yield found


def _is_data(holder: ast.expr) -> bool:
    return isinstance(holder, ast.Attribute) and holder.attr in ("data", "grad")


def _may_be_alias(facts: Facts, value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return last_name(value.func) in _GIVING or _may_hand_out(facts, value)
    return isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.ListComp, ast.DictComp))


def _alias(facts: Facts, at: ast.stmt, holder: ast.expr, value: ast.expr) -> Alias | None:
    many = weights_of(value) or _handed_out(facts, value)
    if many is not None:
        of, base, values = many
        return Alias(at, holder, value, of, base, True, values)
    inner, cut = uncut(value)
    if not isinstance(inner, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return None
    if isinstance(inner, ast.Call) and (last_name(inner.func) or "") not in _VIEWS:
        return None
    if not _may_change(facts, at, inner):
        return None
    match inner:
        case ast.Attribute(attr="grad", value=owner):
            return Alias(at, holder, value, Of.GRADIENT, ast.unparse(owner), True)
        case ast.Subscript(value=owner, slice=index) if _is_basic(facts, index):
            return _part(facts, at, holder, value, owner)
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _VIEWS:
            return _part(facts, at, holder, value, owner)
        case ast.Name() | ast.Attribute():
            if not facts.may_hold_tensor(inner):
                return None
            if facts.value(inner).leaf and facts.value(inner).is_tensor:
                base = ast.unparse(inner)
                if cut or isinstance(holder, ast.Name):
                    return Alias(at, holder, value, Of.WEIGHT, base, True)
    return None


def _may_change(facts: Facts, at: ast.stmt, node: ast.expr) -> bool:
    """Does the function write into what the expression is a part of? By its text alone."""
    written = _written_in(facts).get(facts.index.function_of(at) or facts.tree)
    if not written:
        return False
    while not isinstance(node, ast.Name):
        if ast.unparse(node) in written:
            return True
        match node:
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Call(func=inner):
                node = inner
            case _:
                return False
    return bool({node.id, "step()"} & written)


@functools.lru_cache(maxsize=4)
def _written_in(facts: Facts) -> dict[ast.AST, set[str]]:
    """What each function, and the module, writes in place, as it is written; `step()` for all
    weights."""
    index = facts.index
    found: dict[ast.AST, set[str]] = defaultdict(set)
    for node in (*index.of_kind(ast.AugAssign), *index.of_kind(ast.Assign), *_methods(facts)):
        written = _written_by(node)
        if written is not None:
            for around in index.ancestors(node):
                if isinstance(around, (*FUNCTIONS, ast.Module)):
                    found[around].add(written)
    return found


def _methods(facts: Facts) -> list[ast.Call]:
    """The calls that may write what their method is of."""
    return [
        call
        for call in facts.index.of_kind(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and (call.func.attr.endswith("_") or call.func.attr in ("step", "zero_grad"))
    ]


def _written_by(node: ast.AST) -> str | None:
    match node:
        case ast.AugAssign(target=target) | ast.Assign(targets=[ast.Subscript() as target]):
            pass
        case ast.Call(func=ast.Attribute(attr="step" | "zero_grad")):
            return "step()"
        case ast.Call(func=ast.Attribute(attr=name, value=target)) if name.endswith("_"):
            pass
        case _:
            return None
    inner = target.value if isinstance(target, ast.Subscript) else target
    return ast.unparse(uncut(inner)[0])


def _part(
    facts: Facts, at: ast.stmt, holder: ast.expr, value: ast.expr, owner: ast.expr
) -> Alias | None:
    inner, _ = uncut(owner)
    if not isinstance(inner, (ast.Name, ast.Attribute)):
        return None
    if isinstance(inner, ast.Attribute) and inner.attr in _NO_TENSORS:
        return None
    if ast.unparse(inner) == ast.unparse(holder):
        return None  # the name of the whole is gone: nobody can compare them
    known = facts.value(inner)
    is_data = inner is not owner and bool(known.kind & (Kind.TENSOR | Kind.UNKNOWN))
    if not (known.is_tensor or is_data):
        return None
    return Alias(at, holder, value, Of.PART, ast.unparse(inner), known.leaf or is_data)


def uncut(node: ast.expr) -> tuple[ast.expr, bool]:
    """`x` of `x.data`, `x.detach()`, `x.data.detach()`."""
    cut = False
    while True:
        match node:
            case ast.Attribute(attr="data", value=inner):
                node, cut = inner, True
            case ast.Call(func=ast.Attribute(attr="detach", value=inner)):
                node, cut = inner, True
            case _:
                return node, cut


def _is_basic(facts: Facts, index: ast.expr) -> bool:
    """Does the index make a view: slices, numbers, `...` and `None`?"""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    for part in parts:
        if isinstance(part, ast.Slice) or (
            isinstance(part, ast.Constant) and not isinstance(part.value, (bool, str))
        ):
            continue
        if isinstance(part, ast.Constant) or facts.value(part).kind != Kind.NUMBER:
            return False
    return True


def weights_of(value: ast.expr) -> tuple[Of, str, bool] | None:
    """The model of `list(model.parameters())`, `[p.data for p in model.parameters()]`,
    `{name: p for name, p in model.named_parameters()}`, `model.state_dict()`; with `p.grad`
    its gradients."""
    found: str | None = None
    of, cut = Of.WEIGHTS, False
    match value:
        case ast.Call(func=ast.Attribute(attr="state_dict"), args=[], keywords=[]):
            found = parameters_of(value)
        case ast.Call(func=ast.Name(id="list" | "dict" | "tuple"), args=[source]):
            found = parameters_of(source)
        case ast.ListComp(elt=made, generators=[one]) | ast.DictComp(value=made, generators=[one]):
            inner, cut = uncut(made)
            if isinstance(inner, ast.Attribute) and inner.attr == "grad":
                of, inner = Of.GRADIENTS, inner.value
            names = [n.id for n in ast.walk(one.target) if isinstance(n, ast.Name)]
            if isinstance(inner, ast.Name) and names and inner.id == names[-1]:
                found = parameters_of(one.iter)
    return (of, found, cut) if found is not None else None


def _handed_out(facts: Facts, value: ast.expr) -> tuple[Of, str, bool] | None:
    """`snapshot(model)`, where the function returns such a list or dict of its argument."""
    if not isinstance(value, ast.Call) or not _may_hand_out(facts, value):
        return None
    ref = facts.value(value.func).ref
    function = ref.node if isinstance(ref, Closure) and ref.bound_to is None else None
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    returned = [n.value for n in walk(function) if isinstance(n, ast.Return)]
    found = weights_of(returned[0]) if len(returned) == 1 and returned[0] is not None else None
    if found is None:
        return None
    of, name, cut = found
    given = given_to(facts, function, value, name)
    if not isinstance(given, (ast.Name, ast.Attribute)):
        return None
    return of, ast.unparse(given), cut


def _may_hand_out(facts: Facts, call: ast.Call) -> bool:
    """Is a function called by the name of one that does so, or one of another file?"""
    if last_name(call.func) in _handing(facts):
        return True
    return facts.project is not None and root_name(call.func) in facts.index.imported


@functools.lru_cache(maxsize=4)
def _handing(facts: Facts) -> frozenset[str]:
    """The names of the functions of this file that return weights or a list of them."""
    returns = [r for r in facts.index.of_kind(ast.Return) if r.value and weights_of(r.value)]
    return frozenset(f.name for r in returns if (f := facts.index.function_of(r)) is not None)


def parameters_of(node: ast.expr) -> str | None:
    owner = owner_of(node)
    return None if owner is None else ast.unparse(owner)


def owner_of(parameters: ast.expr) -> ast.expr | None:
    """`model` of `model.parameters()`"""
    match parameters:
        case ast.Call(func=ast.Attribute(attr="items" | "values", value=ast.Call() as inner)):
            return owner_of(inner)
        case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in _PARAMETERS:
            return owner
    return None
