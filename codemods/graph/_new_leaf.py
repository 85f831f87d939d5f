"""What becomes of a loss that was made a new leaf, and what it may be good for."""

from __future__ import annotations

import ast

from autofix.codemods.graph._intent import is_given_to_others, is_loss
from autofix.codemods.graph._only_cut import iterated
from autofix.codemods.graph._stops import stopped
from autofix.flow import roles
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import mentions
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph


def frozen(node: ast.AST, inner: ast.expr, facts: Facts) -> str | None:
    """Why the loss may have no graph though a model is on the way: its parameters are switched
    off, and the other way to it is cut. (Which parameters are meant when is not followed.)"""
    freezes = [n for n in ast.walk(facts.tree) if _is_freeze(n)]
    if not freezes:
        return None
    cuts = [n for n in facts.cuts_before(inner) if isinstance(n, ast.expr) and n is not node]
    here = facts.index.function_of(node)
    same = [n for n in freezes if facts.index.function_of(n) is here and here is not None]
    if not cuts and not same:
        return None
    line = getattr((same or freezes)[0], "lineno", 0)
    text = f"parameters are frozen at line {line}"
    if cuts:
        code = " ".join(facts.source.segment(cuts[0]).split())[:40]
        text += (
            f", and `{code}` (line {cuts[0].lineno}) ends the graph on the other way to the loss"
        )
    return f"{text}: without the leaf it may only raise"


def _is_freeze(node: ast.AST) -> bool:
    match node:
        case (
            ast.Call(func=ast.Attribute(attr="requires_grad_"), args=[ast.Constant(value=False)])
            | ast.Assign(
                targets=[ast.Attribute(attr="requires_grad")], value=ast.Constant(value=False)
            )
        ):
            return True
    return False


def runs_backward(node: ast.Assign | ast.Call, inner: ast.expr, facts: Facts) -> bool:
    """`backward()` on the leaf itself, which nobody asks for its gradient."""
    users = [use.user for use in _uses(node, inner, facts)]
    read = {user.attr for user in users if isinstance(user, ast.Attribute)}
    return "backward" in read and not read & {"grad", "retain_grad", "register_hook"}


def is_given_out(node: ast.Assign | ast.Call, inner: ast.expr, facts: Facts) -> bool:
    """Does a function give the leaf, which is no loss, to code that may ask for its gradient?"""
    value = facts.value(inner)
    reduced = isinstance(inner, ast.Call) and last_name(inner.func) in ("mean", "sum")
    likely = value.is_single or value.is_number or reduced or is_loss(inner)
    if likely:
        return _is_part_of_leaf(inner, facts) and any(
            isinstance(use.user, ast.Call) and facts.library_name(use.user.func) is None
            for use in _uses(node, inner, facts)
        )
    if runs_backward(node, inner, facts):
        return False
    return is_given_to_others(_uses(node, inner, facts), facts)


def _is_part_of_leaf(inner: ast.expr, facts: Facts) -> bool:
    """`w.clone()` in `for w in weights`, where `weights` is one leaf: a number to start from, which
    some function is given."""
    while isinstance(inner, (ast.Call, ast.Attribute)):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    whole = inner.value if isinstance(inner, ast.Subscript) else iterated(inner, facts)
    return whole is not None and facts.value(whole).leaf


def begins_anew(cut: ast.AST, graph: Graph, inner: ast.expr, facts: Facts) -> bool:
    """`x.detach().clone().requires_grad_()` of points that nobody knows to have a graph: a leaf to
    differentiate for, such as the input of an equation."""
    if graph == Graph.YES or not isinstance(cut, ast.expr) or stopped(cut, facts) is None:
        return False
    single = facts.value(inner).is_single or is_loss(inner)
    return not single and any(cut is n for n in ast.walk(inner)) and last_name(cut) != "data"


def ends_turn(node: ast.Assign | ast.Call, facts: Facts) -> bool:
    """`x = x.clamp(0, 1).detach().requires_grad_()` behind the backward pass of the turn"""
    statement = facts.index.statement_of(node)
    match statement:
        case ast.Assign(targets=[target], value=value) if value is node:
            block = facts.index.block_of(statement)
            before = block[: block.index(statement)]
            again = bool(mentions(value, ast.unparse(target)))
            return again and any(roles.runs_backward(one, facts) for one in before)
    return False


def _uses(node: ast.Assign | ast.Call, inner: ast.expr, facts: Facts) -> list[Use]:
    """What is done with the leaf."""
    uses = uses_in(facts)
    if isinstance(node, ast.Call):
        return uses.follow(node)
    if isinstance(inner, ast.Attribute):  # `self.loss.requires_grad = True`
        here = facts.index.function_of(node)
        same = [n for n in uses.names.attributes.get(inner.attr, ()) if n.lineno > node.lineno]
        loads = [n for n in same if ast.unparse(n) == ast.unparse(inner)]
        mine = [n for n in loads if facts.index.function_of(n) is here]
        return [use for load in mine for use in uses.follow(load)]
    if not isinstance(inner, ast.Name):
        return []
    stores = [s for s in uses.names.stores(inner) if inner in uses.names.loads(s)]
    later = [n for s in stores for n in uses.names.loads(s) if n.lineno > node.lineno]
    return [use for load in later for use in uses.follow(load)]
