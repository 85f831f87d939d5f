"""The repair of what lies before a new leaf: the cuts that it hides, and the leaf itself."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from autofix.codemods.graph._exports import export_at
from autofix.codemods.graph._intent import names_constant
from autofix.codemods.graph._landing import CannotLift
from autofix.codemods.graph._lifting import Lift
from autofix.codemods.graph._stops import freed, stopped
from autofix.codemods.graph._unwrapping import unwrapped
from autofix.flow.constructors import CONSTRUCTORS
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.unit import is_foreign
from autofix.flow.values import Graph, Kind, Value
from autofix.model import Edit
from autofix.rewrite.statements import remove_statement


@dataclass(slots=True)
class Repair:
    """What is done about the cuts before a wrapper."""

    edits: list[Edit] = field(default_factory=list)
    done: int = 0
    exact: bool = True
    unwrapped: bool = False
    reasons: list[str] = field(default_factory=list)
    others: bool = False
    """A cut that another rule repairs, with the wrapper."""


def waits_for(cut: ast.AST, wrapped: Value, facts: Facts) -> bool:
    """Is it a cut of another file? Where there is a way beside it, one that is written there."""
    if not is_foreign(cut) or wrapped.graph < Graph.YES:
        return is_foreign(cut)
    if not isinstance(cut, (ast.Call, ast.Attribute)):
        return False
    return (export_at(cut, facts) or stopped(cut, facts)) is not None


def repair_cut(cut: ast.AST, graph: Graph, key: ast.AST, repair: Repair, facts: Facts) -> None:
    if not isinstance(cut, ast.expr):
        return
    if is_foreign(cut):
        repair.others = True
        return
    if cut is key:
        inner = cut.args[0] if isinstance(cut, ast.Call) and cut.args else None
        known = inner is not None and facts.value(inner).is_tensor
        repair.done += 1
        repair.exact = repair.exact and known
        return
    if facts.is_target(cut) and not isinstance(cut, ast.Attribute):
        repair.reasons.append("what is cut is the target of a loss: the stop may be meant")
        return
    export, source = export_at(cut, facts), stopped(cut, facts)
    if export is not None and export.is_bare and graph < Graph.YES:
        return
    if export is not None and not facts.value(export.source).may_be_tensor:
        repair.reasons.append(nothing(cut, facts))  # an array of a list of tensors
        return
    if export is not None:
        lift = Lift(facts, export, True)
        try:
            way = lift.run()
        except CannotLift as reason:
            repair.reasons.append(str(reason))
            return
        if lift.listed:
            repair.others = True
            return
        if not way.joined:
            repair.reasons.append(nothing(cut, facts))
            return
        repair.edits += way.edits
        repair.exact = repair.exact and lift.exact
        repair.unwrapped = repair.unwrapped or key in lift.leaves
        repair.done += 1
    elif source is not None:
        if names_constant(cut, facts):
            repair.reasons.append(nothing(cut, facts))
            return
        repair.edits += freed(cut, source, facts)
        repair.exact = repair.exact and graph == Graph.YES
        repair.done += 1
    elif isinstance(cut, ast.Call) and last_name(cut.func) in CONSTRUCTORS:
        repair.others = True
    else:
        repair.reasons.append(nothing(cut, facts))


def without_wrapper(
    key: ast.expr, node: ast.Assign | ast.Call, inner: ast.expr, repair: Repair, facts: Facts
) -> list[Edit]:
    edits = list(repair.edits)
    if repair.unwrapped:
        return edits
    parent = facts.index.parents.get(node)
    if isinstance(node, ast.Assign) or isinstance(parent, ast.Expr):
        removal = remove_statement(facts, node)
        return [*edits, removal] if removal is not None else edits
    if facts.value(inner).kind & (Kind.NUMBER | Kind.NUMPY):
        return edits  # a number still: its own way out of the graph is found in the next round
    return [*edits, *unwrapped(facts, node, inner)]


def nothing(cut: ast.AST, facts: Facts) -> str:
    line = getattr(cut, "lineno", 0)
    text = facts.source.segment(cut) if isinstance(cut, ast.expr) else ""
    text = " ".join(text.split())[:40]
    return f"the graph ends before it, at `{text}` (line {line}), and there is no repair for that"
