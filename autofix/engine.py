"""One pass over one module: screen by text, parse, one dispatching walk, findings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autofix.flow.facts import Facts
from autofix.flow.imported import Project
from autofix.model import Finding
from autofix.rule import Report, Rule
from autofix.screen import Shown, shown
from autofix.source import ElsewhereError, Source

_BREAK = re.compile(r"\s*\n\s*(\.)?")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings of one pass, and the rules that crashed with what they said."""

    findings: tuple[Finding, ...]
    crashes: tuple[tuple[str, str], ...] = ()
    consulted: frozenset[str] = frozenset()
    """The files that had a say in it."""
    given_up: bool = False
    """The module was too large to follow: that nothing was found does not say that it is clean."""


_OF_TORCH = ("state_dict(", "requires_grad", "zero_grad(", ".parameters()", "named_parameters(")
_ALIKE = (
    *("paddle", "mindspore", "jittor", "oneflow", "tinygrad", "mxnet", "megengine"),
    *("import warp", "import jax", "from jax", "tensorflow"),
)


def concerns(text: str) -> bool:
    """Is torch used in a module? A helper may do without importing it (`model.state_dict()`), if
    that is not of a library like it."""
    if "torch" in text:
        return True
    return any(word in text for word in _OF_TORCH) and not any(name in text for name in _ALIKE)


_COMPUTES = ("import math", "from math", "import numpy", "from numpy")
_LEAVES = (".item()", ".detach()", ".data", ".numpy()", ".tolist()")


def may_serve(text: str) -> bool:
    """Does a module that never speaks of torch compute, so that what torch gives may go through
    `math` there, or leave the graph by a method?"""
    computes = any(word in text for word in (*_COMPUTES, *_LEAVES)) and "def " in text
    return computes and not any(name in text for name in _ALIKE)


def serves(text: str, path: str, project: Project | None) -> bool:
    """Does it compute for others in a small project that train?"""
    if project is None or not may_serve(text):
        return False
    path = os.path.abspath(path)  # noqa: PTH100
    return not project.is_large(path) and any(tells for _, tells in project.importers(path, ()))


def find(source: Source, rules: Sequence[Rule], project: Project | None = None) -> Outcome:
    """Run `rules` over one module. Raises SyntaxError, RecursionError or ValueError as `ast.parse`
    does; a crash inside one rule is reported and does not lose another rule's findings.

    The other files of the `project` have a say in it: in a large one, where following every import
    would cost more than the rest, only if the file trains or seems to have something to report."""
    asked = [rule for rule in rules if rule.is_needed(source.text)]
    if asked and not concerns(source.text) and not serves(source.text, source.path, project):
        return Outcome(())
    tree = source.parse()  # also for no rule: a file that no one can run is not clean
    if not asked:
        return Outcome(())
    facts = Facts(source, tree, project)
    places = list(shown(facts.index, asked))
    if project is not None and project.is_large(source.path):
        outcome = _ask(facts.alone(), places)
        if not outcome.findings and "backward(" not in source.text:
            return outcome
    return _ask(facts, places)


def _ask(facts: Facts, places: Iterable[Shown]) -> Outcome:
    findings: list[Finding] = []
    crashes: dict[str, str] = {}
    for rule, visitor, node in places:
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
    return Outcome(tuple(unique), tuple(crashes.items()), facts.consulted, facts.given_up)


def _with_others(report: Report, facts: Facts) -> Report:
    """A loss that other files make a leaf of has to stay without a graph until they are repaired,
    too."""
    lines = facts.silenced_elsewhere(report.node) if report.fix is not None else []
    if report.fix is None or not lines:
        return report
    note = f"`requires_grad = True` (line {lines[0]}) has to go as well, or it would raise"
    along = report.fix.along | {line.path for line in lines}
    return replace(report, fix=replace(report.fix, along=along), note=note)


def _finding(rule: Rule, report: Report, facts: Facts) -> Finding:
    if report.fix is not None and (why := facts.broken_elsewhere(report.node)) is not None:
        report = replace(report, fix=None, declined=why)
    report = _with_others(report, facts)
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
