"""Hard choices that a loss is computed of, and the soft values that it is meant to have.

A class index goes to a loss as its scores, a rounded or thresholded probability as itself.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.codemods.graph._operands import is_method, operand
from autofix.codemods.graph._unwrapping import replaced
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, last_name
from autofix.flow.syntax import argument
from autofix.flow.uses import uses_in
from autofix.flow.values import INTEGRAL, Graph, Kind, Why
from autofix.model import Edit
from autofix.rewrite.names import spell

_CASTS = frozenset({"float", "double", "type", "to", "squeeze", "type_as", "flatten"})
_LOSSES = frozenset(
    {"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss"}
    | {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"}
    | {"binary_cross_entropy_with_logits", "CrossEntropyLoss", "cross_entropy"}
)
_OF_LOGITS = frozenset({"BCEWithLogitsLoss", "binary_cross_entropy_with_logits"})
_OF_CLASSES = frozenset({"CrossEntropyLoss", "cross_entropy"})
_SQUASHED = ("sigmoid`", "softmax`", "Sigmoid`", "Softmax`")
_VIEWS = ("an index`", "view`", "squeeze`", "reshape`", "flatten`", "unbind`", "an index")


@dataclass(frozen=True, slots=True)
class Softened:
    """A repair: what the loss is computed of instead."""

    edits: tuple[Edit, ...]
    note: str


def softened(node: ast.expr, facts: Facts) -> Softened | None:
    """The repair of the hard choice made at `node`, if there is one that nobody would do
    differently."""
    hard = _cast(node, facts)
    places = [_cast(place, facts) for place in _places(hard, facts)]
    losses = [call for place in places if (call := _loss_of(place, facts)) is not None]
    if losses:
        return _given_scores(node, losses, facts)
    if _is_chosen(node, facts):
        return None
    soft = _probability(node, facts)
    if soft is not None and _is_only_for_loss(node, places, facts):
        text = facts.source.segment(soft)
        whole = facts.index.parents.get(hard)
        loose = not isinstance(soft, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
        text = f"({text})" if loose and isinstance(whole, (ast.BinOp, ast.Attribute)) else text
        note = "the loss is computed of the probability: its values differ"
        return Softened(tuple(replaced(facts, hard, text)), note)
    return None


def _is_chosen(node: ast.expr, facts: Facts) -> bool:
    """Is it an index of the largest score?"""
    return isinstance(node, ast.Call) and last_name(node.func) in ("argmax", "max")


def _cast(node: ast.expr, facts: Facts) -> ast.expr:
    """`node.float()`, `node.type(torch.float32)`: the same values."""
    parents = facts.index.parents
    while True:
        around = parents.get(node)
        call = parents.get(around) if isinstance(around, ast.Attribute) else None
        match around:
            case ast.Attribute(attr=name) if (
                name in _CASTS and isinstance(call, ast.Call) and call.func is around
            ):
                node = call
            case ast.Attribute(attr="indices") if facts.value(node).kind & Kind.SEQUENCE:
                node = around
            case ast.Subscript(slice=ast.Constant(value=1)) if (
                around.value is node and facts.value(node).kind & Kind.SEQUENCE
            ):
                node = around
            case _:
                return node


def _places(hard: ast.expr, facts: Facts) -> list[ast.expr]:
    """Where the hard value is used: there, or under the name that it gets."""
    parent = facts.index.parents.get(hard)
    names = uses_in(facts).names
    match parent:
        case ast.Assign(targets=[ast.Name() as target]):
            return list(names.loads(target))
        case ast.Assign(targets=[ast.Tuple(elts=[_, ast.Name() as target])]) if (
            facts.value(hard).kind & Kind.SEQUENCE
        ):
            return list(names.loads(target))
    return [hard]


def _loss_of(place: ast.expr, facts: Facts) -> ast.Call | None:
    """The call of a loss of torch that takes it for the output of the model."""
    call = facts.index.parents.get(place)
    if not isinstance(call, ast.Call) or call.args[:1] != [place] or call.keywords:
        return None
    return call if len(call.args) == 2 and _loss_name(call, facts) in _LOSSES else None


def _loss_name(call: ast.Call, facts: Facts) -> str:
    name = facts.library_name(call.func) or facts.value(call.func).ref
    return name.rpartition(".")[2] if isinstance(name, str) else ""


def _given_scores(node: ast.expr, losses: list[ast.Call], facts: Facts) -> Softened | None:
    edits: list[Edit] = []
    for call in losses:
        found = _of_scores(node, call, facts) if _is_chosen(node, facts) else None
        if not _is_chosen(node, facts) and _loss_name(call, facts) not in _OF_CLASSES:
            found = _of_probability(node, call, facts)
        if found is None:
            return None
        edits += found
    chosen = _is_chosen(node, facts)
    text = "cross entropy of the scores" if chosen else "computed of the probability"
    return Softened(tuple(edits), f"the loss is {text}: its values differ")


def _of_scores(node: ast.expr, call: ast.Call, facts: Facts) -> list[Edit] | None:
    """`F.cross_entropy(scores, y)` in place of `mse_loss(scores.argmax(1).float(), y.float())`."""
    assert isinstance(node, ast.Call)
    scores = operand(node, facts)
    dim = argument(node, int(not is_method(node, facts)), "dim")
    if scores is None or dim is None or ast.unparse(dim) not in ("1", "-1"):
        return None
    if ast.unparse(dim) == "-1" and facts.value(scores).rank != 2:
        return None
    scores = _unsquashed(scores, facts)
    if not _is_same_there(scores, call, facts):
        return None
    label = _uncast(call.args[1], facts)
    labels = facts.value(label)
    if not labels.may_be_tensor or labels.graph == Graph.YES:
        return None
    text = facts.source.segment(label)
    loose = not isinstance(label, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    if labels.dtype != "int64":
        text = f"({text}).long()" if loose else f"{text}.long()"
    made = spell(facts, "torch.nn.functional.cross_entropy", call)
    new = f"{made.code}({facts.source.segment(scores)}, {text})"
    return [*made.edits, *replaced(facts, call, new)]


def _of_probability(node: ast.expr, call: ast.Call, facts: Facts) -> list[Edit] | None:
    soft = _probability(node, facts)
    logits = _loss_name(call, facts) in _OF_LOGITS
    if soft is None:
        return None
    if logits:
        inner = _unsquashed(soft, facts)
        if inner is soft:
            return None
        soft = inner
    if not _is_same_there(soft, call, facts):
        return None
    return replaced(facts, call.args[0], facts.source.segment(soft))


def _probability(node: ast.expr, facts: Facts) -> ast.expr | None:
    """`p` of `torch.round(p)` and `p > 0.5`, where p is surely between 0 and 1."""
    source: ast.expr | None = None
    match node:
        case ast.Compare(left=left, ops=[ast.Gt() | ast.GtE()], comparators=[limit]):
            share = facts.value(limit).const
            if isinstance(share, float) and 0 < share < 1:
                source = left
        case ast.Call() if last_name(node.func) == "round":
            source = operand(node, facts)
        case ast.Call() if last_name(node.func) in ("gt", "ge"):
            source = operand(node, facts)
            limit = node.args[-1] if node.args else node
            share = facts.value(limit).const
            source = source if isinstance(share, float) and 0 < share < 1 else None
    if source is None or not facts.value(source).is_tensor:
        return None
    return source if _is_squashed(facts.value(source).why) else None


def _is_squashed(why: Why | None) -> bool:
    while why is not None and why.text.endswith(_VIEWS):
        why = why.before
    return why is not None and why.text.endswith(_SQUASHED) and "log" not in why.text.lower()


def _unsquashed(node: ast.expr, facts: Facts) -> ast.expr:
    """The scores behind `torch.softmax(scores, dim=1)`, also by way of a name."""
    made = node
    if isinstance(node, ast.Name):
        stores = uses_in(facts).names.stores(node)
        parent = facts.index.parents.get(stores[0]) if len(stores) == 1 else None
        if isinstance(parent, ast.Assign) and parent.targets == stores:
            made = parent.value
    if isinstance(made, ast.Call) and last_name(made.func) in ("softmax", "log_softmax", "sigmoid"):
        inner = operand(made, facts)
        if inner is not None and _is_same_there(inner, node, facts):
            return inner
    return node


def _uncast(node: ast.expr, facts: Facts) -> ast.expr:
    """`y` of `y.float()`, `y.type(torch.float32)`, if it holds integers or nobody knows."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="float" | "type" | "to" | "double")):
            value = facts.value(inner)
            if value.may_be_tensor and (value.dtype is None or value.dtype in INTEGRAL):
                return inner
    return node


