"""Is an argument a tensor? Told by the operations that only tensors have."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.flow import torch_api
from autofix.flow.frame import Frame
from autofix.flow.imported import attribute_of
from autofix.flow.index import FunctionNode, Index
from autofix.flow.values import Kind, Value, library
from autofix.flow.walk import walk

# Methods of Tensor that other things an argument may be have too: numpy arrays, modules, lists,
# dicts, strings, data frames, loggers. Using one of them proves nothing.
SHARED = frozenset(
    "all any argmax argmin argpartition argsort astype choose clip compress conj copy cumprod "
    "cumsum diagonal dot dump dumps fill flatten item itemset max mean min nonzero partition prod "
    "put ravel repeat reshape resize round searchsorted sort squeeze std sum swapaxes take tolist "
    "tobytes trace transpose var view T real imag flat shape size ndim dtype data device mT "
    "to float half double cuda cpu bfloat16 zero_grad requires_grad_ type train eval apply "
    "share_memory modules children index count extend append insert pop remove update get keys "
    "values items split join format replace strip add sub mul div pow abs map where log rank "
    "median mode quantile diff corr cov describe head tail apply_ map_ name names equals eq ne lt "
    "gt le ge unique isin expand is_complex subs diff integrate cumulative "
    "register_hook numpy bool int long char short byte storage stride select clone "
    "log_prob sample nelement mean_ conjugate adjoint "
    "multiply divide subtract power new scatter".split()
)
_OF_ARRAYS = frozenset({"clone", "expand", "view"})
"""Methods in `SHARED` that, where no other library of arrays is at hand, only tensors have."""
OF_TENSORS = frozenset(
    "H T mT mH real imag data grad grad_fn grad_dtype device dtype shape ndim layout name names "
    "itemsize nbytes is_leaf is_cpu is_cuda is_mps is_xpu is_meta is_nested is_quantized is_sparse "
    "is_sparse_csr requires_grad retains_grad output_nr volatile coalesce indices values index "
    "as_subclass dequantize int_repr crow_indices col_indices record_stream reinforce resize "
    "register_post_accumulate_grad_hook sparse_mask to_padded_tensor is_coalesced".split()
)
"""Attributes of Tensor that are no operations."""
_TENSOR_ATTRIBUTES = frozenset({"grad_fn", "requires_grad", "is_leaf", "grad", "is_cuda"})
_ACCEPT_ANYTHING = frozenset(
    f"torch.{name}"
    for name in (
        "tensor as_tensor asarray is_tensor zeros ones empty full rand randn arange eye "
        "linspace manual_seed load save from_numpy randint device Size Generator normal stack "
        "cat hstack vstack einsum randperm concat meshgrid block_diag logspace"
    ).split()
)

_SIZED = frozenset(
    {"builtins.range", "torch.arange", "torch.eye", "torch.randperm"}
    | {"torch.zeros", "torch.ones", "torch.empty", "torch.rand", "torch.randn"}
)


def used_as_tensor(name: str, function: FunctionNode, frame: Frame) -> bool:
    """`_used_as_tensor`, asked once for each argument."""
    known = frame.program.as_tensor
    if (function, name) not in known:
        known[function, name] = _used_as_tensor(name, function, frame)
    return known[function, name]


def used_as_size(name: str, function: FunctionNode, frame: Frame) -> bool:
    """Does the body count or make something by argument `name`: `range(n)`, `nn.Linear(n, n)`?"""
    for node in _mentions(function, frame.index).about.get(name, ()):
        if isinstance(node, ast.Call) and node.args and _is(node.args[0], {name}):
            dotted = static_name(node.func, frame) or ""
            made = dotted.startswith("torch.nn.") and torch_api.module(dotted) is not None
            if made or dotted in _SIZED:
                return isinstance(node.args[0], ast.Name)
    return False


def used_as_counts(name: str, function: FunctionNode, frame: Frame) -> bool:
    """Is what argument `name` holds added up and compared with a size: `(shapes[:, 0] * shapes[:,
    1]).sum() == length`? Then these are whole numbers."""
    for node in _mentions(function, frame.index).compared:
        if isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            for side, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
                if isinstance(other, (ast.Name, ast.Attribute)) and _adds_up(side, name):
                    return True
    return False


def _adds_up(node: ast.expr, name: str) -> bool:
    """`name.sum()`, `(name[:, 0] * name[:, 1]).sum()`"""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="sum" | "item")):
            return _adds_up(owner, name) or _is_product(owner, name)
    return False


def _is_product(node: ast.expr, name: str) -> bool:
    """Of nothing but (elements of) a name"""
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _is_product(left, name) and _is_product(right, name)
        case ast.Call(func=ast.Attribute(value=owner, attr="prod")):
            return _is_product(owner, name)
    return _is(node, {name})


def _used_as_tensor(name: str, function: FunctionNode, frame: Frame) -> bool:
    """Does the body do something with argument `name` that only a tensor can do, and nothing that
    tests what it is or gives it another value?"""
    mentions = _mentions(function, frame.index)
    if mentions.forgives:
        return False
    elements = mentions.elements.get(name, set())
    names = {name, *elements}
    if any(_asks_for_none(node, name, elements - {name}) for node in mentions.compared):
        return False
    until = mentions.stored.get(name, float("inf"))
    about = {node for each in names for node in mentions.about.get(each, ())}
    # By a later line the name stands for something else.
    early = [node for node in about if node.lineno <= until]
    if any(isinstance(node, ast.Call) and _tests(node, name) for node in early):
        return False
    if any(isinstance(node, ast.Attribute) and _is_foreign(node, name) for node in early):
        return False
    return any(_is_tensor_only(node, names, frame) for node in early)


@dataclass(frozen=True)
class _Mentions:
    """What of a function's code may tell what its arguments are."""

    about: dict[str, list[ast.expr]]
    """Calls, operations, elements and attributes of a name, or of an element of it."""
    elements: dict[str, set[str]]
    """`a` of `a = name[0]`, `a` and `b` of `a, b = name`: if they are tensors, so is the name."""
    stored: dict[str, int]
    """The last line of the first statement that gives a name another value."""
    compared: list[ast.Compare]
    forgives: bool
    """Something is tried on a value to see what it is."""


