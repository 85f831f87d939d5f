"""Stops that a change has removed although its repair is whole without that.

A run cannot tell which of two stops was meant: the gradient is the derivative of the values either
way. But where the rest of the change confirms alone, and leaves nothing for the rules to find,
nothing says that this stop was a bug.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autofix.model import Verdict, Verification
from autofix.source import lines, parse
from autofix.verify.judge.verdict import NOTHING
from autofix.verify.outcome import Judge, Outcome
from autofix.verify.pair import Version, pair
from autofix.verify.spans import Lines, header, statements

_STOPS = frozenset("detach detach_ data no_grad inference_mode".split())
_MOST = 4
"""How many statements that have left a block are tried."""
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)


@dataclass(frozen=True, slots=True)
class _Two:
    """A statement in both versions."""

    old: ast.stmt
    new: ast.stmt


@dataclass(frozen=True, slots=True)
class _Variant:
    """The rewritten version with a stop of the original's."""

    text: str
    line: int
    """Where the rewritten version has none."""
    made: int = 0
    """How many weights it has less."""
    sure: bool = True
    """The stop is one that the original has as it stands, and not one around what it stopped."""


def unneeded(
    outcome: Outcome,
    before: Version,
    after: Version,
    judge: Judge,
    blamed: Sequence[Lines],
    clean: Callable[[str], bool],
) -> int | None:
    """The line of the rewritten version that lets through what was stopped, if the change is
    confirmed without it. `blamed` are the lines of the original that the rules find wrong; `clean`
    tells whether they find nothing in a text."""
    old, new = parse(before.text), parse(after.text)
    reached = _reached(outcome.verification)
    for variant in _variants(outcome, before.text, after.text, (old, new), blamed):
        try:
            verification = judge(pair(before, replace(after, text=variant.text))).verification
        except SyntaxError:
            continue
        whole = _reached(verification) >= reached - variant.made and clean(variant.text)
        sure = verification.verdict is Verdict.CONFIRMED and whole
        if sure and (variant.sure or _stops_any(after, variant, judge)):
            return variant.line
    return None


def _stops_any(after: Version, variant: _Variant, judge: Judge) -> bool:
    """Whether the stop has any effect: to put a tensor into a list has none on its gradient."""
    found = judge(pair(after, replace(after, text=variant.text))).verification
    tried = found.evidence.get("tried", ())
    idle = any(one["reason"] == NOTHING for one in tried)
    return found.verdict is Verdict.REFUTED or not idle


def _variants(
    outcome: Outcome,
    before: str,
    after: str,
    trees: tuple[ast.Module, ast.Module],
    blamed: Sequence[Lines],
) -> Iterator[_Variant]:
    """The rewritten version with some of the stops that it has removed."""
    twos, rest = _changed(outcome, *trees)
    freed = [two for two in twos if _frees(two) and not _met(header(two.old), blamed)]
    if freed and (rest or len(freed) < len(twos)):
        text = _reverted(before, after, freed)
        if text is not None:
            yield _Variant(text, freed[0].new.lineno)
    made = [two for two in twos if _makes(two) and not _met(header(two.old), blamed)]
    if blamed and made and len(made) < len(twos):
        text = _reverted(before, after, made)
        if text is not None:
            yield _Variant(text, made[0].new.lineno, len(made))
    yield from _blocked(after, trees)


def narrowed(before: str, after: str) -> tuple[Lines, ...]:
    """The lines of the rewritten version's blocks without gradients that have lost statements and
    kept others."""
    was, now = (dict(_inside(parse(text))) for text in (before, after))
    both = [(was[old], now[new]) for old, new in _matched(was, now)]
    lost = {old for old, new in both if old is not None and new is None}
    kept = {new: None for old, new in both if old in lost and new is not None}
    return tuple((block.lineno, block.end_lineno or block.lineno) for block in kept)


def _blocked(after: str, trees: tuple[ast.Module, ast.Module]) -> Iterator[_Variant]:
    """A statement that has left a block without gradients, back in one of its own."""
    was, now = (dict(_inside(tree)) for tree in trees)
    news = lines(after)
    left = [
        (new, was[old])
        for old, new in _matched(was, now)
        if was[old] is not None and now[new] is None
    ]
    for new, around in left[:_MOST]:
        first, last = header(new)
        part = news[first - 1 : last]
        if any(";" in line or '"""' in line or "'''" in line for line in part):
            continue
        assert around is not None
        stop = next(one for one in around.items if _stops(one.context_expr))
        indent = " " * new.col_offset
        text = [f"{indent}with {ast.unparse(stop)}:\n", *(f"    {line}" for line in part)]
        yield _Variant("".join([*news[: first - 1], *text, *news[last:]]), first, sure=False)


def _matched(
    was: Mapping[ast.stmt, ast.With | None], now: Mapping[ast.stmt, ast.With | None]
) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Statements that both versions have, in order."""
    left: dict[str, list[ast.stmt]] = {}
    for new in now:
        left.setdefault(ast.dump(new), []).append(new)
    for old in was:
        found = left.get(ast.dump(old))
        if found:
            yield old, found.pop(0)


def _inside(
    node: ast.AST, block: ast.With | None = None
) -> Iterator[tuple[ast.stmt, ast.With | None]]:
    """Simple statements, each with the block that stops gradients around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SIMPLE):
            yield child, block
        elif isinstance(child, ast.With):
            stops = any(_stops(one.context_expr) for one in child.items)
            yield from _inside(child, child if stops else block)
        elif isinstance(child, ast.stmt):
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            yield from _inside(child, None if inner else block)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from _inside(child, block)


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


def _makes(two: _Two) -> bool:
    """Whether the statement makes a weight of what was none."""
    return "Parameter" in ast.unparse(two.new) and "Parameter" not in ast.unparse(two.old)


def _stops(node: ast.AST) -> Counter[str]:
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
