"""By which calls a place is reached, those of other files included."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.flow.index import Index

if TYPE_CHECKING:
    from autofix.flow.frame import Frame

Trail = tuple[tuple[Index, ast.AST], ...]
"""A node and the calls that led to it, innermost first, each with the syntax of its file."""

MANY = 16
"""So many ways to a place tell enough of it."""


def note_trail(node: ast.AST, frame: Frame) -> None:
    """Keep how this evaluation of `node` came about."""
    known = frame.program.trails.setdefault(node, set())
    if len(known) < MANY:
        known.add(_trail(node, frame))


def _trail(node: ast.AST, frame: Frame) -> Trail:
    program = frame.program
    found = [(frame.index, node)]
    active = [None, *program.active]  # the body of the module is no function
    for caller, call in zip(reversed(program.callers), reversed(program.calls), strict=True):
        active.pop()
        if not active or caller.function is not active[-1]:
            break  # it was not called, but looked at on its own
        found.append((caller.index, call))
    return tuple(found)
