"""Small questions about tensors and about the values that hold them."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import torch

Tensor = torch.Tensor
DEPTH = 6
MANY = 400
"""So many parts of a value are looked at."""
SMALL = 10_000
"""So many numbers are kept rather than drawn again."""


def inside(value: Any, depth: int = DEPTH) -> Iterator[Tensor]:
    """Every tensor in a value: in lists, tuples, dicts, dataclasses and plain objects' fields."""
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from inside(item, depth - 1)
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from inside(item, depth - 1)


def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Every tensor that a call is given; most calls are given little else."""
    found: list[Tensor] = []
    for one in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(one, Tensor):
            found.append(one)
        elif isinstance(one, (list, tuple, set, frozenset, dict)):
            found.extend(inside(one))
    return found


def deep(value: Any) -> Iterator[tuple[str, Tensor]]:
    """The same with names, also through objects and modules."""
    yield from _deep(value, "", DEPTH, set())


def _deep(value: Any, name: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
        return
    if not depth or id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
        return
    seen.add(id(value))
    if isinstance(value, torch.nn.Module):
        for key, found in [*value.named_parameters(), *value.named_buffers()]:
            yield f"{name}.{key}" if name else key, found
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _deep(item, f"{name}[{index}]", depth - 1, seen)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _deep(item, f"{name}[{key!r}]", depth - 1, seen)
    else:
        for key, item in _fields(value).items():
            yield from _deep(item, f"{name}.{key}" if name else key, depth - 1, seen)


def _fields(value: Any) -> dict[str, Any]:
    """The attributes of an object of the program itself."""
    own = type(value).__module__.split(".")[0] not in ("torch", "builtins", "numpy")
    return dict(getattr(value, "__dict__", {})) if own else {}


def results(value: Any, kinds: Any = (Tensor, float), depth: int = DEPTH) -> Iterator[Any]:
    """What a function returns, in order: tensors, and numbers that might have been tensors."""
    if isinstance(value, kinds):
        yield value
    elif depth:
        for item in _parts(value):
            yield from results(item, kinds, depth - 1)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        # One container of torch keeps its keys in another order than a plain one.
        return [one for _, one in sorted(value.items(), key=lambda entry: str(entry[0]))]
    # An object takes two steps of the depth: it may lead to many others.
    return value if isinstance(value, (list, tuple)) else [[*_fields(value).values()]]


def forms(value: Any) -> list[Any]:
    """Of each tensor and number in a value, in order, the shape, the sum, that of the sizes, and
    the type; a number has no shape, as it may be a tensor in the other version."""
    found = islice(results(value, (Tensor, float, int)), MANY)
    return [
        [list(one.shape), *sums(plain(one)), str(one.dtype)[6:]]
        if isinstance(one, Tensor)
        else [None, float(one), abs(float(one)), ""]
        for one in found
    ]


def sums(held: Tensor) -> tuple[float, float]:
    """Of plain values the sum, and that of their sizes."""
    return float(held.sum()), float(held.abs().sum())


def is_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.layout == torch.strided


def plain(tensor: Tensor) -> Tensor:
    """The values alone, as float64 on the CPU."""
    with torch.no_grad():
        held = tensor.detach()
        if held.layout != torch.strided:
            held = held.to_dense()
        if held.is_complex():
            held = torch.view_as_real(held.resolve_conj())
        return held.to("cpu", torch.float64, copy=True)


def digest(tensor: Tensor) -> str:
    """A name for the contents: equal for equal values of equal shape."""
    values = plain(tensor).contiguous()
    raw = ctypes.string_at(values.data_ptr(), 8 * values.numel())  # NumPy may not be there
    return hashlib.sha1(repr(tuple(tensor.shape)).encode() + raw).hexdigest()[:16]


def single(tensor: Tensor) -> str:
    """The same for the values as `float32` has them: what was one for a while is equal to that."""
    return digest(plain(tensor).to(torch.float32))


def storage(tensor: Tensor) -> int:
    """Which memory a tensor lies in; 0 if it has none of its own."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):
        return 0


def weights(shape: Sequence[int], number: int) -> Tensor:
    """Fixed weights that make one number of an output: a softmax's plain sum would be constant."""
    small = math.prod(shape) <= SMALL
    return (_kept_weights if small else _weights)(tuple(shape), number)


def _weights(shape: tuple[int, ...], number: int) -> Tensor:
    with torch.inference_mode(False), torch._C.DisableTorchFunction():
        generator = torch.Generator().manual_seed(7919 * (number + 1))
        return torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5


_kept_weights = lru_cache(maxsize=64)(_weights)


def scalar(outputs: Sequence[Tensor]) -> Tensor:
    """One number of all floating outputs."""
    total: Any = 0.0
    for number, output in enumerate(outputs):
        real = torch.view_as_real(output) if output.is_complex() else output
        if real.layout != torch.strided:
            real = real.to_dense()
        held = real.to("cpu", torch.float64)
        total = total + (held * weights(held.shape, number)).sum()
    return total if isinstance(total, Tensor) else torch.zeros((), dtype=torch.float64)


def node_of(tensor: Tensor) -> Any:
    """The node of the graph that a tensor comes from. There is none for a view that was made
    without gradients and whose base has been written to: to ask for it is an error."""
    try:
        return tensor.grad_fn
    except RuntimeError:
        return None


def is_leaf(tensor: Tensor) -> bool:
    """The same for whether it is a leaf."""
    try:
        return tensor.is_leaf
    except RuntimeError:
        return False


def ends(tensor: Tensor) -> list[Tensor]:
    """The leaves that a tensor is computed from, or the tensor itself if it is one."""
    if tensor.requires_grad and is_leaf(tensor):
        return [tensor]
    return nodes_behind(tensor)[1]


def nodes_behind(
    root: Tensor, most: int = 20_000, seen: set[Any] | None = None
) -> tuple[int, list[Tensor]]:
    """The size of the graph behind a tensor, and the leaves that it ends in. The nodes are added
    to `seen`."""
    seen = set() if seen is None else seen
    node = node_of(root)
    todo: list[Any] = [node] if node is not None else []
    found: list[Tensor] = []
    while todo and len(seen) < most:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.append(variable)
        todo.extend(following for following, _ in node.next_functions)
    return len(seen), found


def kept_nodes(most: int = 20_000) -> int:
    """The size of all graphs that anything in the process holds on to."""
    seen: set[Any] = set()
    for one in gc.get_objects():
        if type(one) is Tensor and len(seen) < most and node_of(one) is not None:
            nodes_behind(one, most, seen)
    return len(seen)


def version(tensor: Tensor) -> int:
    """How often it was written to; of a tensor made in inference mode nobody knows."""
    return 0 if tensor.is_inference() else int(tensor._version)


def name_in(frame: Any, tensor: Tensor) -> str:
    """What the program calls a tensor at this point, or nothing."""
    if frame is None:
        return ""
    held = frame.f_locals
    for name, value in held.items():
        if value is tensor:
            return str(name)
    own = held.get("self")
    for name, value in getattr(own, "__dict__", {}).items() if own is not None else ():
        if value is tensor:
            return f"self.{name}"
    return ""