@functools.lru_cache(maxsize=256)  # of a file or two: once for each argument
def _mentions(function: FunctionNode, index: Index) -> _Mentions:
    found = _Mentions(defaultdict(list), defaultdict(set), {}, [], _is_tried(function, index))
    for node in index.body_nodes(function):
        if isinstance(node, (ast.Call, ast.BinOp, ast.Subscript, ast.Attribute)):
            for each in _subjects(node):
                found.about[each].append(node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            last = node.end_lineno or node.lineno
            for each in _stored_by(node):
                found.stored[each] = min(last, found.stored.get(each, last))
            _note_elements(node, found.elements)
        elif isinstance(node, ast.Compare):
            found.compared.append(node)
    return found


def _stored_by(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for part in walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id


def _note_elements(node: ast.stmt, elements: dict[str, set[str]]) -> None:
    match node:
        case ast.Assign(
            targets=[ast.Name(id=local)], value=ast.Subscript(value=ast.Name(id=owner))
        ):
            elements[owner].add(local)
        case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=owner)):
            elements[owner] |= {part.id for part in parts if isinstance(part, ast.Name)}


def _is_tried(function: FunctionNode, index: Index) -> bool:
    nodes = index.body_nodes(function)
    return any(isinstance(n, ast.ExceptHandler) and _asks_forgiveness(n) for n in nodes)


def _subjects(node: ast.Call | ast.BinOp | ast.Subscript | ast.Attribute) -> Iterator[str]:
    """The names about which a piece of code may tell something."""
    parts: list[ast.expr] = []
    if isinstance(node, ast.Call):
        parts = [
            *node.args[:1],
            *([node.func.value] if isinstance(node.func, ast.Attribute) else []),
        ]
    elif isinstance(node, ast.BinOp):
        parts = [s.value if isinstance(s, ast.Attribute) else s for s in (node.left, node.right)]
    else:
        parts = [node.value]
    for part in parts:
        inner = part.value if isinstance(part, ast.Subscript) else part
        if isinstance(inner, ast.Name):
            yield inner.id


