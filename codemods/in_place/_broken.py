"""Which rule a write belongs to, and what it breaks."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from autofix.codemods.in_place import in_place_row_loop
from autofix.codemods.in_place._aside import (
    explores,
    is_kept_in_buffer,
    is_kept_state,
    saves_memory,
    works_on_data,
)
from autofix.codemods.in_place._branches import kept_by_other_branch, never_both
from autofix.codemods.in_place._callers import is_used_without_graph
from autofix.codemods.in_place._evaluation import is_for_evaluation, is_way_back
from autofix.codemods.in_place._own_parts import is_integer_copy, is_of_another_object
from autofix.codemods.in_place._places import Place
from autofix.codemods.in_place._turns_apart import is_before, turn_of_its_own
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.labels import names_loss
from autofix.flow.unit import is_foreign
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.flow.writes import Break, Write
from autofix.rule import Report

_ASKS = re.compile(r"grad|in_?place|not [\w.]*is_floating_point")
_ARRAY = re.compile(r"^([\w.]+): (?:isinstance\(\1, (?:torch\.)?Tensor\)|torch\.is_tensor\(\1\))$")
_WITHOUT = re.compile(
    r"(?i)\b(?:only (?:\w+ )?(?:for|at|in|during)|used (?:for|at|during)) inference\b"
    r"|inference[- ]only"
)
LEAF, OWN, OUTPUT, INPUT, RECURRENT, EXPANDED = (
    "leaf",
    "own elements",
    "saved output",
    "saved input",
    "recurrent",
    "expanded",
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A write that ends in an error, and all that it breaks."""

    kind: str
    place: Place
    write: Write
    breaks: tuple[Break, ...] = ()
    graph: Graph = Graph.YES
    demand: Demand | None = None

    def why(self, facts: Facts) -> tuple[str, ...]:
        value = facts.value(self.place.base)
        steps = value.why.steps() if value.why is not None else ()
        return (*steps, f"{self.demand.text} (line {self.demand.line})") if self.demand else steps


def _sets_all(place: Place) -> bool:
    """`x.fill_(n)`: elements that share memory get the same number."""
    name = last_name(place.node.func) if isinstance(place.node, ast.Call) else None
    return name in ("fill_", "zero_") and place.target is place.base


@functools.lru_cache(maxsize=32)
def diagnose(place: Place, facts: Facts) -> Broken | None:
    """What is wrong with a write, if anything is: one answer, whichever rule asks."""
    write = facts.write(place.target)
    if write is None:
        return None
    expanded = any(not never_both(n, place.statement, facts) for n in write.expanded)
    if expanded and not _sets_all(place):
        # of a leaf, too: without gradient mode it would raise all the same
        return Broken(EXPANDED, place, write)
    if write.leaf == Graph.YES:
        return Broken(LEAF, place, write)
    other = turn_of_its_own(place, facts)
    broken = [b for b in facts.broken(place.target) if not is_before(b[0], place, other, facts)]
    broken = [
        b for b in broken if not kept_by_other_branch(b[0], place.base, place.statement, facts)
    ]
    broken = [
        b for b in broken if not is_of_another_object(b[0], place.base, place.statement, facts)
    ]
    broken = [b for b in broken if not is_integer_copy(b[0], place.base, place.statement, facts)]
    value = facts.value(place.base)
    parted = bool(write.parted) and not broken and value.graph == Graph.YES
    if not parted and not broken:
        return None
    if any(report.fix is not None for report in row_loops(place, facts)):
        return None
    if parted:
        return Broken(_kind_of_target(place, facts, ()), place, write)
    if _is_guarded(place, max(graph for _, graph, _ in broken), facts):
        return None
    breaks = tuple(sorted((one for one, _, _ in broken), key=_order))
    graph = max(graph for _, graph, _ in broken)
    demand = max((d for _, _, d in broken), key=lambda d: (d.backward, d.line))
    kind = _kind(place, breaks, facts)
    if not demand.backward:
        seen = write.handed or write.escapes
        if not seen and is_used_without_graph(place.node, facts):
            return None
        if is_way_back(place.node, demand, facts) or _is_aside(place, kind, graph, write, facts):
            return None
    if graph < Graph.YES and saves_memory(place.node, facts):
        return None
    return Broken(kind, place, write, breaks, graph, demand)


def _is_aside(place: Place, kind: str, graph: Graph, write: Write, facts: Facts) -> bool:
    """Nobody is seen to differentiate it: is it likely that nobody does?"""
    if isinstance(place.node, ast.Call) and last_name(place.node.func) == "copy_" and write.handed:
        return True  # a state or cache that the caller keeps
    if is_kept_state(place.base, write.handed, facts):
        return True
    if explores(place.node, facts):
        return True
    if graph == Graph.YES:
        return False
    if _takes_arrays(place, facts) or is_kept_in_buffer(place.base, facts):
        return True
    name = getattr(facts.index.function_of(place.node), "name", "")
    if kind == INPUT:  # helpers for data and for search look the same
        return not names_loss(name)
    return works_on_data(place.node, facts)


def _takes_arrays(place: Place, facts: Facts) -> bool:
    """`if isinstance(boxes, torch.Tensor): ... else:` an array: the function works on data."""
    if facts.value(place.base).kind & Kind.NUMPY or _comes_from_array(place, facts):
        return True
    name = ast.unparse(place.base)
    return any(
        isinstance(o, ast.If) and o.orelse and _ARRAY.search(f"{name}: {ast.unparse(o.test)}")
        for o in facts.index.ancestors(place.node)
    )


