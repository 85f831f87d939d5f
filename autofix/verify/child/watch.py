"""The mode under which a program runs: sees each torch call, and holds what leaves the graph.

A value leaves the graph where an operation takes a tensor that requires grad and gives floats
that do not. In shifted runs such values are replayed from the tape of the unshifted run, so that
a stop that the change is not about has no slope.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from . import tensors
from .session import TAPE, Place, Session
from .tensors import Tensor

_SKIP = frozenset(
    "requires_grad is_leaf grad_fn shape dtype device layout names ndim _version output_nr "
    "grad _grad is_cuda is_sparse retains_grad _backward_hooks".split()
)
_PASS = frozenset(
    "size dim numel nelement stride is_floating_point is_complex __len__ __repr__ __format__ "
    "__str__ __hash__ register_hook requires_grad_ retain_grad backward is_contiguous data_ptr "
    "storage_offset _set_grad_enabled set_grad_enabled untyped_storage element_size "
    "__reduce_ex__ __deepcopy__ is_tensor is_same_size get_device has_names type_as_ __bool__ "
    "__contains__ share_memory_ manual_seed _is_view is_shared allclose equal isnan isinf "
    "argmax argmin".split()
)
_ARBITRARY = frozenset("svd linalg_svd qr linalg_qr eig linalg_eig linalg_eigh lobpcg".split())
"""Their factors may turn where the input moves a little: no slope is theirs alone."""
_NARROW = (torch.float32, torch.float16, torch.bfloat16)
_WIDEN = frozenset("float half bfloat16".split())
_Kind = tuple[str, bool]
"""What to do with a function, and whether it writes into its first argument."""


class Watch(TorchFunctionMode):
    """Feeds a session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.kinds: dict[Any, _Kind] = {}
        self.wide = session.mode.frozen

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        session = self.session
        if session.paused:
            return func(*args, **kwargs)
        found = self.kinds.get(func)
        if found is None:
            found = self.kinds[func] = _classify(func)
        kind, writes = found
        if kind == "skip":
            return func(*args, **kwargs)
        if self.wide:
            func, args, kwargs = _widened(func, kind, args, kwargs)
        given = [*tensors.inside(args), *tensors.inside(kwargs)]
        self._before(kind, writes, given)
        if self._is_update(kind, writes, args):
            return args[0] if kind != "data.set" else None
        result = func(*args, **kwargs)
        if session.mode.name == "exact":
            self._follow(result, given)
        if self._leaves_graph(result, given, writes):
            return self._exit(kind, result, writes)
        return result

    def _before(self, kind: str, writes: bool, given: list[Tensor]) -> None:
        session = self.session
        if kind in _ARBITRARY:
            session.opaque.add(f"`{kind}` is free to choose a basis")
        # What is written is not used: it may be an initialiser's doing.
        read = given[1:] if writes else given
        leaves = [one for one in read if one.requires_grad and one.is_leaf]
        if not leaves or kind == "data.set":
            return
        differentiable = torch.is_grad_enabled() or (session.mode.values_only and not writes)
        # Initialisers and evaluations use neither; in the changed lines both are on trial.
        if (differentiable and kind != "data.get") or where(session)[1]:
            for leaf in leaves:
                session.use(leaf)

    def _follow(self, result: Any, given: list[Tensor]) -> None:
        """Mark what is computed behind a cut, however many steps behind."""
        severed = self.session.severed
        if any(one.requires_grad or id(one) in severed for one in given):
            for one in tensors.inside(result):
                if not one.requires_grad and tensors.is_float(one):
                    severed[id(one)] = one

    def _is_update(self, kind: str, writes: bool, args: tuple[Any, ...]) -> bool:
        """Whether a parameter is being trained by hand; such a step is left out like any other."""
        session = self.session
        if not (session.mode.frozen and session.events and args):
            return False
        target = args[0]
        if not isinstance(target, Tensor):
            return False
        if kind == "data.set":
            return id(target) in session.by_id
        if not writes or (torch.is_grad_enabled() and target.requires_grad):
            return False
        memory = tensors.storage(target)
        held = (leaf.tensor for leaf in session.leaves if not _is_gradient(leaf.tensor, target))
        return memory != 0 and any(tensors.storage(leaf) == memory for leaf in held)

    def _leaves_graph(self, result: Any, given: list[Tensor], writes: bool) -> bool:
        session = self.session
        if not session.mode.frozen and session.steps:
            return False
        if session.inside_function or not any(tensor.requires_grad for tensor in given):
            return False
        if isinstance(result, Tensor):
            return not result.requires_grad and tensors.is_float(result) and result.numel() > 0
        if isinstance(result, float):
            return True
        if isinstance(result, (list, tuple)):
            found = list(tensors.inside(result))
            if found:
                return all(not one.requires_grad and tensors.is_float(one) for one in found)
            return _numbers(result)
        return False

    def _exit(self, name: str, result: Any, writes: bool) -> Any:
        session = self.session
        place, live = where(session)
        session.exits[place.line, name] = session.exits.get((place.line, name), 0) + 1
        if live:
            key = place.line, name
            session.live_exits[key] = session.live_exits.get(key, 0) + 1
        mode = session.mode
        if mode.name == "base":
            session.tape.append(_keep(session, result))
            return result
        if mode.name != "shifted" or mode.values_only:
            return result
        position = session.position
        session.position += 1
        if mode.live == "all" or (mode.live == "spans" and live):
            return result
        if position >= len(session.tape):
            session.diverged = f"line {place.line}: `{name}` is met more often than before"
            return result
        kept = session.tape[position]
        if writes and isinstance(result, Tensor) and isinstance(kept, Tensor):
            with torch.no_grad():
                result.data.copy_(kept.reshape(result.shape))
            return result
        return _replay(session, result, kept, place)


