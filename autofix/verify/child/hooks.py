"""What torch is told to do differently while a session looks on. Installed once per process."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from . import chance, compiler, constructors, modules, optimizing, switches, tensors
from .current import current, unwatched
from .event import INNER, Event
from .leaf import Leaf
from .places import where
from .session import Session
from .tape import held
from .tensors import Tensor

_originals: dict[str, Callable[..., Any]] = {}


def install() -> None:
    if _originals:
        return
    compiler.leave_out()
    _patch(torch.autograd, "backward", _backward)
    _patch(torch.autograd, "grad", _grad)
    _patch(torch.autograd.Function, "apply", None)
    _patch_function_apply()
    optimizing.install()
    modules.install()
    switches.install()
    chance.install()
    constructors.install()


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
    session.received(leaf, added, event)


def _pretend(session: Session) -> None:
    """No backward pass: gradients are zero, so that steps and clipping find something."""
    for leaf in session.leaves:
        if leaf.tensor.grad is None:
            leaf.tensor.grad = torch.zeros_like(leaf.tensor)


def _grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    session = current()
    inner = bool(kwargs.get("create_graph") or (len(args) > 2 and args[2]))
    if session is None or (inner and not session.mode.frozen):
        return _originals["grad"](outputs, inputs, *args, **kwargs)
    with unwatched(session):
        weights = args[0] if args else kwargs.get("grad_outputs")
        event = session.event(INNER if inner else "grad", _weighted(outputs, weights))
        if session.mode.name == "plain":
            session.account()
        _credit_all(session, event, outputs, weights)
        if inner:
            # What is computed with it is a loss of its own, and says whether it was right.
            result = _originals["grad"](outputs, inputs, *args, **kwargs)
            session.finish_event(event)
            return result
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
        # Without a graph of its own a gradient is a constant for what is computed with it.
        place, live = where(session)
        return held(session, "grad", result, place, live=live)


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
            if tensor.requires_grad and tensors.is_leaf(tensor) and torch.is_grad_enabled():
                session.use(tensor)
        session.inside_function += 1
        try:
            return apply(cls, *args, **kwargs)
        finally:
            session.inside_function -= 1

    torch.autograd.Function.apply = classmethod(watched_apply)  # type: ignore[method-assign, assignment]