def _is_tensor_only(node: ast.expr, names: set[str], frame: Frame) -> bool:
    """Is something done with one of the names that only a tensor can do?"""
    if isinstance(node, ast.Call):
        return _tensor_only(node, names, frame)
    if isinstance(node, (ast.BinOp, ast.Subscript)):
        return _array_only(node, names) and frame.index.only_torch
    return (
        isinstance(node, ast.Attribute)
        and _is(node.value, names)
        and node.attr in _TENSOR_ATTRIBUTES
    )


def _is_foreign(node: ast.Attribute, name: str) -> bool:
    """`name.set_xlabel`: no tensor has that."""
    mine = isinstance(node.value, ast.Name) and node.value.id == name
    return mine and node.attr not in OF_TENSORS and torch_api.method(node.attr) is None


def _asks_for_none(node: ast.AST, name: str, elements: set[str]) -> bool:
    """`name[0] is None`, or the like of an element under a name of its own: rows of a tensor are
    never None."""
    match node:
        case ast.Compare(
            left=left, ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]
        ):
            if isinstance(left, ast.Subscript):
                return _is(left, {name})
            return isinstance(left, ast.Name) and left.id in elements
    return False


def _is(node: ast.expr, names: set[str]) -> bool:
    """One of these names, or an element of the value it stands for."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id in names


def _asks_forgiveness(handler: ast.ExceptHandler) -> bool:
    """`except AttributeError`: a test of what a value is, by trying."""
    names = [handler.type, *getattr(handler.type, "elts", ())]
    return any(isinstance(n, ast.Name) and n.id in ("AttributeError", "TypeError") for n in names)


def _tests(call: ast.Call, name: str) -> bool:
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if last not in {"isinstance", "is_tensor", "hasattr", "callable", "as_tensor", "asarray"}:
        return False
    return bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == name


def _array_only(node: ast.BinOp | ast.Subscript, names: set[str]) -> bool:
    """`name @ other`, `name[:, 0]`, `name[None]`: what else could do this is an array."""
    if isinstance(node, ast.BinOp):
        sides = [s.value if isinstance(s, ast.Attribute) else s for s in (node.left, node.right)]
        return isinstance(node.op, ast.MatMult) and any(_is(side, names) for side in sides)
    if not (isinstance(node.value, ast.Name) and node.value.id in names):
        return False
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    new = any(isinstance(part, ast.Constant) and part.value in (None, ...) for part in parts)
    return new or (len(parts) > 1 and any(isinstance(part, ast.Slice) for part in parts))


def _tensor_only(call: ast.Call, names: set[str], frame: Frame) -> bool:
    func = call.func
    if isinstance(func, ast.Attribute) and _is(func.value, names):
        if func.attr in {"size", "dim"}:
            return True
        if func.attr in _OF_ARRAYS and frame.index.only_torch:
            return True
        named = {k.arg for k in call.keywords if k.arg is not None}
        known = func.attr not in SHARED and torch_api.method(func.attr) is not None
        return known and named <= torch_api.argument_names()
    first = call.args[0] if call.args else None
    if first is None or not _is(first, names):
        return False
    dotted = static_name(func, frame)
    if dotted is None or dotted in _ACCEPT_ANYTHING or not dotted.startswith("torch."):
        return False
    op = torch_api.function(dotted)
    return op is not None and not op.creates


def static_name(node: ast.expr, frame: Frame) -> str | None:
    """The dotted library name of `a.b.c`, by what `a` is bound to in the scopes around."""
    value = _static(node, frame)
    known = value is not None and value.kind == Kind.LIBRARY and isinstance(value.ref, str)
    return value.ref if value is not None and known else None


def _static(node: ast.expr, frame: Frame) -> Value | None:
    if isinstance(node, ast.Name):
        return frame.name(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = _static(node.value, frame)
    if owner is None or owner.kind != Kind.LIBRARY or not isinstance(owner.ref, str):
        return None
    inner = attribute_of(owner, node.attr, frame)
    if inner is None or frame.program.skims:
        return library(f"{owner.ref}.{node.attr}")
    return frame.program.modules.resolve(inner, frame)