def _is_gradient(leaf: Tensor, target: Tensor) -> bool:
    return leaf.grad is not None and leaf.grad is target


def _keep(session: Session, result: Any) -> Any | None:
    """The value for the tape; None when the tape is full."""
    if isinstance(result, Tensor):
        session.taped += result.numel()
        return tensors.plain(result) if session.taped < TAPE else None
    if isinstance(result, (list, tuple)) and any(True for _ in tensors.inside(result)):
        return [_keep(session, one) for one in tensors.inside(result)]
    return result


def _replay(session: Session, result: Any, kept: Any, place: Place) -> Any:
    if kept is None:
        session.diverged = "too many values leave the graph to be held"
        return result
    if isinstance(result, Tensor):
        if not isinstance(kept, Tensor) or kept.shape != result.shape:
            session.diverged = f"line {place.line}: another path was taken"
            return result
        return _held(result, kept)
    if isinstance(result, (list, tuple)) and any(True for _ in tensors.inside(result)):
        replayed = [_held(one, old) for one, old in zip(tensors.inside(result), kept)]
        plain = type(result) in (list, tuple) and len(replayed) == len(result)
        return type(result)(replayed) if plain else result
    return kept


def _held(result: Tensor, kept: Tensor) -> Tensor:
    """The kept values; the tensor itself where nothing has moved, so that aliases stay aliases."""
    if torch.equal(tensors.plain(result), kept):
        return result
    return kept.to(result.dtype).reshape(result.shape)


def _numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_numbers(item) for item in value)
    return isinstance(value, float)


def _classify(func: Any) -> _Kind:
    name = getattr(func, "__name__", "") or ""
    if name in ("__get__", "__set__"):
        owner = getattr(getattr(func, "__self__", None), "__name__", "")
        if owner == "data":
            return ("data.get" if name == "__get__" else "data.set"), False
        return ("skip" if owner in _SKIP or name == "__set__" else owner), False
    if name in _PASS:
        return "skip", False
    return name, (name.endswith("_") and not name.endswith("__")) or name in (
        "__setitem__ __iadd__ __isub__ __imul__ __itruediv__ __ipow__".split()
    )


def _widened(func: Any, kind: str, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Ask for float64 where the program asks for a narrower type."""
    if kind in _WIDEN:
        return torch.Tensor.double, args[:1], {}
    if kind == "type" and len(args) > 1:
        names = {"torch.FloatTensor": torch.float64, "torch.HalfTensor": torch.float64}
        args = (args[0], names.get(args[1], args[1]) if isinstance(args[1], str) else args[1])
    if kwargs.get("dtype") in _NARROW:
        kwargs = {**kwargs, "dtype": torch.float64}
    if any(isinstance(one, torch.dtype) for one in args):
        args = tuple(torch.float64 if _is_narrow(one) else one for one in args)
    if kind in ("from_numpy", "as_tensor", "tensor", "load"):
        return _doubled(func), args, kwargs
    return func, args, kwargs


def _is_narrow(value: Any) -> bool:
    return isinstance(value, torch.dtype) and value in _NARROW


def _doubled(func: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        return result.double() if isinstance(result, Tensor) and result.dtype in _NARROW else result

    return call


# Where ----------------------------------------------------------------------------------------

_places: dict[tuple[Any, int], Place] = {}


def where(session: Session) -> tuple[Place, bool]:
    """The call that is being made, and whether the change is about it."""
    frame = session.user_frame()
    if frame is None:
        return Place(0, 0, 0, 0), False
    place = _place(frame)
    if any(_within(place, span) for span in session.plan.spans):
        return place, True
    if not session.plan.regions:
        return place, False
    while frame is not None:
        if frame.f_code.co_filename == session.path:
            line = frame.f_lineno
            if any(first <= line <= last for first, last in session.plan.regions):
                return place, True
        frame = frame.f_back
    return place, False


def _place(frame: Any) -> Place:
    code, offset = frame.f_code, frame.f_lasti
    key = (code, offset)
    if key not in _places:
        _places[key] = _position(code, offset, frame.f_lineno)
    return _places[key]


def _position(code: Any, offset: int, line: int) -> Place:
    if not hasattr(code, "co_positions"):
        return Place(line, 0, line, 0)
    found = next(itertools.islice(code.co_positions(), offset // 2, None), (None,) * 4)
    first, last, column, end = found
    if first is None or column is None:
        return Place(line, 0, line, 0)
    return Place(first, column, last or first, end or 0)


def _within(place: Place, span: list[int]) -> bool:
    line, column, end_line, end_column = span
    if place.end_column == 0:
        return line <= place.line <= end_line
    begins = (place.line, place.column) >= (line, column)
    return begins and (place.end_line, place.end_column) <= (end_line, end_column)
