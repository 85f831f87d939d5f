"""Where in the user's program a call is made, and whether the change is about it."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from .session import Place, Session

_places: dict[tuple[Any, int], Place] = {}


def where(session: Session) -> tuple[Place, bool]:
    """The call that is being made, and whether the change is about it."""
    frame = session.user_frame()
    if frame is None:
        return Place(0, 0, 0, 0), False
    place = _place(frame)
    if any(_within(place, span) for span in session.plan.spans) and _able(session, frame):
        return place, True
    if not session.plan.regions:
        return place, False
    while frame is not None:
        if frame.f_code.co_filename == session.path:
            line = frame.f_lineno
            if any(first <= line <= last for first, last in session.plan.regions):
                return place, _able(session, frame)
        frame = frame.f_back
    return place, False


def beside(session: Session) -> bool:
    """Whether the call that is being made stands in a changed line, or is made from there."""
    changed = [(span[0], span[2]) for span in session.plan.spans]
    changed += [(first, last) for first, last in session.plan.regions]
    frame = session.user_frame()
    while frame is not None:
        if frame.f_code.co_filename == session.path:
            place = _place(frame)
            if any(first <= place.end_line and place.line <= last for first, last in changed):
                return True
        frame = frame.f_back
    return False


def _able(session: Session, frame: Any) -> bool:
    """Whether gradients are on here, or off by what stands here or is called from here. What a
    caller has switched off the called lines cannot switch on."""
    if torch.is_grad_enabled() or not session.stopped_in:
        return True
    own, outer = frame.f_code, set()
    while frame.f_back is not None:
        frame = frame.f_back
        outer.add(frame.f_code)
    return not any(code is not own and code in outer for code in session.stopped_in)


def direct(place: Place, session: Session) -> bool:
    """Whether the call itself stands in a changed expression."""
    return any(_within(place, span) for span in session.plan.spans)


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
