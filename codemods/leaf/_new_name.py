"""The edits that give what is computed from a leaf a name of its own."""

from __future__ import annotations

import ast

from autofix.codemods.leaf._kept import rebound
from autofix.codemods.leaf._operations import Chain
from autofix.codemods.leaf._rebound import Choice, Rebound, rebound_leaves
from autofix.flow.facts import Facts
from autofix.flow.index import LOOPS
from autofix.flow.roles import runs_backward
from autofix.flow.uses import uses_in
from autofix.model import Edit
from autofix.rewrite.names import unused_name
from autofix.rewrite.statements import remove_statement

_OF_LEAF = frozenset({"grad", "data", "requires_grad", "is_leaf", "requires_grad_", "detach_"})


def needs_name(facts: Facts, call: ast.Call, chain: Chain) -> bool:
    """Was the result of `chain` to be another tensor, beside the leaf that `call` makes?"""
    if rebound(facts, chain.node) is None:
        return False
    return any(
        found.choice != Choice.NEW_LEAF
        and any(s.value is chain.node for s in (found.statement, *found.more))
        for found in rebound_leaves(facts, call)
    )


def renamed(facts: Facts, found: Rebound) -> tuple[Edit, ...] | str:
    """`w = w * 2` becomes `w_value = w * 2`, and so do the reads that mean the result."""
    reads = [load for load in found.loads if not _is_of_leaf(facts, load)]
    refusal = _refusal(facts, found, reads)
    if refusal is not None:
        return refusal
    loop = _loop(facts, found)
    if loop is not None and not runs_backward(loop, facts):
        return _recurrence(facts, found, reads, loop)
    if loop is not None and _updates(facts, found, loop):
        # what is read behind the update, or after the loop, is the leaf as it is then
        reads = [r for r in reads if loop in facts.index.ancestors(r)]
        reads = [r for r in reads if not _behind_update(facts, found, r, loop)]
    if not reads:
        return "nothing reads the result"
    new = _name(facts, found)
    written = [*_targets(found), *reads]
    return tuple(_write(facts, node, new) for node in written)


def _targets(found: Rebound) -> list[ast.Name]:
    targets = [s.targets[0] for s in (found.statement, *found.more)]
    return [t for t in targets if isinstance(t, ast.Name)]


def _recurrence(
    facts: Facts, found: Rebound, reads: list[ast.Name], loop: ast.stmt
) -> tuple[Edit, ...] | str:
    """`for ...: h = h * 2`: the new name starts as the leaf."""
    start = facts.source.span(loop)[0]
    indent = facts.source.text[facts.source.text.rfind("\n", 0, start) + 1 : start]
    if indent.strip():
        return "the loop stands in a line with other statements"
    new, name = _name(facts, found), found.target.id
    own = [
        n
        for n in ast.walk(found.statement.value)
        if isinstance(n, ast.Name) and n.id == name and not _is_of_leaf(facts, n)
    ]
    written = dict.fromkeys([*_targets(found), *own, *reads])
    first = Edit(start, start, f"{new} = {name}\n{indent}")
    return (first, *(_write(facts, node, new) for node in written))


def in_each_turn(facts: Facts, found: Rebound) -> tuple[Edit, ...] | str:
    """`new = w.clamp(0, 1)` goes into the loop that computes with it, and behind the loop again
    if it is read there."""
    reads = [load for load in found.loads if not _is_of_leaf(facts, load)]
    refusal = _refusal(facts, found, reads)
    if refusal is not None:
        return refusal
    assert isinstance(found.loop, LOOPS)
    if found.more:
        return "the name is bound again more than once"
    new = _name(facts, found)
    value = facts.source.segment(found.statement.value)
    around = facts.index.function_of(found.statement)
    called = [r for r in reads if facts.index.function_of(r) is not around]
    own = [r for r in reads if r not in called]
    inside = [r for r in own if _holder(facts, r, found.loop.body) is not None]
    if any(isinstance(n, ast.Name) and _is_bound_in(facts, n, found.loop) for n in _names(found)):
        return "what it is computed from changes in the loop"
    at = [_first(facts, inside, found.loop.body)] if inside else []
    for function in dict.fromkeys(map(facts.index.function_of, called)):
        if not isinstance(function, ast.FunctionDef) or _hides(facts, function, found):
            return "what it is computed from has another meaning where it is read"
        mine = [r for r in called if facts.index.function_of(r) is function]
        at.append(_first(facts, mine, function.body))
    outer = _outermost(facts, found)
    before = [r for r in own if r.lineno < outer.lineno]
    after = [r for r in own if r.lineno > (outer.end_lineno or 0)]
    if len(before) + len(after) + len(inside) != len(own):
        return "several loops read it"
    if after:
        at.append(_first(facts, after, getattr(facts.index.parents[outer], "body", [])))
    if None in at:
        return "it is read in another block"
    edits = [_write(facts, r, new) for r in reads]
    for holder in at:
        assert holder is not None
        start = facts.source.span(holder)[0]
        indent = facts.source.text[facts.source.text.rfind("\n", 0, start) + 1 : start]
        if indent.strip():
            return "it is read in a line with other statements"
        edits.append(Edit(start, start, f"{new} = {value}\n{indent}"))
    if before:
        edits.append(_write(facts, found.target, new))
    else:
        removed = remove_statement(facts, found.statement)
        assert removed is not None
        edits.append(removed)
    return tuple(edits)