def _is_same_there(node: ast.expr, there: ast.AST, facts: Facts) -> bool:
    """Do the names in `node`, read at `there`, have the values that they have at `node`?"""
    if facts.index.function_of(node) is not facts.index.function_of(there):
        return False
    names = uses_in(facts).names
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and not _is_cheap(part, facts):
            return False
        if isinstance(part, ast.Name):
            stores = names.stores(part)
            between = [s for s in stores if part.lineno <= s.lineno <= getattr(there, "lineno", 0)]
            if any(_comes_after(s, node, facts) for s in between):
                return False
    return True


def _comes_after(store: ast.Name, node: ast.expr, facts: Facts) -> bool:
    """Is the name bound again once `node` is evaluated?"""
    statement, mine = facts.index.statement_of(store), facts.index.statement_of(node)
    return store.lineno > node.lineno or (statement is mine and statement is not None)


def _is_cheap(call: ast.Call, facts: Facts) -> bool:
    """A function of torch that gives the same when it is called again."""
    name = last_name(call.func) or ""
    tensor = is_method(call, facts) or (facts.library_name(call.func) or "").startswith("torch.")
    return tensor and not name.endswith("_") and "rand" not in name and "dropout" not in name


def _is_only_for_loss(node: ast.expr, places: list[ast.expr], facts: Facts) -> bool:
    """Is the hard value put to no other use: a metric, a mask, an index?"""
    for place in places:
        parent = facts.index.parents.get(place)
        passed = isinstance(parent, ast.Call) and place in parent.args
        if not (passed or isinstance(parent, ast.BinOp) or _is_reduced(parent, facts)):
            return False
    function = facts.index.function_of(node)
    if not isinstance(function, FUNCTIONS):
        return True
    calls = uses_in(facts).calls_of(function)
    return all(_has_gradient_mode(call, facts) for call in calls)


def _is_reduced(parent: ast.AST | None, facts: Facts) -> bool:
    """`hard.sum()`, which is computed with."""
    call = facts.index.parents.get(parent) if isinstance(parent, ast.Attribute) else None
    around = facts.index.parents.get(call) if call is not None else None
    return isinstance(call, ast.Call) and not isinstance(around, (ast.Attribute, ast.Compare))


def _has_gradient_mode(call: ast.Call, facts: Facts) -> bool:
    read = facts.index.parents.get(call)
    return facts.grad_enabled(call) and not (
        isinstance(read, ast.Attribute) and read.attr in ("item", "detach", "tolist")
    )
