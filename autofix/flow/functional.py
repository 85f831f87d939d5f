"""What functools and itertools make of functions and of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autofix.flow.access import iterate
from autofix.flow.joins import join, join_all, sequence
from autofix.flow.objects import Closure
from autofix.flow.values import OTHER, UNKNOWN, Value

if TYPE_CHECKING:
    from autofix.flow.calls import Arguments
    from autofix.flow.frame import Frame


def _partial(given: Arguments, frame: Frame) -> Value:
    """`partial(f, 2.0, k=1)`: a function of the project, with these arguments in front."""
    function = given.values[0] if given.values else UNKNOWN
    if not isinstance(function.ref, Closure) or not given.exact:
        return function if isinstance(function.ref, Closure) else UNKNOWN
    return function.but(ref=function.ref.given(given.values[1:], given.keywords))


def _reduce(given: Arguments, frame: Frame) -> Value:
    from autofix.flow.calls import Arguments, call_value

    if len(given.values) < 2:
        return UNKNOWN
    element = iterate(given.values[1], frame, None)
    first = given.values[2] if len(given.values) > 2 else element
    once = call_value(given.values[0], Arguments(given.node, [first, element]), frame)
    again = call_value(given.values[0], Arguments(given.node, [once, element]), frame)
    return join(first, join(once, again))


def _chain(given: Arguments, frame: Frame) -> Value:
    parts = [iterate(value, frame, None) for value in given.values]
    return sequence(None, join_all(parts)) if given.exact else UNKNOWN


def _chained(given: Arguments, frame: Frame) -> Value:
    """`chain.from_iterable`"""
    inner = iterate(given.values[0], frame, None) if given.values else UNKNOWN
    return sequence(None, iterate(inner, frame, None))


FUNCTIONAL: dict[str, Callable[[Arguments, Frame], Value]] = {
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "functools.wraps": lambda given, frame: OTHER,
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chained,
}
