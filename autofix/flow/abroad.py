"""Another file, as the analysis of this one has seen it."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.unit import is_foreign


@dataclass(eq=False)
class Abroad(Facts):
    """The text of another file, with the values that its nodes had when they were interpreted for
    the file that is looked at. Nothing more is interpreted for what is asked here."""

    def _cover(self, node: ast.AST) -> None:
        pass


def seen_from(facts: Facts, node: ast.AST) -> Facts | None:
    """The facts for the file in which a node stands: these, or those of another file."""
    if not is_foreign(node):
        return facts
    return _abroad(facts, node.lineno.path)  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=8)
def _abroad(facts: Facts, path: str) -> Facts | None:
    unit = facts.project.unit(path) if facts.project is not None else None
    if unit is None:
        return None
    other = Abroad(unit.source, unit.tree, facts.project)
    other.index = unit.index
    other.program = facts.program
    return other
