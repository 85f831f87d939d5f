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

_TORCH = re.compile(r"torch")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings of one pass, and the rules that crashed with what they said."""

    findings: tuple[Finding, ...]
    crashes: tuple[tuple[str, str], ...] = ()
    consulted: frozenset[str] = frozenset()
    """The files that had a say in it."""


def find(source: Source, rules: Sequence[Rule], project: Project | None = None) -> Outcome:
    """Run `rules` over one module. Raises SyntaxError, RecursionError or ValueError as `ast.parse`
    does; a crash inside one rule is reported and does not lose another rule's findings.

    The other files of the `project` have a say in it: in a large one, where following every import
    would cost more than the rest, only if the file trains or seems to have something to report."""
    active = [rule for rule in rules if re.search(rule.trigger, source.text, re.MULTILINE)]
    if not active or not _TORCH.search(source.text):
        return Outcome(())
    tree = source.parse()
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
        message=report.message,
        start=start,
        end=end,
        fix=report.fix,
        declined=report.declined,
        why=report.why,
        note=report.note,
    )


def _triggers(source: Source, rules: Sequence[Rule]) -> re.Pattern[str]:
    """What a line must hold to be looked at: a trigger, or another name that the module gives to
    what a trigger matches (`T = torch.tensor`, `from torch import tensor as T`)."""
    anyone = "|".join(f"(?:{rule.trigger})" for rule in rules)
    renamed = re.findall(rf"(?m)^(\w+) *= *[\w.]*(?:{anyone}) *(?:#.*)?$", source.text)
    renamed += re.findall(rf"(?:{anyone}) +as +(\w+)", source.text)
    names = (rf"\b{name}\b" for name in sorted(set(renamed)))
    return re.compile("|".join([anyone, *names]), re.MULTILINE)


def _candidates(
    tree: ast.Module, source: Source, rules: Sequence[Rule]
) -> Iterator[tuple[Rule, Visitor, ast.AST]]:
    """Every (rule, function, node) to look at, in source order, in a single walk.

    Only statements whose lines hold a match of some trigger are entered, so that most of a large
    file is passed over by its top-level statements alone.
    """
    table: dict[type[ast.AST], list[tuple[Rule, Visitor]]] = {}
    for rule in rules:
        for kind, visitors in rule.visitors.items():
            table.setdefault(kind, []).extend((rule, visitor) for visitor in visitors)
    triggers = _triggers(source, rules)
    hits = [source.line_of(match.start()) for match in triggers.finditer(source.text)]
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            first = node.lineno
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                first = min([first, *(d.lineno for d in node.decorator_list)])
            at = bisect_left(hits, first)
            if at == len(hits) or hits[at] > (node.end_lineno or first):
                continue
        for rule, visitor in table.get(type(node), ()):
            yield rule, visitor, node
        stack.extend(reversed(children(node)))