def _comes_from_array(place: Place, facts: Facts) -> bool:
    """`boxes = torch.from_numpy(boxes)` on one of the ways: on all of them it is data."""
    names = uses_in(facts).names
    stores = names.stores(place.base) if isinstance(place.base, ast.Name) else ()
    values = (facts.index.statement_of(store) for store in stores)
    return any(
        isinstance(call, ast.Call) and facts.library_name(call.func) == "torch.from_numpy"
        for value in values
        if isinstance(value, ast.Assign)
        for call in ast.walk(value.value)
    )


def _order(one: Break) -> tuple[int, ...]:
    """Results first, then in the order of the code; of `a * b * c`, `a * b` first."""
    node = one.save.node
    place = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return (not one.save.own, *(getattr(node, name, 0) for name in place))


def _kind(place: Place, breaks: tuple[Break, ...], facts: Facts) -> str:
    if isinstance(place.target, ast.Subscript) and any(
        _reads_part(operand, place, facts) for one in breaks for operand in one.save.operands
    ):
        operands = [o for one in breaks for o in one.save.operands]
        return _kind_of_target(place, facts, operands)
    return OUTPUT if breaks[0].save.own else INPUT


def _kind_of_target(place: Place, facts: Facts, operands: Sequence[ast.expr]) -> str:
    if not isinstance(place.target, ast.Subscript):
        return INPUT
    written = ast.dump(place.target.slice)
    same = [
        n
        for operand in operands
        for n in ast.walk(operand)
        if isinstance(n, ast.Subscript) and _same(n.value, place.base)
    ]
    if same and all(ast.dump(n.slice) == written for n in same):
        return OWN  # each element of itself, and of no earlier one
    return RECURRENT if operands and _index_varies(place, facts) else OWN


def _reads_part(operand: ast.expr, place: Place, facts: Facts) -> bool:
    """Is an element or slice of the written tensor what was kept, or a name for one?"""
    if any(isinstance(n, ast.Subscript) and _same(n.value, place.base) for n in ast.walk(operand)):
        return True
    statement = facts.index.statement_of(operand)
    return statement is place.statement or (
        isinstance(operand, ast.Name) and not _same(operand, place.base)
    )


def _same(a: ast.expr, b: ast.expr) -> bool:
    while isinstance(a, ast.Subscript):
        a = a.value
    if isinstance(a, ast.Name) and isinstance(b, ast.Name):
        return a.id == b.id
    return ast.unparse(a) == ast.unparse(b)


def _index_varies(place: Place, facts: Facts) -> bool:
    """Does another turn of a loop write another element?"""
    bound: set[str] = set()
    for loop in facts.index.loops_around(place.statement):
        bound |= {
            n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
    target: ast.expr = place.target
    while isinstance(target, ast.Subscript):
        if any(isinstance(n, ast.Name) and n.id in bound for n in ast.walk(target.slice)):
            return True
        target = target.value
    return False


def row_loops(place: Place, facts: Facts) -> list[Report]:
    """What the rule of row loops says of the loops around this place."""
    loops = facts.index.loops_around(place.statement)
    plain = [loop for loop in loops if not isinstance(loop, ast.AsyncFor)]
    return [report for loop in plain for report in in_place_row_loop.found(loop, facts)]


def _is_guarded(place: Place, graph: Graph, facts: Facts) -> bool:
    """Does the code ask whether there is a gradient before it saves memory? (Where one is sure, it
    asks something else.)"""
    if _is_for_inference(place, facts) or is_for_evaluation(place.node, facts):
        return True
    if graph == Graph.YES:
        return False
    if "is_grad_enabled" in facts.source.text:
        return True
    tests = [
        o.test for o in facts.index.ancestors(place.node) if isinstance(o, (ast.If, ast.IfExp))
    ]
    return any(_ASKS.search(facts.source.segment(test)) for test in tests)


def _is_for_inference(place: Place, facts: Facts) -> bool:
    """Does a comment or docstring say that the function runs without a backward pass?"""
    function = facts.index.function_of(place.node)
    if not isinstance(function, FUNCTIONS):
        return False
    first = function.body[0]
    head = facts.source.text.splitlines()[function.lineno - 1 : first.end_lineno or first.lineno]
    return _WITHOUT.search("\n".join(head)) is not None


def shown(node: ast.AST, facts: Facts, most: int = 40) -> str:
    """The code of a node, on one line and not too long."""
    if not isinstance(node, (ast.expr, ast.stmt)):
        return "..."
    text = " ".join(facts.source.segment(node).split())
    return text if len(text) <= most else text[: most - 4].rstrip() + " ..."


def operation(one: Break, facts: Facts) -> str:
    """How a reader calls the operation that kept something."""
    node = one.save.node
    if isinstance(node, ast.Call):
        return f"`{last_name(node.func) or 'a module'}`"
    if is_foreign(node):
        return "an operation"
    return f"`{shown(node, facts)}`"


def where(one: Break) -> str:
    node = one.save.node
    return "in another file" if is_foreign(node) else f"line {getattr(node, 'lineno', 0)}"
