"""What the rules find in a version of a program, and in which of its functions."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

from autofix import registry
from autofix.document import Document
from autofix.model import Applicability, Finding, Verdict
from autofix.pipeline import Plan, look
from autofix.verify.outcome import Outcome
from autofix.verify.sides import Both, Side

_COPIES = "AG102"
_SURE = (Applicability.SAFE, Applicability.UNSAFE)
Lines = tuple[int, int]


def sure(side: Side) -> list[Finding]:
    """What the rules have a repair of."""
    found = (one for one in _every(side) if one.applicability in _SURE)
    return [one for one in found if not _only_tidies(one)]


def in_part(outcome: Outcome, both: Both) -> str | None:
    """What is left where a change repairs a part, if the rules know no repair of it."""
    if outcome.verification.verdict is not Verdict.CONFIRMED:
        return None
    rules = [
        Counter(found.rule for found, _ in about(_every(one), one.document, outcome, which))
        for which, one in enumerate((both.before, both.after))
    ]
    fewer = {rule for rule, count in rules[0].items() if rules[1][rule] < count}
    left = about(_every(both.after), both.after.document, outcome, 1) if fewer else []
    for found, _ in left:
        if found.rule in fewer and found.applicability not in _SURE:
            return still(both.after.document, found)
    return None


def _every(side: Side) -> tuple[Finding, ...]:
    return look(side.document, Plan(registry.load(), project=side.project)).findings


def cuts(found: Finding) -> bool:
    """Whether it is about a gradient that does not flow, and not about the loop that uses it."""
    return not found.rule.startswith("AG6")


def _only_tidies(found: Finding) -> bool:
    """Whether it is about a warning: a copy that stops the gradient, and does so when repaired."""
    if found.rule != _COPIES or found.fix is None:
        return False
    return all(".detach()" in edit.text for edit in found.fix.edits if edit.text)


def before(outcome: Outcome, both: Both) -> list[tuple[Finding, bool]]:
    """What was found in the functions that are changed, and whether the change touches it."""
    return about(sure(both.before), both.before.document, outcome, 0)


def about(
    findings: Sequence[Finding], document: Document, outcome: Outcome, which: int
) -> list[tuple[Finding, bool]]:
    """The findings in the functions that are changed, and whether the change touches them."""
    changes = [one.change for one in outcome.changes if not one.change.imports]
    units = {change.unit for change in changes}
    spans = dict(_units(ast.parse(document.source.text)))
    touched = [change.after if which else change.before for change in changes]
    about = []
    for found in findings:
        lines = document.source.line_of(found.start), document.source.line_of(found.end)
        unit = next((name for name, span in spans.items() if _meet(lines, span)), None)
        direct = any(_meet(lines, span) for span in touched)
        if direct or unit in units:
            about.append((found, direct))
    return about


def _meet(one: Lines, other: Lines) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _units(tree: ast.Module) -> Iterator[tuple[str, Lines]]:
    """Functions and methods by the names that changes have for them, with their lines."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.lineno, node.end_lineno or node.lineno)
        elif isinstance(node, ast.ClassDef):
            for name, span in _units(ast.Module(node.body, [])):
                yield f"{node.name}.{name}", span


def still(document: Document, found: Finding) -> str:
    return f"{place(document, found)} is still wrong ({found.rule}: {found.message})"


def place(document: Document, found: Finding) -> str:
    at = document.position(found.start)
    return f"line {at.line}" if at.cell is None else f"cell {at.cell} line {at.line}"
