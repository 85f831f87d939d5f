"""Operations on a Parameter that give a plain tensor, and what moving them would mean."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import IntEnum

from autofix.codemods.leaf._numbers import is_number
from autofix.codemods.leaf._placed import is_there
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import all_arguments, is_none
from autofix.flow.values import INTEGRAL, Graph, Kind

MOVES = frozenset(
    [
        "view",
        "reshape",
        "t",
        "transpose",
        "permute",
        "unsqueeze",
        "squeeze",
        "flatten",
        "unflatten",
        "ravel",
        "contiguous",
        "movedim",
        "moveaxis",
        "swapaxes",
        "swapdims",
        "adjoint",
        "view_as",
        "reshape_as",
        "to",
        "cuda",
        "cpu",
        "double",
        "half",
        "float",
        "bfloat16",
        "type",
        "type_as",
        "clone",
    ]
)
_SCALES = frozenset(
    ["mul", "multiply", "add", "sub", "subtract", "div", "divide", "true_divide", "neg", "negative"]
)
_PROPERTIES = frozenset({"T", "mT", "H", "mH"})
_REPEATS = frozenset(["expand", "expand_as", "repeat", "tile", "repeat_interleave", "broadcast_to"])
_TAKES_OUT = frozenset({"detach", "detach_", "data", "clone_", "new_tensor", "resolve_conj"})
_LINEAR = (ast.Mult, ast.Add, ast.Sub, ast.Div)
_SAME_OBJECT = frozenset({"contiguous", "cpu", "to", "float", "double", "type", "half"})


class Tier(IntEnum):
    """What moving an operation into `nn.Parameter(...)` means for what is trained."""

    SAME = 0  # returns the Parameter itself
    MOVES = 1  # same values elsewhere, in another shape or dtype, or scaled by a number
    CHANGES = 2  # the parameter is trained without a constraint or a factor it had
    CHOICE = 3  # only the author knows


@dataclass(frozen=True, slots=True)
class Operation:
    node: ast.expr
    name: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class Chain:
    """Operations applied one after another, from the value outwards."""

    inner: ast.expr
    node: ast.expr
    operations: tuple[Operation, ...]

    @property
    def tier(self) -> Tier:
        return max(o.tier for o in self.operations)

    @property
    def label(self) -> str:
        return self.operations[0].name


def chain_from(facts: Facts, start: ast.expr) -> Chain | None:
    """The longest chain of operations on `start` that do not return the Parameter itself."""
    node = start
    found: list[Operation] = []
    while (operation := step(facts, node)) is not None:
        if operation.tier == Tier.SAME and not found:
            return None  # still the value itself
        node = operation.node
        found.append(operation)
    while found and found[-1].tier == Tier.SAME:
        found.pop()
    if not any(o.tier for o in found):
        return None
    return Chain(start, found[-1].node, tuple(o for o in found if o.tier))


def step(facts: Facts, node: ast.expr) -> Operation | None:
    """The operation that takes `node` as its tensor, if its result is a tensor with the graph."""
    parent = facts.index.parents.get(node)
    match parent:
        case ast.Attribute(value=owner, attr=name) if owner is node:
            call = facts.index.parents.get(parent)
            if isinstance(call, ast.Call) and call.func is parent:
                tier = _method(facts, name, call)
                return None if tier is None else Operation(call, f"`.{name}()`", tier)
            return Operation(parent, f"`.{name}`", Tier.MOVES) if name in _PROPERTIES else None
        case ast.BinOp():
            return Operation(parent, "arithmetic", _arithmetic(facts, parent, node))
        case ast.UnaryOp(op=ast.USub()):
            return Operation(parent, "`-`", Tier.MOVES)
        case ast.Subscript(value=owner, ctx=ast.Load()) if owner is node:
            tier = Tier.MOVES if _only_adds_dims(parent.slice) else Tier.CHANGES
            return Operation(parent, "indexing", tier)
        case ast.Call(args=[first, *_]) if first is node:
            return _function(facts, parent)
        case ast.keyword(arg="input"):
            call = facts.index.parents.get(parent)
            return _function(facts, call) if isinstance(call, ast.Call) else None
    return None


def _method(facts: Facts, name: str, call: ast.Call) -> Tier | None:
    if name.endswith("_") and not name.startswith("_"):
        return Tier.SAME if torch_api.method(name) or name == "share_memory_" else None
    return _tier(facts, name, torch_api.method(name), call, 0)


def _function(facts: Facts, call: ast.Call) -> Operation | None:
    """`torch.reshape(p, ...)`, `F.normalize(p)`, `nn.init.zeros_(p)`."""
    name = last_name(call.func) or ""
    if not name.islower() or isinstance(call.func, ast.Call):
        return None
    dotted = facts.library_name(call.func)
    if dotted is None or not dotted.startswith("torch."):
        return _activation(facts, call, name)
    if dotted.startswith("torch.nn.init.") and name.endswith("_"):
        return Operation(call, f"`{name}`", Tier.SAME)
    tier = _tier(facts, name, torch_api.function(dotted), call, 1)
    return None if tier is None else Operation(call, f"`{name}`", tier)


def _activation(facts: Facts, call: ast.Call, name: str) -> Operation | None:
    """`self.softmax(p)` of a module without weights."""
    value = facts.value(call.func)
    made_by = value.ref if value.kind == Kind.MODULE and isinstance(value.ref, str) else ""
    module = torch_api.module(made_by)
    if module is None or module.params or module.container or module.shape != "same":
        return None
    return Operation(call, f"`{name}`", Tier.CHANGES)


def _tier(
    facts: Facts, name: str, op: torch_api.Op | None, call: ast.Call, skip: int
) -> Tier | None:
    if name in _TAKES_OUT or op is None or op.ret != "tensor" or not op.grad or op.creates:
        return None
    others = [*call.args[skip:], *(k.value for k in call.keywords)]
    if name in MOVES:
        return None if _to_integer(facts, name, others) else Tier.MOVES
    if any(_has_graph(facts, other) for other in others):
        return Tier.CHOICE
    if name in _SCALES:
        masks = name in ("mul", "multiply")
        return max([Tier.MOVES, *(_factor(facts, other, masks) for other in others)])
    if name in _REPEATS or op.shape != "same":
        return Tier.CHANGES if op.shape == "broadcast" else Tier.CHOICE
    return Tier.CHANGES


def _to_integer(facts: Facts, name: str, others: list[ast.expr]) -> bool:
    """`.to(torch.long)` carries no gradient."""
    if name not in ("to", "type"):
        return False
    names = {(facts.library_name(o) or "").rpartition(".")[2] for o in others}
    return bool(names & (INTEGRAL | {"long", "short", "LongTensor"}))


def _arithmetic(facts: Facts, node: ast.BinOp, operand: ast.expr) -> Tier:
    other = node.right if node.left is operand else node.left
    if _has_graph(facts, other):
        return Tier.CHOICE
    if not isinstance(node.op, _LINEAR) or (isinstance(node.op, ast.Div) and other is node.left):
        return Tier.CHANGES
    return _factor(facts, other, isinstance(node.op, ast.Mult))


def _factor(facts: Facts, node: ast.expr, masks: bool) -> Tier:
    """Is the other side a number, or a tensor that is surely constant? What is multiplied by one
    of many elements may be a mask, behind which nothing was to be trained."""
    value = facts.value(node)
    if value.is_tensor and value.graph == Graph.NO:
        return Tier.CHANGES if masks and not value.is_single else Tier.MOVES
    return Tier.MOVES if is_number(facts, node) else Tier.CHANGES


def _has_graph(facts: Facts, node: ast.expr) -> bool:
    value = facts.value(node)
    return bool(value.kind & Kind.TENSOR) and value.graph == Graph.YES


def _only_adds_dims(index: ast.expr) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return any(is_none(p) for p in parts) and all(
        (isinstance(p, ast.Constant) and p.value in (None, ...))
        or (isinstance(p, ast.Slice) and p.lower is p.upper is p.step is None)
        for p in parts
    )


def returns_itself(facts: Facts, chain: Chain, data: ast.expr) -> bool:
    """Does every operation find nothing to do, as `.cpu()` of a new tensor, and return the same
    object? Then the Parameter is not lost."""
    value = facts.value(data)
    dtype = value.dtype if value.is_tensor else None
    fresh = isinstance(data, ast.Call) and (facts.library_name(data.func) or "").startswith(
        "torch."
    )
    op = (
        torch_api.function(facts.library_name(data.func) or "")
        if isinstance(data, ast.Call)
        else None
    )
    created = fresh and op is not None and op.creates
    here = created and isinstance(data, ast.Call) and all(k.arg != "device" for k in data.keywords)
    return all(
        _no_op(facts, o, dtype, created, here) or _moved_before(facts, o, data)
        for o in chain.operations
    )


def _moved_before(facts: Facts, operation: Operation, data: ast.expr) -> bool:
    """`.to(device)` of what was made of something on that device."""
    call = operation.node
    if operation.name not in ("`.to()`", "`.cuda()`") or not isinstance(call, ast.Call):
        return False
    return len(call.args) + len(call.keywords) < 2 and is_there(facts, data, call)


def _no_op(facts: Facts, operation: Operation, dtype: str | None, new: bool, here: bool) -> bool:
    call, name = operation.node, operation.name.strip("`.()")
    if not isinstance(call, ast.Call) or name not in _SAME_OBJECT:
        return False
    arguments = all_arguments(call)
    if name == "contiguous":
        return new and not arguments
    if name == "cpu":
        return here
    if name in ("float", "double", "half"):
        wanted = {"float": ("default", "float32"), "double": ("float64",), "half": ("float16",)}
        return dtype in wanted[name] and not arguments
    return bool(arguments) and all(_is_here(facts, a, dtype, here) for a in arguments)


def _is_here(facts: Facts, argument: ast.expr, dtype: str | None, here: bool) -> bool:
    """Is `argument` the device or dtype that the tensor has already?"""
    if isinstance(argument, ast.Constant) and argument.value == "cpu":
        return here
    if isinstance(argument, ast.Call) and last_name(argument.func) == "device":
        return len(argument.args) == 1 and _is_here(facts, argument.args[0], dtype, here)
    wanted = (facts.library_name(argument) or "").rpartition(".")[2]
    return dtype is not None and wanted in ({dtype} if dtype != "default" else {"float32", "float"})
