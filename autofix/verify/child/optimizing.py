"""What is seen of optimizers, and of what works on their numbers and gradients."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import wraps
from typing import Any

import torch
from torch.nn import utils
from torch.optim import Optimizer, lr_scheduler

from . import tensors
from .current import current, unwatched
from .places import beside
from .session import Session
from .tensors import Tensor
from .training import empty, flat


def install() -> None:
    _patch_optimizers()
    _patch_schedulers()
    _patch_clips()


def _patch_optimizers() -> None:
    original = Optimizer.__init__

    @wraps(original)
    def init(self: Any, params: Any, *args: Any, **kwargs: Any) -> None:
        session = current()
        if session is None:
            original(self, params, *args, **kwargs)
            return
        if isinstance(params, Iterator):
            params = list(params)
        session.training.changed.append(beside(session))
        try:
            original(self, params, *args, **kwargs)
        except ValueError:
            with unwatched(session):
                session.reads.refuse([params])
                session.made_with.append(_asked(params, *args, **kwargs))
            raise
        session.restarted += sum(_has_state(session, one) for one in parameters_of(self))
        session.optimizers.append(self)
        session.training.make(self)
        session.made_with.append([_numbers(group) for group in self.param_groups])
        self.step = types.MethodType(_step, self)

    Optimizer.__init__ = init  # type: ignore[method-assign]


def _step(self: Any, closure: Any = None, *args: Any, **kwargs: Any) -> Any:
    session = current()
    step = type(self).step
    given = (closure, *args) if closure is not None else args
    if session is None:
        return step(self, *given, **kwargs)
    if not callable(closure):  # an optimizer of the program's own may take anything else
        closure = None
    if session.mode.frozen:
        if closure is None:
            return None
        with torch.enable_grad():
            return closure()
    if closure is None:
        with unwatched(session):
            session.account()
            held = parameters_of(self)
            _note_options(session, self)
            session.steps += 1
            session.training.take(self, held, len(session.events))
            idle = all(empty(tensor) for tensor in held)
            session.idle_steps += idle
            known = {session.by_id[id(one)].index for one in held if id(one) in session.by_id}
            session.flat_steps += idle and flat(session.events, known)
            session.consumed(held)
    else:
        session.steps += 1
        session.stepped |= {id(one) for one in parameters_of(self)}
        session.searching = True
        given = (_looked_at(self, closure, session), *args)
    session.training.step(self)
    result = step(self, *given, **kwargs)
    with unwatched(session):
        session.account()
        session.searching = False
    return result


def _looked_at(optimizer: Any, closure: Any, session: Session) -> Any:
    """A closure after whose first call it is seen what it leaves for the step."""
    first = [True]

    def call(*args: Any, **kwargs: Any) -> Any:
        result = closure(*args, **kwargs)
        if first.pop() if first else False:
            with unwatched(session):
                session.idle_steps += all(empty(one) for one in parameters_of(optimizer))
        return result

    return call


def _has_state(session: Session, tensor: Tensor) -> bool:
    """Whether an optimizer has taken steps with a tensor, and remembers something of them."""
    found = (one.state.get(tensor) for one in session.optimizers)
    return any(_remembers(state) for state in found if state)


def _remembers(state: dict[str, Any]) -> bool:
    held = (one for one in state.values() if isinstance(one, Tensor) and one.dim())
    return any(bool(one.any()) for one in held)


def _note_options(session: Session, optimizer: Any) -> None:
    """With what numbers each tensor is trained, when that begins."""
    for group in optimizer.param_groups:
        told = _numbers(group)
        for tensor in group["params"]:
            session.options.setdefault(id(tensor), told)


def _numbers(group: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in group.items()
        if isinstance(value, (int, float)) and not name.startswith("initial_")
    }


def _asked(params: Any, defaults: Any = None, *_: Any, **__: Any) -> list[dict[str, float]]:
    """The numbers that the groups of an optimizer would have had that did not come to be."""
    groups = [one for one in params if isinstance(one, dict)] if isinstance(params, list) else []
    known = defaults if isinstance(defaults, dict) else {}
    return [_numbers({**known, **group}) for group in groups or [{}]]


def parameters_of(optimizer: Any) -> list[Tensor]:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


# What works on their numbers and gradients ------------------------------------------------------


def _patch_schedulers() -> None:
    known = {one for one in vars(lr_scheduler).values() if isinstance(one, type)}
    for scheduler in known:
        if "step" in vars(scheduler):
            _patch_scheduler(scheduler)


def _patch_scheduler(scheduler: Any) -> None:
    original = scheduler.step

    @wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        optimizer = getattr(self, "optimizer", None)
        if session is not None and optimizer is not None:
            session.training.schedule(self, optimizer)
        return original(self, *args, **kwargs)

    scheduler.step = step


def _patch_clips() -> None:
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        _patch_clip(name)


def _patch_clip(name: str) -> None:
    original = getattr(utils, name)

    @wraps(original)
    def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        session = current()
        if isinstance(parameters, Iterator):
            parameters = list(parameters)
        if session is not None:
            with unwatched(session):
                given = [*tensors.inside(parameters)]
                session.training.clip(name, given, [*args, *kwargs.values()])
                for leaf in (session.by_id[id(one)] for one in given if id(one) in session.by_id):
                    leaf.clipped = leaf.state == "used"
        return original(parameters, *args, **kwargs)

    for place in (utils, utils.clip_grad):
        setattr(place, name, clip)