def _first(facts: Facts, reads: list[ast.Name], block: list[ast.stmt]) -> ast.stmt | None:
    """The statement of the block in which it is read first."""
    return _holder(facts, min(reads, key=lambda r: (r.lineno, r.col_offset)), block)


def _hides(facts: Facts, function: ast.FunctionDef, found: Rebound) -> bool:
    bound = facts.index.bound_names(function)
    return any(isinstance(n, ast.Name) and n.id in bound for n in _names(found))


def _refusal(facts: Facts, found: Rebound, reads: list[ast.Name]) -> str | None:
    around = facts.index.function_of(found.statement)
    for read in reads:
        function = facts.index.function_of(read)
        early = function is not None and function.lineno < found.statement.lineno
        if function is not around and (early or _loop(facts, found) is not None):
            return "a function that may be called before reads it"
        start, end = facts.source.span(read)
        if facts.source.text[start:end] != read.id:
            return "it is read inside an f-string"
        stores = [s for s in uses_in(facts).names.stores(read) if s not in _targets(found)]
        others = [s for s in stores if read in uses_in(facts).names.loads(s)]
        if any(not _is_leaf_store(facts, found, s) for s in others):
            return f"it may have another meaning in line {read.lineno}"
    return None


def _is_leaf_store(facts: Facts, found: Rebound, store: ast.Name) -> bool:
    """Is it bound to the leaf there, so that the branch that binds it again was not taken?"""
    statement = facts.index.statement_of(store)
    if isinstance(statement, ast.AugAssign):
        return True
    conditional = facts.index.parents.get(found.statement)
    return not isinstance(conditional, ast.If) and statement is not None


def _name(facts: Facts, found: Rebound) -> str:
    return unused_name(facts, f"{found.target.id}_value", found.statement)


def _write(facts: Facts, node: ast.Name, new: str) -> Edit:
    start, end = facts.source.span(node)
    return Edit(start, end, new)


def _names(found: Rebound) -> list[ast.AST]:
    return list(ast.walk(found.statement.value))


def _is_bound_in(facts: Facts, name: ast.Name, loop: ast.stmt) -> bool:
    return any(
        loop in facts.index.ancestors(s)
        and not isinstance(facts.index.statement_of(s), ast.AugAssign)
        for s in uses_in(facts).names.stores(name)
    )


def _holder(facts: Facts, node: ast.AST, block: list[ast.stmt]) -> ast.stmt | None:
    around = set(map(id, (node, *facts.index.ancestors(node))))
    return next((s for s in block if id(s) in around), None)


def _outermost(facts: Facts, found: Rebound) -> ast.stmt:
    """The loop in the block of the statement that the training loop is, or is in."""
    assert found.loop is not None
    block = getattr(facts.index.parents[found.statement], "body", [])
    return _holder(facts, found.loop, block) or found.loop


def _loop(facts: Facts, found: Rebound) -> ast.stmt | None:
    around = facts.index.loops_around(found.call)
    return next((o for o in facts.index.loops_around(found.statement) if o not in around), None)


def _updates(facts: Facts, found: Rebound, loop: ast.stmt) -> list[ast.AugAssign]:
    return [
        n
        for n in ast.walk(loop)
        if isinstance(n, ast.AugAssign)
        and isinstance(n.target, ast.Name)
        and n.target.id == found.target.id
    ]


def _behind_update(facts: Facts, found: Rebound, read: ast.Name, loop: ast.stmt) -> bool:
    return any((u.end_lineno or 0) < read.lineno for u in _updates(facts, found, loop))


def _is_of_leaf(facts: Facts, load: ast.Name) -> bool:
    """Does this read want the leaf itself, rather than what was computed from it?"""
    parent = facts.index.parents.get(load)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _OF_LEAF or (parent.attr.endswith("_") and parent.attr[0] != "_")
    statement = facts.index.statement_of(load)
    return _makes_leaf_again(statement, load.id)


def _makes_leaf_again(statement: ast.stmt | None, name: str) -> bool:
    """`w = w.detach().requires_grad_()`"""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            names = {n.attr for n in ast.walk(value) if isinstance(n, ast.Attribute)}
            return bool(names & {"detach", "data", "requires_grad_"})
    return False
