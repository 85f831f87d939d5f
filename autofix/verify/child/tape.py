"""The values that leave the graph: kept in one run, and given again in those that are shifted."""

from __future__ import annotations

from typing import Any

import torch

from . import tensors
from .session import TAPE, Place, Session
from .tensors import Tensor


def held(
    session: Session, name: str, result: Any, place: Place, *, live: bool, writes: bool = False
) -> Any:
    """What `name` gives, as it was in the unshifted run; where the changed lines are on trial
    (`live`), as it is."""
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
        return _same_or_kept(result, kept)
    if isinstance(result, (list, tuple)) and any(True for _ in tensors.inside(result)):
        replayed = [_same_or_kept(one, old) for one, old in zip(tensors.inside(result), kept)]
        plain = type(result) in (list, tuple) and len(replayed) == len(result)
        return type(result)(replayed) if plain else result
    return kept


def _same_or_kept(result: Tensor, kept: Tensor) -> Tensor:
    """The kept values; the tensor itself where nothing has moved, so that aliases stay aliases."""
    if torch.equal(tensors.plain(result), kept):
        return result
    return kept.to(result.dtype).reshape(result.shape)
