"""What the rules of overwritten memory say and do; they differ in what was overwritten."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.in_place._broken import (
    EXPANDED,
    LEAF,
    OUTPUT,
    OWN,
    RECURRENT,
    Broken,
    diagnose,
    operation,
    row_loops,
    shown,
    where,
)
from autofix.codemods.in_place._kept import clone_kept
from autofix.codemods.in_place._out_of_place import drop_argument, out_of_place
from autofix.codemods.in_place._places import NODES, flag_of, places
from autofix.codemods.in_place._private import is_private
from autofix.codemods.in_place._row_header import DeclinedError
from autofix.flow.facts import Facts
from autofix.flow.values import Graph
from autofix.flow.writes import memory_in
from autofix.model import Applicability, Edit
from autofix.rewrite.liveness import read_later
from autofix.rewrite.statements import insert_above
from autofix.rule import Report, fix


def reports(
    kind: str, node: ast.Assign | ast.AugAssign | ast.Call, facts: Facts
) -> Iterator[Report]:
    for place in places(node, facts):
        broken = diagnose(place, facts)
        if broken is None or broken.kind != kind:
            continue
        message, why = _message(broken, facts), broken.why(facts)
        try:
            edits = repair(broken, facts)
        except DeclinedError as declined:
            if not row_loops(place, facts):
                yield Report(place.node, message, declined=str(declined), why=why)
            continue
        sure = broken.graph == Graph.YES and not broken.write.partly
        tier = Applicability.SAFE if sure else Applicability.UNSAFE
        yield Report(place.node, message, fix(tier, *edits), why=why)


def mended_inside(loop: ast.stmt, facts: Facts) -> bool:
    """Do these rules mend a write in a loop?"""
    for node in ast.walk(loop):
        for place in places(node, facts) if isinstance(node, NODES) else ():
            broken = diagnose(place, facts)
            if broken is None:
                continue
            if broken.kind in (LEAF, EXPANDED):
                return True
            try:
                return bool(repair(broken, facts))
            except DeclinedError:
                return False
    return False


def _message(broken: Broken, facts: Facts) -> str:
    base = shown(broken.place.base, facts)
    if not broken.breaks:
        return f"`{base}` is one of several views made at once, into which nothing may be written"
    first = broken.breaks[0]
    what_kept = f"{operation(first, facts)} ({where(first)})"
    if broken.place.is_module:
        return f"`{base}` overwrites what {what_kept} has kept for its backward pass"
    if broken.kind in (OWN, RECURRENT):
        what = "elements of" if broken.kind == OWN else "earlier elements of"
        note = f"{what_kept} has kept {what} it"
        return f"`{base}` is written in place although {note}: `backward()` raises"
    if broken.kind == OUTPUT:
        return (
            f"`{base}` is the result of {what_kept}, which needs it unchanged: `backward()` raises"
        )
    return f"`{base}` is overwritten although {what_kept} has kept it: `backward()` raises"


def repair(broken: Broken, facts: Facts) -> list[Edit]:
    """The edits that undo the break, at the write where that is the plainest, else where the
    tensor is kept."""
    place, write = broken.place, broken.write
    if place.is_module:
        return _module(broken, facts)
    private = is_private(place, write, facts)
    if write.parted:
        return _own_copy(broken, private, facts)
    if private and broken.kind not in (OWN, RECURRENT) and not _reads_itself(broken, facts):
        try:
            return out_of_place(place, facts)
        except DeclinedError:
            pass
    return clone_kept(broken.breaks, place, facts)


def _own_copy(broken: Broken, private: bool, facts: Facts) -> list[Edit]:
    """One of several views gets memory of its own: where a loop binds it, or at the write."""
    place = broken.place
    for loop in facts.index.loops_around(place.statement):
        if isinstance(loop, ast.For) and loop.iter in broken.write.parted:
            name = loop.target.id if isinstance(loop.target, ast.Name) else ""
            named = isinstance(place.base, ast.Name) and place.base.id == name
            if named and _is_new(loop.iter, facts):
                return [insert_above(facts, loop.body[0], f"{name} = {name}.clone()")]
    if not private:
        raise DeclinedError(f"the tensor that `{shown(place.base, facts)}` is part of is read")
    return out_of_place(place, facts)


def _is_new(node: ast.expr, facts: Facts) -> bool:
    """Is it memory that nothing named in it has, as that of `x * 2` and not of `x.unbind(0)`?"""
    if not isinstance(node, (ast.BinOp, ast.Call, ast.UnaryOp)):
        return False
    mine = memory_in(facts.value(node))
    parts = [n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute))]
    return bool(mine) and not any(mine & memory_in(facts.value(part)) for part in parts)


def _reads_itself(broken: Broken, facts: Facts) -> bool:
    """Is something kept by the very statement that writes an element?"""
    if not isinstance(broken.place.target, ast.Subscript):
        return False
    inside = set(ast.walk(broken.place.statement))
    return any(inside & {one.save.node, *one.save.calls} for one in broken.breaks)


def _module(broken: Broken, facts: Facts) -> list[Edit]:
    """`nn.ReLU(inplace=True)`: without the flag, if nobody sees its argument change."""
    node, write = broken.place.node, broken.write
    assert isinstance(node, ast.Call)
    if (
        write.escapes
        or write.held
        or any(_is_seen(call, write.names, facts) for call in write.calls)
    ):
        return clone_kept(broken.breaks, broken.place, facts)
    flag = flag_of(node)
    assert flag is not None
    return [drop_argument(node, flag, facts)]


def _is_seen(call: ast.Call, names: set[str], facts: Facts) -> bool:
    statement = facts.index.statement_of(call)
    if statement is None:
        return True
    bound = set()
    if isinstance(statement, ast.Assign) and statement.value is call:
        bound = {t.id for t in statement.targets if isinstance(t, ast.Name)}
    return any(read_later(name, statement, facts) for name in names - bound)
