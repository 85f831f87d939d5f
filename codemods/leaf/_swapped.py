"""Leaves that an optimizer holds, and whose name is bound to another leaf between its steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from autofix.codemods.alias._weights import uncut
from autofix.codemods.leaf._kept import without_gradient
from autofix.codemods.leaf._made import leaf_made
from autofix.codemods.leaf._turned_over import turned_over
from autofix.flow import torch_api
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.roles import BACKWARD, is_optimizer, optimizer_class
from autofix.flow.syntax import all_arguments, calls_in, is_named, is_true, keyword, mentions
from autofix.flow.uses import ADDING, uses_in
from autofix.flow.values import Graph, Value
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rewrite.statements import remove_statement

_WRAPPERS = frozenset({"Parameter", "Variable", "tensor"})
_NAMES = 4
"""Names in a row that are followed."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """`statement` binds a new leaf, made of the one that the optimizer goes on with."""

    statement: ast.Assign
    target: ast.Name | ast.Attribute
    value: ast.expr
    """What the new leaf is made of."""
    flag: ast.stmt | None
    """`x.requires_grad = True`, where a statement of its own makes it one."""
    optimizer: ast.Call


def binding(facts: Facts, node: ast.Assign | ast.Expr) -> ast.Assign | None:
    """The statement that binds the name: this one, or the one before `x.requires_grad = True`."""
    match node:
        case ast.Assign(targets=[ast.Attribute(attr="requires_grad")]):
            pass
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="requires_grad_"))):
            pass
        case _:
            return node if isinstance(node, ast.Assign) else None
    block = facts.index.block_of(node)
    before = block[block.index(node) - 1] if node in block[1:] else None
    if isinstance(before, ast.With):
        before = before.body[-1]
    return before if isinstance(before, ast.Assign) else None


def behind(facts: Facts, step: ast.Expr) -> Iterator[Swapped]:
    """`self.x = self.x.clamp(0, 1)` behind a step: what ends a turn was to be trained on."""
    if not _steps(facts, step):
        return
    block = facts.index.block_of(step)
    for node in block[block.index(step) + 1 :]:
        if any(last_name(call.func) in (*BACKWARD, "step") for call in calls_in(node)):
            return
        found = swapped(facts, node, behind_step=True) if isinstance(node, ast.Assign) else None
        if found is not None and not _is_turned_over(facts, found.target):
            yield found


def _is_turned_over(facts: Facts, target: ast.Name | ast.Attribute) -> bool:
    """Is the leaf made in the same function, so that it is found from there?"""
    names = uses_in(facts).names
    flagged = (*names.attributes.get("requires_grad_", ()), *names.stored.get("requires_grad", ()))
    nodes = [f.value for f in flagged if is_named(f.value, ast.unparse(target))]
    for store in names.stores(target) if isinstance(target, ast.Name) else ():
        value = getattr(facts.index.parents.get(store), "value", None)
        made = isinstance(value, ast.Call) and leaf_made(facts, value) is not None
        if made or last_name(getattr(value, "func", target)) == "Parameter":
            nodes.append(value)
    return any(turned_over(facts, node) is not None for node in nodes)


def swapped(facts: Facts, node: ast.Assign, behind_step: bool = False) -> Swapped | None:
    """The name is bound to another leaf; `behind_step` to a tensor that is none."""
    match node.targets:
        case [ast.Name() as target] | [ast.Attribute(value=ast.Name()) as target]:
            pass
        case _:
            return None
    text = ast.unparse(target)
    value, leaf = _peeled(facts, node.value)
    flag = None if leaf else _flag_behind(facts, node, text)
    if isinstance(value, ast.Attribute):
        return None
    if behind_step is (leaf or flag is not None):
        return None
    if not any(mentions(one, text) for one in _made_of(facts, value)) or is_named(value, text):
        return None
    optimizer = _holder(facts, node, target, text)
    if optimizer is None or _is_handed_over(facts, node, target, text):
        return None
    return Swapped(node, target, value, flag, optimizer)


def _peeled(facts: Facts, value: ast.expr) -> tuple[ast.expr, bool]:
    """`x.clamp(0, 1)` of `x.clamp(0, 1).detach().requires_grad_()`; and is it made a leaf?"""
    leaf = False
    while isinstance(value, ast.Call):
        match value.func:
            case ast.Attribute(value=inner, attr="requires_grad_"):
                leaf = leaf or all(is_true(a) for a in all_arguments(value))
            case ast.Attribute(value=inner, attr="detach" | "clone" | "contiguous"):
                pass
            case func if last_name(func) in _WRAPPERS and value.args:
                if not (facts.library_name(func) or "").startswith("torch."):
                    break
                wanted = keyword(value, "requires_grad")
                made = last_name(func) == "Parameter" and wanted is None
                leaf, inner = leaf or made or is_true(wanted), value.args[0]
            case _:
                break
        value = inner
    return value, leaf


def _flag_behind(facts: Facts, node: ast.Assign, text: str) -> ast.stmt | None:
    """The next statement, if it makes the tensor a leaf."""
    last: ast.stmt = node
    parent = facts.index.parents.get(node)
    if isinstance(parent, ast.With) and parent.body[-1] is node:
        last = parent
    block = facts.index.block_of(last)
    if last is block[-1]:
        return None
    match block[block.index(last) + 1]:
        case ast.Assign(targets=[ast.Attribute(value=owner, attr="requires_grad")]) as flag:
            return flag if is_true(flag.value) and ast.unparse(owner) == text else None
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="requires_grad_") as func)) as flag:
            return flag if ast.unparse(func.value) == text else None
    return None


def _made_of(facts: Facts, value: ast.expr) -> list[ast.expr]:
    """An expression, and (of a name that is bound once) what it stands for."""
    found = [value]
    for one in found:  # grows while it is read
        stores = uses_in(facts).names.stores(one) if isinstance(one, ast.Name) else []
        made = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
        if isinstance(made, ast.Assign) and len(found) < _NAMES:
            found.append(_peeled(facts, made.value)[0])
    return found


def _holder(
    facts: Facts, node: ast.Assign, target: ast.Name | ast.Attribute, text: str
) -> ast.Call | None:
    """The call that gives the leaf to an optimizer that is stepped between two of these."""
    here, owner = facts.index.function_of(node), facts.index.class_of(node)
    loops = facts.index.loops_around(node)
    name = isinstance(target, ast.Name)
    found = None
    for call in facts.index.of_kind(ast.Call):
        if not _takes(facts, call, text):
            continue
        if name:
            if facts.index.function_of(call) is not here or call.lineno > node.lineno:
                return None
            if any(loop in loops for loop in facts.index.loops_around(call)):
                return None  # made anew in each turn
        elif facts.index.class_of(call) is not owner or owner is None:
            continue
        elif facts.index.function_of(call) is here and call.lineno > node.lineno:
            return None
        found = call
    where: ast.AST | None = (loops[0] if loops else None) if name else owner
    if found is None or where is None or not _steps(facts, where) or _is_renewed(facts, found):
        return None
    return found if _resets(facts, where) and _is_leaf(facts, found, text) else None


def _is_renewed(facts: Facts, optimizer: ast.Call) -> bool:
    """Is another optimizer bound to the same name somewhere?"""
    names = uses_in(facts).names
    match facts.index.parents.get(optimizer):
        case ast.Assign(targets=[ast.Name() as bound]):
            return len(names.stores(bound)) > 1
        case ast.Assign(targets=[ast.Attribute() as bound]):
            owner = facts.index.class_of(bound)
            stored = names.stored.get(bound.attr, ())
            return sum(facts.index.class_of(s) is owner for s in stored) > 1
    return False


def _takes(facts: Facts, call: ast.Call, text: str) -> bool:
    if optimizer_class(call, facts) is None or not call.args:
        return False
    given = call.args[0]
    plain = isinstance(given, (ast.List, ast.Tuple))
    return plain and bool(mentions(given, text))


def _steps(facts: Facts, where: ast.AST) -> bool:
    return any(
        last_name(call.func) == "step"
        and isinstance(call.func, ast.Attribute)
        and is_optimizer(call.func.value, facts)
        for call in calls_in(where)
    )


def _resets(facts: Facts, where: ast.AST) -> bool:
    """Are gradients reset in each turn? (A new leaf had none.) And is the optimizer's list left as
    it is?"""
    names = {n.attr for n in ast.walk(where) if isinstance(n, ast.Attribute)}
    return "zero_grad" in names and "param_groups" not in names and "add_param_group" not in names


def _is_leaf(facts: Facts, call: ast.Call, text: str) -> bool:
    values = [facts.value(n) for n in mentions(call.args[0], text)]
    return all(value.is_tensor and value.graph == Graph.YES for value in values)


def _is_handed_over(
    facts: Facts, node: ast.Assign, target: ast.Name | ast.Attribute, text: str
) -> bool:
    """Is the tensor of a turn kept, so that each has to be another? Or does the code that calls
    this make an optimizer for the new leaf?"""
    scope: ast.AST = facts.index.function_of(node) or facts.tree
    if isinstance(target, ast.Attribute):
        scope = facts.index.class_of(node) or scope
        function = facts.index.function_of(node)
        for call in uses_in(facts).calls_of(function):
            around = facts.index.function_of(call) or facts.tree
            if any(
                optimizer_class(c, facts) and c.lineno > call.lineno
                for c in calls_in(around)
                if facts.index.function_of(c) is facts.index.function_of(call)
            ):
                return True
    for part in ast.walk(scope):
        match part:
            case ast.Call(func=ast.Attribute(attr=name), args=[kept]) if name in ADDING:
                if _shares(kept, text):
                    return True
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as other], value=value):
                if ast.unparse(other) != text and _shares(value, text):
                    return True
    return False


def _shares(node: ast.expr, text: str) -> bool:
    """`x`, `x.detach()`, `x.data`: the same memory."""
    return is_named(uncut(node)[0], text)


def written(facts: Facts, found: Swapped) -> tuple[tuple[Edit, ...] | str, Applicability]:
    """The edits that write into the leaf instead."""
    text = facts.source.segment(found.target)
    new, same = _in_place(facts, found, text)
    start, end = facts.source.span(found.statement)
    tier = Applicability.SAFE if same else Applicability.UNSAFE
    line = facts.source.text.rfind("\n", 0, start) + 1
    indent = facts.source.text[line:start]
    edits: list[Edit] = []
    if without_gradient(facts, found.statement):
        edits.append(Edit(start, end, new))
    elif indent.strip():
        return "it stands in a line with other statements", tier
    else:
        spelling = spell(facts, "torch.no_grad", found.statement)
        edits += spelling.edits
        edits.append(Edit(start, end, f"with {spelling.code}():\n{indent}    {new}"))
    if found.flag is not None:
        removed = remove_statement(facts, found.flag)
        if removed is None:
            return "it stands in a line with other statements", tier
        edits.append(removed)
    return tuple(edits), tier


def _in_place(facts: Facts, found: Swapped, text: str) -> tuple[str, bool]:
    """`x.clamp_(0, 1)` for `x.clamp(0, 1)`, else `x.copy_(...)`; and is the shape surely kept?"""
    value = found.value
    made = _made_of(facts, value)
    reads = [read for one in made for read in mentions(one, ast.unparse(found.target))]
    same = _same_shape(facts.value(reads[0]), facts.value(value))
    match value:
        case ast.Call(func=ast.Attribute(value=owner, attr=method) as func) if same:
            if _shares(owner, ast.unparse(found.target)) and torch_api.method(f"{method}_"):
                start, end = facts.source.span(func)[1], facts.source.span(value)[1]
                return f"{text}.{method}_{facts.source.text[start:end]}", True
    return f"{text}.copy_({facts.source.segment(value)})", same


def _same_shape(a: Value, b: Value) -> bool:
    if a.shape is not None and b.shape is not None:
        return a.shape == b.shape and None not in a.shape
    return a.shape_id is not None and a.shape_id == b.shape_id
