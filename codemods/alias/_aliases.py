"""Names for memory that is written in place while the name is still read as what it was."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._weights import (
    Of,
    gathered,
    handed_out,
    may_hand_out,
    uncut,
    weights_of,
)
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.values import Kind

_VIEWS = frozenset({"view", "view_as", "narrow", "t", "transpose", "permute", "squeeze", "select"})
_VIEWS |= {"unsqueeze", "flatten", "unbind", "reshape"}
_GIVING = _VIEWS | {"detach", "list", "dict", "tuple", "state_dict"}
_NO_TENSORS = frozenset({"shape", "dtype", "device", "ndim"})


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


def aliases_in(facts: Facts, node: ast.Assign | ast.Expr) -> Iterator[Alias]:
    one = gathered(facts, node)
    if one is not None:
        yield Alias(node, one.holder, one.each, Of.WEIGHTS, ast.unparse(one.model), True, one.cut)
    if isinstance(node, ast.Expr):
        return
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
        return last_name(value.func) in _GIVING or may_hand_out(facts, value)
    return isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.ListComp, ast.DictComp))


def _alias(facts: Facts, at: ast.stmt, holder: ast.expr, value: ast.expr) -> Alias | None:
    many = weights_of(value) or handed_out(facts, value)
    if many is not None:
        of, base, values = many
        return Alias(at, holder, value, of, base, True, values)
    inner, cut = uncut(value)
    if not isinstance(inner, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return None
    if isinstance(inner, ast.Call) and (last_name(inner.func) or "") not in _VIEWS:
        return None
    if not is_written_near(facts, at, inner):
        return None
    match inner:
        case ast.Attribute(attr="grad", value=owner):
            return Alias(at, holder, value, Of.GRADIENT, ast.unparse(owner), True)
        case ast.Subscript(value=owner, slice=index) if is_basic(facts, index):
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


def is_written_near(facts: Facts, at: ast.stmt, node: ast.expr) -> bool:
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


def is_basic(facts: Facts, index: ast.expr) -> bool:
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
