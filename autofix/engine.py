"""One pass over one module: screen by bytes, parse, one dispatching walk, findings."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from autofix.flow.facts import Facts
from autofix.flow.imported import Project
from autofix.flow.walk import children
from autofix.model import Finding
from autofix.rule import Report, Rule, Visitor
from autofix.source import ElsewhereError, Source

_AS = re.compile(r"(\w+) +as +(\w+)")
_BREAK = re.compile(r"\s*\n\s*(\.)?")
_SHORT = re.compile(r"^(\w+) *= *[\w.]*?(\w+) *(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings of one pass, and the rules that crashed with what they said."""

    findings: tuple[Finding, ...]
    crashes: tuple[tuple[str, str], ...] = ()
    consulted: frozenset[str] = frozenset()
    """The files that had a say in it."""


_OF_TORCH = ("state_dict(", "requires_grad", "zero_grad(", ".parameters()", "named_parameters(")
_ALIKE = ("paddle", "mindspore", "jittor", "oneflow", "tinygrad", "mxnet", "megengine")


def concerns(text: str) -> bool:
    """Is torch used in a module? A helper may do without importing it (`model.state_dict()`), if
    that is not of a library like it."""
    if "torch" in text:
        return True
    return any(word in text for word in _OF_TORCH) and not any(name in text for name in _ALIKE)


def find(source: Source, rules: Sequence[Rule], project: Project | None = None) -> Outcome:
    """Run `rules` over one module. Raises SyntaxError, RecursionError or ValueError as `ast.parse`
    does; a crash inside one rule is reported and does not lose another rule's findings.

    The other files of the `project` have a say in it: in a large one, where following every import
    would cost more than the rest, only if the file trains or seems to have something to report."""
    active = [rule for rule in rules if rule.may_match(source.text)]
    if active and not concerns(source.text):
        return Outcome(())
    tree = source.parse()  # also for no rule: a file that no one can run is not clean
    if not active:
        return Outcome(())
    if project is not None and project.is_large(source.path):
        alone = Facts(source, tree)
        outcome = _ask(alone, active)
        if not outcome.findings and "backward(" not in source.text:
            return outcome
    return _ask(Facts(source, tree, project), active)


def _ask(facts: Facts, rules: Sequence[Rule]) -> Outcome:
    findings: list[Finding] = []
    crashes: dict[str, str] = {}
    for rule, visitor, node in _candidates(facts.tree, facts.source, rules):
        try:
            findings.extend(_finding(rule, report, facts) for report in visitor(node, facts))
        except ElsewhereError:
            continue  # what it would report or edit stands in another file
        except (Exception, RecursionError) as error:
            where = f"line {getattr(node, 'lineno', '?')}"
            crashes.setdefault(rule.code, f"{where}: {type(error).__name__}: {error}")
    # What is said twice of one place, as for each of two leaves that a name may be, counts once.
    told = {(f.start, f.end, f.rule, f.message): f for f in reversed(findings)}
    unique = [told[key] for key in sorted(told)]
    return Outcome(tuple(unique), tuple(crashes.items()), facts.consulted)


def _finding(rule: Rule, report: Report, facts: Facts) -> Finding:
    if report.fix is not None and (why := facts.broken_elsewhere(report.node)) is not None:
        report = replace(report, fix=None, declined=why)
    start, end = facts.source.span(report.node)
    return Finding(
        rule=rule.code,
        name=rule.name,
        message=_BREAK.sub(lambda found: found[1] or " ", report.message),  # of quoted code
        start=start,
        end=end,
        fix=report.fix,
        declined=report.declined,
        why=report.why,
        note=report.note,
    )


def _renamed(text: str) -> list[tuple[str, str]]:
    """Names that the module gives to others, with what they stand for: `T = torch.tensor`,
    `from torch import tensor as T`."""
    return list({(name, other) for other, name in _AS.findall(text)} | set(_SHORT.findall(text)))


def _hits(source: Source, rules: Sequence[Rule]) -> dict[str, list[int]]:
    """For each trigger the lines to look at: those with a match, or with another name that the
    module gives to what would match. (None for an empty one: all lines.)"""
    found: dict[str, list[int]] = {}
    renamed = _renamed(source.text)
    for trigger in {rule.trigger for rule in rules} - {""}:
        pattern = re.compile(trigger, re.MULTILINE)
        starts = [match.start() for match in pattern.finditer(source.text)]
        for name, other in renamed:
            if pattern.search(other) or pattern.search(f"{other}("):
                starts += [m.start() for m in re.finditer(rf"\b{name}\b", source.text)]
        found[trigger] = sorted(map(source.line_of, starts))
    return found


def _candidates(
    tree: ast.Module, source: Source, rules: Sequence[Rule]
) -> Iterator[tuple[Rule, Visitor, ast.AST]]:
    """Every (rule, function, node) to look at, in source order, in a single walk.

    A node is shown to a rule if its lines hold a match of the rule's trigger. Statements that hold
    a match for no rule are not even entered.
    """
    hits = _hits(source, rules)
    table: dict[type[ast.AST], list[tuple[Rule, Visitor, list[int] | None]]] = {}
    for rule in rules:
        for kind, visitors in rule.visitors.items():
            lines = hits.get(rule.trigger)
            table.setdefault(kind, []).extend((rule, visitor, lines) for visitor in visitors)
    anywhere = any(not rule.trigger for rule in rules)
    everything = [] if anywhere else sorted({line for lines in hits.values() for line in lines})
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if not anywhere and isinstance(node, ast.stmt) and not _holds(node, everything):
            continue
        for rule, visitor, lines in table.get(type(node), ()):
            if lines is None or _holds(node, lines):
                yield rule, visitor, node
        below = children(node)
        below.reverse()
        stack += below


def _holds(node: ast.AST, lines: list[int]) -> bool:
    """Is one of the `lines` among those of the node?"""
    first: int = node.lineno  # type: ignore[attr-defined]
    last: int = node.end_lineno or first  # type: ignore[attr-defined]
    decorators = getattr(node, "decorator_list", None)
    if decorators:
        first = min(first, decorators[0].lineno)
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= last
