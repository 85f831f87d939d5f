"""Stops that a change has removed although its repair is whole without that.

A run cannot tell which of two stops was meant: the gradient is the derivative of the values either
way. But where the rest of the change confirms alone, and leaves nothing for the rules to find,
nothing says that this stop was a bug.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from autofix.model import Verdict, Verification
from autofix.source import lines, parse
from autofix.verify.outcome import Outcome
from autofix.verify.pair import Pair, Version, pair
from autofix.verify.spans import Lines, header, statements

_STOPS = frozenset("detach detach_ data no_grad inference_mode".split())
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)


@dataclass(frozen=True, slots=True)
class _Two:
    """A statement in both versions."""

    old: ast.stmt
    new: ast.stmt


def unneeded(
    outcome: Outcome,
    before: Version,
    after: Version,
    judge: Callable[[Pair], Outcome],
    blamed: Sequence[Lines],
    clean: Callable[[str], bool],
) -> int | None:
    """The line of the rewritten version that lets through what was stopped, if the change is
    confirmed without it. `blamed` are the lines of the original that the rules find wrong; `clean`
    tells whether they find nothing in a text."""
    twos, rest = _changed(outcome, parse(before.text), parse(after.text))
    freed = [two for two in twos if _frees(two) and not _met(header(two.old), blamed)]
    if not freed or not (rest or len(freed) < len(twos)):
        return None
    text = _reverted(before.text, after.text, freed)
    if text is None:
        return None
    variant = replace(after, text=text)
    try:
        verification = judge(pair(before, variant)).verification
    except SyntaxError:
        return None
    fewer = _reached(verification) < _reached(outcome.verification)
    if verification.verdict is not Verdict.CONFIRMED or fewer or not clean(text):
        return None
    return freed[0].new.lineno


def _reached(verification: Verification) -> int:
    """How many leaves have a gradient."""
    return int(verification.evidence.get("with_gradient", 0))


def _changed(outcome: Outcome, old: ast.Module, new: ast.Module) -> tuple[list[_Two], bool]:
    """The statements that differ, one by one, and whether more than those has changed."""
    twos: list[_Two] = []
    rest = False
    for judged in outcome.changes:
        change = judged.change
        if change.imports:
            continue
        olds, news = [*statements(old, change.before)], [*statements(new, change.after)]
        alike = len(olds) == len(news) and all(map(_same_kind, olds, news))
        rest = rest or not alike
        if alike:
            both = zip(olds, news, strict=True)
            twos += [_Two(a, b) for a, b in both if ast.dump(a) != ast.dump(b)]
    return twos, rest


def _same_kind(old: ast.stmt, new: ast.stmt) -> bool:
    return type(old) is type(new) and isinstance(old, _SIMPLE) and old.col_offset == new.col_offset


def _frees(two: _Two) -> bool:
    """Whether fewer stops stand in the statement than before."""
    return bool(_stops(two.old) - _stops(two.new))


def _stops(node: ast.stmt) -> Counter[str]:
    return Counter(
        child.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and child.attr in _STOPS
    )


def _met(span: Lines, blamed: Sequence[Lines]) -> bool:
    return any(span[0] <= last and first <= span[1] for first, last in blamed)


def _reverted(before: str, after: str, freed: Sequence[_Two]) -> str | None:
    """The rewritten version with these statements as they were; None where they share lines."""
    olds, news = lines(before), lines(after)
    for two in sorted(freed, key=lambda one: -one.new.lineno):
        (a, b), (c, d) = header(two.old), header(two.new)
        part = olds[a - 1 : b]
        if any(";" in line for line in [*part, *news[c - 1 : d]]):
            return None
        news[c - 1 : d] = part
    return "".join(news)
