"""What torch is told to do differently while a session looks on. Installed once per process."""

from __future__ import annotations

import hashlib
import random
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch.optim import Optimizer

from . import compiler, tensors
from .session import Event, Leaf, Session
from .tensors import Tensor

_current: list[Session] = []
_originals: dict[str, Callable[..., Any]] = {}


def current() -> Session | None:
    return _current[0] if _current and not _current[0].paused else None


@contextmanager
def watched(session: Session) -> Iterator[None]:
    _current[:] = [session]
    session.paused = False
    try:
        yield
    finally:
        session.paused = True


@contextmanager
def unwatched(session: Session) -> Iterator[None]:
    before, session.paused = session.paused, True
    try:
        yield
    finally:
        session.paused = before


def install() -> None:
    if _originals:
        return
    compiler.leave_out()
    _patch(torch.autograd, "backward", _backward)
    _patch(torch.autograd, "grad", _grad)
    _patch(torch.autograd.Function, "apply", None)
    _patch_function_apply()
    _patch_optimizers()
    _patch_modules()
    _patch_parameters()
    _patch_seeds()
    _patch_initialisers()
    _patch_constructors()
    _patch_arrays()
    _patch_loader()


def _patch(owner: Any, name: str, wrapper: Callable[..., Any] | None) -> None:
    original = getattr(owner, name)
    _originals[name] = original
    if wrapper is not None:
        setattr(owner, name, wraps(original)(wrapper))


# Backward passes ------------------------------------------------------------------------------


