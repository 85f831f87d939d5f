"""What a rule is: a code, a docstring, a cheap screen, and functions that look at one node.

A rule lives in one module of ``codemods/``. The module's docstring is its documentation, the
module's file name is its name, and ``rule = Rule(__name__, code=...)`` declares it::

    rule = Rule(__name__, code="AG101", names=("tensor", "asarray"))

    @rule.visit(ast.Call)
    def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
        ...

A rule asks ``facts``, yields reports, builds edits with :mod:`autofix.rewrite`, and declines
aloud. It never reads files, prints, knows configuration or applies anything.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from autofix.model import Applicability, Edit, Fix

if TYPE_CHECKING:
    from autofix.flow.facts import Facts


@dataclass(frozen=True, slots=True)
class Report:
    """What a rule says of one place: a message, and a fix or the reason why there is none."""

    node: ast.expr | ast.stmt
    message: str
    fix: Fix | None = None
    declined: str | None = None
    why: tuple[str, ...] = ()
    note: str | None = None


Visitor = Callable[[Any, "Facts"], Iterator[Report]]
V = TypeVar("V", bound=Visitor)


class Rule:
    """One bug class. A node is only looked at if one of its lines holds one of the ``names`` (of
    a variable, attribute, keyword, function or class) or a match of the regular expression
    ``trigger``. (Give neither where nearly every line would do.) Of the plain strings in
    ``needs``, if there are any, the file must hold one, else the rule is not asked at all."""

    def __init__(
        self,
        module: str,
        *,
        code: str,
        names: Iterable[str] = (),
        trigger: str = "",
        needs: tuple[str, ...] = (),
    ) -> None:
        self.module = module
        self.code = code
        self.names = frozenset(names)
        self.trigger = trigger
        self.needs = needs
        self.visitors: dict[type[ast.AST], list[Visitor]] = {}

    @property
    def name(self) -> str:
        """The kebab-case name, which is the module's file name."""
        return self.module.rpartition(".")[2].replace("_", "-")

    @property
    def doc(self) -> str:
        return sys.modules[self.module].__doc__ or ""

    @property
    def summary(self) -> str:
        return self.doc.strip().partition("\n")[0].rstrip(".")

    @property
    def screen(self) -> tuple[frozenset[str], str]:
        """What tells the lines to look at: rules that share it share the search."""
        return self.names, self.trigger

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.trigger, re.MULTILINE)

    def is_needed(self, text: str) -> bool:
        """Does the file hold one of the strings that the rule cannot do without?"""
        return not self.needs or any(map(text.__contains__, self.needs))

    def visit(self, *types: type[ast.AST]) -> Callable[[V], V]:
        """Register a function to be called with each node of these types."""

        def register(function: V) -> V:
            for kind in types:
                self.visitors.setdefault(kind, []).append(function)
            return function

        return register


def fix(applicability: Applicability, *edits: Edit) -> Fix:
    return Fix(applicability, tuple(sorted(edits)))
