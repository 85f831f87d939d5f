"""Is an argument a tensor? Told by the operations that only tensors have."""

from __future__ import annotations

import ast

from autofix.flow import torch_api
from autofix.flow.frame import Frame
from autofix.flow.imported import attribute_of
from autofix.flow.index import FunctionNode
from autofix.flow.values import Kind, Value, library
from autofix.flow.walk import walk

# Methods of Tensor that other things an argument may be have too: numpy arrays, modules, lists,
# dicts, strings, data frames, loggers. Using one of them proves nothing.
SHARED = frozenset(
    "all any argmax argmin argpartition argsort astype choose clip compress conj copy cumprod "
    "cumsum diagonal dot dump dumps fill flatten item itemset max mean min nonzero partition prod "
    "put ravel repeat reshape resize round searchsorted sort squeeze std sum swapaxes take tolist "
    "tobytes trace transpose var view T real imag flat shape size ndim dtype data device mT "
    "to float half double cuda cpu bfloat16 zero_grad type train eval apply "
    "share_memory modules children index count extend append insert pop remove update get keys "
    "values items split join format replace strip add sub mul div pow abs map where log rank "
    "median mode quantile diff corr cov describe head tail apply_ map_ name names equals eq ne lt "
    "gt le ge unique isin expand is_complex subs diff integrate cumulative "
    "register_hook numpy bool int long char short byte storage stride select clone "
    "log_prob sample nelement mean_ conjugate adjoint "
    "multiply divide subtract power new".split()
)
_OF_ARRAYS = frozenset({"clone", "expand", "view"})
"""Methods in `SHARED` that, where no other library of arrays is at hand, only tensors have."""
_TENSOR_ATTRIBUTES = frozenset({"grad_fn", "requires_grad", "is_leaf", "grad", "is_cuda"})
_ACCEPT_ANYTHING = frozenset(
    {
        "torch.tensor",
        "torch.as_tensor",
        "torch.asarray",
        "torch.is_tensor",
        "torch.zeros",
        "torch.ones",
        "torch.empty",
        "torch.full",
        "torch.rand",
        "torch.randn",
        "torch.arange",
        "torch.eye",
        "torch.linspace",
        "torch.manual_seed",
        "torch.load",
        "torch.save",
        "torch.from_numpy",
        "torch.randint",
        "torch.device",
        "torch.Size",
        "torch.Generator",
        "torch.normal",
        "torch.stack",
        "torch.cat",
        "torch.hstack",
        "torch.vstack",
        "torch.einsum",
        "torch.randperm",
        "torch.concat",
        "torch.meshgrid",
        "torch.block_diag",
        "torch.logspace",
    }
)


def used_as_tensor(name: str, function: FunctionNode, frame: Frame) -> bool:
    """`_used_as_tensor`, asked once for each argument."""
    known = frame.program.as_tensor
    if (function, name) not in known:
        known[function, name] = _used_as_tensor(name, function, frame)
    return known[function, name]


def _used_as_tensor(name: str, function: FunctionNode, frame: Frame) -> bool:
    """Does the body do something with argument `name` that only a tensor can do, and nothing that
    tests what it is or gives it another value?"""
    nodes = frame.index.body_nodes(function)
    names = {name, *_elements_of(name, nodes)}
    if any(_asks_for_none(node, name, names - {name}) for node in nodes):
        return False
    until = _first_store(name, nodes)
    found = False
    for node in nodes:
        if isinstance(node, ast.ExceptHandler) and _asks_forgiveness(node):
            return False
        if getattr(node, "lineno", 0) > until:
            continue  # by then the name stands for something else
        if isinstance(node, ast.Call):
            if _tests(node, name):
                return False
            found = found or _tensor_only(node, names, frame)
        elif isinstance(node, (ast.BinOp, ast.Subscript)):
            found = found or (_array_only(node, names) and frame.index.only_torch)
        elif isinstance(node, ast.Attribute):
            found = found or (_is(node.value, names) and node.attr in _TENSOR_ATTRIBUTES)
    return found


def _first_store(name: str, nodes: list[ast.AST]) -> float:
    """The last line of the first statement that gives the name another value."""
    lines = [
        node.end_lineno or node.lineno
        for node in nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for part in walk(target)
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
    ]
    return min(lines, default=float("inf"))


def _elements_of(name: str, nodes: list[ast.AST]) -> set[str]:
    """`a` of `a = name[0]`, `a` and `b` of `a, b = name`: if they are tensors, so is it."""
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=local)], value=ast.Subscript(value=ast.Name(id=owner))
            ) if owner == name:
                found.add(local)
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=owner)) if (
                owner == name
            ):
                found |= {part.id for part in parts if isinstance(part, ast.Name)}
    return found


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
        return func.attr not in SHARED and torch_api.method(func.attr) is not None
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
