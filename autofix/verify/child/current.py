"""The session that looks on, if one does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .session import Session

_current: list[Session] = []


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