def _backward(tensors_: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
    session = current()
    if session is None:
        return _originals["backward"](tensors_, grad_tensors, *args, **kwargs)
    with unwatched(session):
        event = session.event("backward", _weighted(tensors_, grad_tensors))
        if session.mode.name == "plain":
            session.account()
        if session.mode.forward_only:
            _pretend(session)
            result = None
        else:
            result = _measured(session, event, tensors_, grad_tensors, args, kwargs)
        session.finish_event(event)
        return result


def _weighted(roots: Any, weights: Any) -> Any:
    """The scalar that is differentiated; where torch would refuse, the roots as they are."""
    given = [roots] if isinstance(roots, Tensor) else list(roots)
    held = [weights] if isinstance(weights, Tensor) else list(weights or [])
    if not held or len(held) != len(given) or any(one is None for one in held):
        return roots
    return [(root * weight.detach()).sum() for root, weight in zip(given, held)]


def _measured(
    session: Session, event: Event, roots: Any, weights: Any, args: Any, kwargs: Any
) -> Any:
    """The real backward pass; what it adds to each leaf is noted."""
    # Gradients of two leaves may lie in one memory; added to in place, both would be wrong. Where
    # no step is taken, each pass starts from none.
    held = [(leaf, leaf.tensor.grad) for leaf in session.leaves if session.mode.frozen]
    for leaf, _ in held:
        leaf.tensor.grad = None
    before = {
        leaf.index: tensors.plain(leaf.tensor.grad)
        for leaf in session.leaves
        if leaf.tensor.grad is not None
    }
    try:
        result = _originals["backward"](roots, weights, *args, **kwargs)
    except BaseException as error:
        event.raised = f"{type(error).__name__}: {error}"
        session.events.append(event)
        raise
    for leaf in session.leaves:
        after = leaf.tensor.grad
        if after is not None:
            old = before.get(leaf.index)
            added = tensors.plain(after) - old if old is not None else tensors.plain(after)
            _credit(session, event, leaf, added)
    for leaf, old in held:
        if old is not None:
            leaf.tensor.grad = old if leaf.tensor.grad is None else old + leaf.tensor.grad
    return result


def _credit(session: Session, event: Event, leaf: Leaf, added: Tensor) -> None:
    event.gradients[leaf.index] = added
    session.received(leaf, added)


def _pretend(session: Session) -> None:
    """No backward pass: gradients are zero, so that steps and clipping find something."""
    for leaf in session.leaves:
        if leaf.tensor.grad is None:
            leaf.tensor.grad = torch.zeros_like(leaf.tensor)


def _grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    session = current()
    if session is None or kwargs.get("create_graph") or (len(args) > 2 and args[2]):
        return _originals["grad"](outputs, inputs, *args, **kwargs)
    with unwatched(session):
        weights = args[0] if args else kwargs.get("grad_outputs")
        event = session.event("grad", _weighted(outputs, weights))
        if session.mode.name == "plain":
            session.account()
        _credit_all(session, event, outputs, weights)
        try:
            result = _originals["grad"](outputs, inputs, *args, **kwargs)
        except BaseException as error:
            event.raised = f"{type(error).__name__}: {error}"
            session.events.append(event)
            raise
        given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        for tensor, found in zip(given, result):
            leaf = session.by_id.get(id(tensor))
            if leaf is not None and found is not None:
                event.gradients[leaf.index] = tensors.plain(found)
                leaf.gradient = True
        session.finish_event(event)
        return result


def _credit_all(session: Session, event: Event, outputs: Any, weights: Any) -> None:
    """The gradient of every leaf, also of those that the program did not ask for."""
    leaves = [leaf for leaf in session.leaves if leaf.tensor.requires_grad]
    if session.mode.name != "exact" or not leaves or not event.requires_grad:
        return
    inputs = [leaf.tensor for leaf in leaves]
    try:
        found = _originals["grad"](outputs, inputs, weights, retain_graph=True, allow_unused=True)
    except RuntimeError:  # the pass that follows says what is wrong
        return
    for leaf, grad in zip(leaves, found):
        if grad is not None:
            event.gradients[leaf.index] = tensors.plain(grad)


def _patch_function_apply() -> None:
    """Inside a custom function grad mode is off, and what leaves the graph there comes back."""
    original = torch.autograd.Function.__dict__.get("apply") or torch.autograd.Function.apply
    apply = getattr(original, "__func__", original)

    def watched_apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        if session is None:
            return apply(cls, *args, **kwargs)
        session.opaque.add(f"`{cls.__name__}` defines its own gradient")
        for tensor in tensors.inside(args):
            if tensor.requires_grad and tensor.is_leaf and torch.is_grad_enabled():
                session.use(tensor)
        session.inside_function += 1
        try:
            return apply(cls, *args, **kwargs)
        finally:
            session.inside_function -= 1

    torch.autograd.Function.apply = classmethod(watched_apply)  # type: ignore[method-assign, assignment]


# Optimizers -----------------------------------------------------------------------------------


def _patch_optimizers() -> None:
    original = Optimizer.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        session = current()
        if session is not None:
            session.optimizers.append(self)
            self.step = types.MethodType(_step, self)

    Optimizer.__init__ = init  # type: ignore[method-assign]


def _step(self: Any, closure: Any = None, *args: Any, **kwargs: Any) -> Any:
    session = current()
    step = type(self).step
    if session is None:
        return step(self, *((closure,) if closure is not None else ()), *args, **kwargs)
    if session.mode.frozen:
        if closure is None:
            return None
        with torch.enable_grad():
            return closure()
    if closure is None:
        with unwatched(session):
            session.account()
            held = parameters_of(self)
            session.steps += 1
            session.idle_steps += all(_empty(tensor) for tensor in held)
            session.consumed(held)
    else:
        session.steps += 1
        session.searching = True
    result = step(self, *((closure,) if closure is not None else ()), *args, **kwargs)
    with unwatched(session):
        session.account()
        session.searching = False
    return result


def parameters_of(optimizer: Any) -> list[Tensor]:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def _empty(tensor: Tensor) -> bool:
    return tensor.grad is None or not bool(tensors.plain(tensor.grad).abs().sum() > 0)


# Modules --------------------------------------------------------------------------------------


def _patch_modules() -> None:
    original = torch.nn.Module.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        if session is None:
            return original(self, *args, **kwargs)
        if not session.stack and not any(root is self for root in session.roots):
            session.roots.append(self)
        session.stack.append(self)
        try:
            return original(self, *args, **kwargs)
        finally:
            session.stack.pop()

    torch.nn.Module.__call__ = call  # type: ignore[method-assign]


def _patch_parameters() -> None:
    """Weights that are made inside of a forward pass are made again by the next one."""
    original = torch.nn.Parameter.__new__

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(cls, *args, **kwargs)
        session = current()
        if session is None:
            return made
        if session.stack:
            session.made_inside.append(made)
        elif any(one.requires_grad for one in tensors.inside([args[:1], kwargs.get("data")])):
            session.begin(made)
        return made

    torch.nn.Parameter.__new__ = new  # type: ignore[method-assign]


# Chance ---------------------------------------------------------------------------------------

_offset = [0]


def seed(number: int) -> None:
    """Start all generators alike; `torch.manual_seed(0)` in the program then means this too."""
    _offset[0] = 1009 * number
    _drawn.clear()
    random.seed(number)
    # Not `torch.manual_seed`: for each device that is not there it formats the whole stack.
    torch.default_generator.manual_seed(_offset[0])
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(_offset[0])


def _patch_seeds() -> None:
    original = torch.manual_seed

    def manual_seed(value: Any) -> Any:
        return original(int(value) + _offset[0])

    torch.manual_seed = manual_seed  # type: ignore[assignment]
    torch.random.manual_seed = manual_seed  # type: ignore[assignment]
    python_seed = random.seed

    def shifted_seed(value: Any = None, *args: Any, **kwargs: Any) -> None:
        shifted = value + _offset[0] if isinstance(value, int) else value
        python_seed(shifted, *args, **kwargs)

    random.seed = shifted_seed  # type: ignore[assignment]
    try:
        import numpy
    except ImportError:
        return
    array_seed = numpy.random.seed

    def numpy_seed(value: Any = None) -> None:
        array_seed(value + _offset[0] if isinstance(value, int) else value)

    numpy.random.seed = numpy_seed  # type: ignore[assignment]


_drawn: dict[Any, int] = {}


def _patch_initialisers() -> None:
    """The n-th initialisation of a shape draws the same values wherever it stands in the program,
    so that a layer which is made earlier or later starts from the same weights."""
    for name in dir(torch.nn.init):
        original = getattr(torch.nn.init, name)
        if name.endswith("_") and not name.startswith("_") and callable(original):
            setattr(torch.nn.init, name, _steady(original))


def _steady(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def initialise(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        if session is None or not isinstance(tensor, Tensor) or kwargs.get("generator") is not None:
            return original(tensor, *args, **kwargs)
        kind = (original.__name__, tuple(tensor.shape))
        _drawn[kind] = _drawn.get(kind, 0) + 1
        state = torch.get_rng_state()
        torch.default_generator.manual_seed(_number((kind, _drawn[kind], _offset[0])))
        try:
            return original(tensor, *args, **kwargs)
        finally:
            torch.set_rng_state(state)

    return initialise


def _number(value: Any) -> int:
    return int(hashlib.sha1(repr(value).encode()).hexdigest()[:12], 16)


# Constructors that the mode does not see ------------------------------------------------------


def _patch_constructors() -> None:
    """In float64 runs `torch.FloatTensor` has to be double as well."""
    meta: Any = type(torch.autograd.Variable)
    original = meta.__call__ if "__call__" in vars(meta) else type.__call__

    def call(cls: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        result = original(cls, *args, **kwargs)
        if session is None or not args or not isinstance(args[0], Tensor):
            return result
        if session.mode.frozen and args[0].requires_grad and not args[0].is_leaf:
            session.opaque.add("`Variable` starts a new graph")
        return result

    meta.__call__ = call


def _patch_arrays() -> None:
    """`torch.from_numpy` is not among what a mode sees."""
    original = torch.from_numpy

    @wraps(original)
    def from_numpy(array: Any) -> Any:
        session, result = current(), original(array)
        wide = session is not None and session.mode.frozen and result.is_floating_point()
        return result.double() if wide else result

    torch.from_numpy = from_numpy  # type: ignore[assignment]


def set_precision(wide: bool) -> None:
    """Float64 by default, and in the constructors that name a type."""
    torch.set_default_dtype(torch.float64 if wide else torch.float32)
    if not hasattr(torch, "_autofix_float_tensor"):
        torch._autofix_float_tensor = torch.FloatTensor  # type: ignore[attr-defined]
    torch.FloatTensor = (  # type: ignore[misc]
        torch.DoubleTensor if wide else torch._autofix_float_tensor  # type: ignore[attr-defined, assignment]
    )


def _patch_loader() -> None:
    """Loader workers would be processes that nothing watches; autocast would lose digits."""
    loader = torch.utils.data.DataLoader
    original = loader.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs["num_workers"] = 0
        for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context"):
            kwargs.pop(name, None)
        original(self, *_without_workers(args), **kwargs)

    loader.__init__ = init  # type: ignore[method-assign]


def _without_workers(args: Sequence[Any]) -> Sequence[Any]:
    return args[:5]
