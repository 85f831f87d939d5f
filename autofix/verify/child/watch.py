"""The mode under which a program runs: sees each torch call, and holds what leaves the graph.

A value leaves the graph where an operation takes a tensor that requires grad and gives floats
that do not. In shifted runs such values are replayed from the tape of the unshifted run, so that
a stop that the change is not about has no slope.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from . import tensors
from .anew import restart
from .current import unwatched
from .kinds import Kind, classify
from .places import direct, where
from .session import Session
from .tape import held
from .tensors import Tensor
from .veiled import BARES
from .widening import widened

_ARBITRARY = frozenset("svd linalg_svd qr linalg_qr eig linalg_eig linalg_eigh lobpcg".split())
"""Their factors may turn where the input moves a little: no slope is theirs alone."""
_OVERWRITES = frozenset("copy_ fill_ zero_ uniform_ normal_".split())
_JOINS = frozenset("stack cat vstack hstack concat".split())
_SPREADS = frozenset("expand expand_as broadcast_to".split())
_LIKE = frozenset(
    "new_empty new_zeros new_ones new_full new_empty_strided empty_like zeros_like ones_like "
    "full_like rand_like randn_like randint_like".split()
)
"""They ask a tensor for its shape and dtype, as `nn.init.orthogonal_` does: that is no use."""
_NOTED = (*BARES, "mean")


class Watch(TorchFunctionMode):
    """Feeds a session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.kinds: dict[Any, Kind] = {}
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
            found = self.kinds[func] = classify(func)
        kind, writes = found
        if kind == "skip":
            session.keeps.take(args[:1], whole=False)
            return func(*args, **kwargs)
        if kind == "grad.get":
            return self._read(func, args)
        if kind == "flag":
            value = next(iter([*args[1:], *kwargs.values()]), True)
            session.reads.set_flag(args[0], value, session.passes)
            return func(*args, **kwargs)
        if self.wide:
            func, args, kwargs = widened(func, kind, args, kwargs)
        given = tensors.given(args, kwargs)
        session.reads.take(given)
        session.keeps.take(given)
        if session.mode.name == "plain":
            session.veiled.look(kind, given)
        self._before(kind, writes, given)
        if self._is_update(kind, writes, args):
            session.left_out += 1
            return args[0] if kind != "data.set" else None
        if kind in _JOINS and session.mode.name == "plain":
            session.repeated += _repeats(given)
        if session.stack and (kind == "data.set" or writes) and self._is_hidden(kind, args):
            session.inner_writes += 1
        result = func(*args, **kwargs)
        if session.mode.name == "plain":
            session.dtypes.look(given, result)
            if kind in _NOTED or writes:
                self._note(kind, given, result)
        if func is torch.nn.functional.embedding:
            self._pad(*args[1:], **kwargs)
        if session.mode.apart and kind in _SPREADS:
            result = result.clone()
        if session.mode.forward_only and self._is_beginning(kind, writes, args, given):
            with unwatched(session):
                session.begin(args[0])
        if writes and args and _behind(args[0]):
            with unwatched(session):
                restart(session, args[0])
        if session.reads.missed and isinstance(result, Tensor):
            self._listen(result)
        if session.mode.name == "exact":
            self._follow(result, given)
        if self._leaves_graph(result, given, writes):
            return self._exit(kind, result, writes, given)
        return result

    def _note(self, kind: str, given: list[Tensor], result: Any) -> None:
        """Means, and what the changed lines do to the inside of a graph."""
        veiled = self.session.veiled
        if kind == "mean":
            self.session.means.note(where(self.session)[0].line, given, result)
        seen = kind != "mean" and bool(given) and veiled.concerns(kind, given[0])
        if seen and (veiled.known(given[0]) or where(self.session)[1]):
            veiled.note(kind, result)

    def _pad(self, weight: Tensor, padding_idx: int | None = None, *_: Any, **__: Any) -> None:
        leaf = self.session.by_id.get(id(weight))
        if leaf is not None:
            self.session.plan.note_padding(leaf.index, padding_idx)

    def _listen(self, result: Tensor) -> None:
        if result.requires_grad and tuple(result.shape) in self.session.reads.missed:
            with unwatched(self.session):
                if self.session.mode.healed:
                    result.retain_grad()
                else:
                    self.session.reads.listen(result)

    def _read(self, func: Any, args: tuple[Any, ...]) -> Any:
        """A gradient is read: by the program, or by torch on its behalf."""
        found = func(*args)
        frame = sys._getframe(2)
        leaf = self.session.by_id.get(id(args[0]))
        if leaf is not None and found is not None and not _is_torch(frame):
            leaf.read = True
        if self.session.is_own(frame.f_code.co_filename):
            self.session.paused = True
            try:
                turn = self.session.passes
                self.session.reads.note(args[0], found, frame.f_lineno, turn)
            finally:
                self.session.paused = False
        return found

    def _before(self, kind: str, writes: bool, given: list[Tensor]) -> None:
        session = self.session
        if kind in _ARBITRARY:
            session.opaque.add(f"`{kind}` is free to choose a basis")
        # What is written is not used: it may be an initialiser's doing.
        read = given[1:] if writes else given
        if kind in _OVERWRITES and session.peeked is not None:
            with unwatched(session):
                session.overwrite(given[0])
        leaves = [one for one in read if one.requires_grad and tensors.is_leaf(one)]
        if not leaves or kind == "data.set" or kind in _LIKE:
            return
        differentiable = torch.is_grad_enabled() or (session.mode.values_only and not writes)
        # Initialisers and evaluations use neither; in the changed lines both are on trial.
        if (differentiable and kind != "data.get") or where(session)[1]:
            for leaf in leaves:
                new = id(leaf) not in session.by_id
                (session.peek if kind == "data.get" else session.use)(leaf)
                known = session.by_id.get(id(leaf))
                if known is not None:
                    known.bare = (new or known.bare) and kind in BARES

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

    def _is_hidden(self, kind: str, args: tuple[Any, ...]) -> bool:
        """Whether a weight is written to without a trace in the graph."""
        target = args[0] if args else None
        if not isinstance(target, Tensor) or self.session.mode.name != "plain":
            return False
        if target.requires_grad:
            return tensors.is_leaf(target) and (kind == "data.set" or not torch.is_grad_enabled())
        where = tensors.storage(target)
        leaves = (leaf.tensor for leaf in self.session.leaves)
        return bool(where) and any(tensors.storage(one) == where for one in leaves)

    def _is_beginning(
        self, kind: str, writes: bool, args: tuple[Any, ...], given: list[Tensor]
    ) -> bool:
        """Whether a leaf that nothing has used yet is given the values of other leaves."""
        if not (kind == "data.set" or (writes and not torch.is_grad_enabled())):
            return False
        target = args[0] if args else None
        return (
            isinstance(target, Tensor)
            and target.requires_grad
            and tensors.is_leaf(target)
            and id(target) not in self.session.by_id
            and any(one is not target for one in given)
        )

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

    def _exit(self, name: str, result: Any, writes: bool, given: list[Tensor]) -> Any:
        session = self.session
        place, live = where(session)
        session.exits[place.line, name] = session.exits.get((place.line, name), 0) + 1
        session.dtypes.leave(given)
        if live:
            key = place.line, name
            session.live_exits[key] = session.live_exits.get(key, 0) + 1
            session.direct_exits += direct(place, session)
        if live and session.mode.name == "base":
            session.stop(place.line, given)
        return held(session, name, result, place, live=live, writes=writes)


def _behind(target: Any) -> bool:
    """Whether a write to it is none that autograd sees."""
    seen = torch.is_grad_enabled() and isinstance(target, Tensor) and target.requires_grad
    return isinstance(target, Tensor) and not seen


def _is_torch(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "torch"


def _repeats(given: list[Tensor]) -> bool:
    """Whether one tensor, that has been written to, stands in several places."""
    written = [tensors.storage(one) for one in given if tensors.version(one)]
    return len(set(written)) < len(written) and len({id(one) for one in given}) < len(given)


def _is_gradient(leaf: Tensor, target: Tensor) -> bool:
    return leaf.grad is not None and leaf.grad is target


def _numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_numbers(item) for item in value)
    return isinstance(value, float)
