"""Weights that are looked at, and written to before anything is computed of them: masks that are
taken of their sizes, say, and then applied. They begin with what was written."""

from __future__ import annotations

import torch

from . import tensors
from .leaf import Leaf
from .session import Session
from .tensors import Tensor


def restart(session: Session, target: Tensor) -> None:
    """What lies in the memory of a leaf was written to behind the back of autograd."""
    where = tensors.storage(target)
    held = (one for one in session.leaves if one.bare)
    leaf = next((one for one in held if tensors.storage(one.tensor) == where), None)
    if leaf is None or not where or session.events:
        return
    _rename(session, leaf)
    if session.mode.name == "base":
        session.tape.append(leaf.value)
    elif session.mode.name == "shifted" and session.position < len(session.tape):
        kept = session.tape[session.position]
        session.position += 1
        if session.mode.live != "all" and isinstance(kept, Tensor):
            _move(session, leaf, kept)


def _move(session: Session, leaf: Leaf, kept: Tensor) -> None:
    """Its values are its own: they do not move with what was there before."""
    shift = session.plan.shift(leaf.index, kept, session.mode)
    moved = kept if shift is None else kept + shift
    if kept.shape == leaf.tensor.shape:
        with torch.no_grad():  # in place, as the program may hold on to the memory
            leaf.tensor.copy_(moved)


def _rename(session: Session, leaf: Leaf) -> None:
    """It is known by its first values."""
    leaf.value = tensors.plain(leaf.tensor)
    leaf.start = tensors.sums(leaf.value)
    base = (leaf.key[0], tensors.digest(leaf.tensor))
    if leaf.key[:2] != base:
        number = session.counts.get(base, 0)
        session.counts[base] = number + 1
        leaf.key = (*base, number)
