"""`layer.weight = nn.Parameter(w)` and then `layer(x)`: the layer is called with `w` itself."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, calls_in
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.flow.walk import walk
from autofix.model import Edit
from autofix.rewrite.names import spell, unused_name
from autofix.rewrite.statements import remove_statement

_ASKED = frozenset({"shape", "size", "device", "dtype", "dim", "ndim", "numel", "data_ptr"})
_ALIKE = ("_as", "_like")


class CannotCall(Exception):
    """The layer cannot be called with the tensor; the message says why."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of a layer, set by a statement of its own."""

    statement: ast.Assign
    layer: ast.expr
    name: str
    made: ast.Call
    data: ast.expr


def given_weights(node: ast.Call, facts: Facts) -> list[Weight]:
    """The weights of the same layer that are made in the block of `node`, it included; none if it
    is not the weight of a layer."""
    own = _weight(facts.index.parents.get(node), facts)
    if own is None or own.made is not node:
        return []
    return [
        weight
        for statement in facts.index.block_of(own.statement)
        if (weight := _weight(statement, facts)) is not None
        and ast.dump(weight.layer) == ast.dump(own.layer)
        and ast.dump(weight.made.func) == ast.dump(own.made.func)
    ]


def _weight(statement: ast.AST | None, facts: Facts) -> Weight | None:
    match statement:
        case ast.Assign(
            targets=[ast.Attribute(value=layer, attr=name)], value=ast.Call() as made
        ) if not (isinstance(layer, ast.Name) and layer.id == "self"):
            data = argument(made, 0, "data")
            if data is not None and facts.value(layer).kind == Kind.MODULE:
                return Weight(statement, layer, name, made, data)
    return None


def functional_calls(weights: list[Weight], facts: Facts) -> tuple[Edit, ...]:
    """The edits that keep the tensors under names and hand them over in each call of the layer."""
    calls, reads = _uses(weights, facts)
    edits: list[Edit] = []
    given: list[str] = []
    for weight in weights:
        name, more = _named(weight, facts)
        edits += more
        edits += [Edit(*facts.source.span(r), name) for r in reads if r.attr == weight.name]
        given.append(f'"{weight.name}": {name}')
    function = spell(facts, "torch.func.functional_call", weights[0].made)
    tensors = "{" + ", ".join(given) + "}"
    for call in calls:
        layer = facts.source.segment(call.func)
        new = f"{function.code}({layer}, {tensors}, {_handed(call, facts)})"
        edits.append(Edit(*facts.source.span(call), new))
    return (*edits, *function.edits)


def _uses(weights: list[Weight], facts: Facts) -> tuple[list[ast.Call], list[ast.Attribute]]:
    """The calls of the layer and the reads of its weights, all behind where these are set and in
    the same block. Nothing else may be done with it but to make it and to ask for its shape."""
    block, last = facts.index.block_of(weights[0].statement), weights[-1].statement
    behind = block[block.index(last) + 1 :]
    names = {weight.name for weight in weights}
    calls: list[ast.Call] = []
    reads: list[ast.Attribute] = []
    for mention in _mentions(weights[0].layer, facts):
        parent = facts.index.parents.get(mention)
        inside = any(s in behind for s in facts.index.ancestors(mention))
        if isinstance(parent, ast.Call) and parent.func is mention and inside:
            calls.append(parent)
        elif isinstance(parent, ast.Attribute) and parent.attr in names and inside:
            reads.append(parent)
        elif not _is_question(parent, names, facts):
            raise CannotCall(f"the layer is used in another way as well (line {mention.lineno})")
    if not calls:
        raise CannotCall("the layer is called elsewhere: compute with the tensor there")
    if any(call is other for call in calls for inner in calls for other in _inner_calls(inner)):
        raise CannotCall("the layer is called with what it gives in the same expression")
    return calls, reads


def _inner_calls(call: ast.Call) -> list[ast.Call]:
    return [inner for inner in calls_in(call) if inner is not call]


def _mentions(layer: ast.expr, facts: Facts) -> list[ast.expr]:
    """Where the layer is read: in the class, for an attribute of `self`, or in the function; not
    where the class makes it."""
    scope: ast.AST | None = facts.index.function_of(layer)
    if isinstance(layer, ast.Attribute):
        scope = facts.index.class_of(layer) or scope
    wanted = ast.dump(layer)
    return [
        node
        for node in walk(scope or facts.tree)
        if isinstance(node, ast.expr) and ast.dump(node) == wanted
        if getattr(facts.index.function_of(node), "name", "") != "__init__"
    ]


def _is_question(parent: ast.AST | None, names: set[str], facts: Facts) -> bool:
    """`layer.stride`, `layer.weight.shape`, `torch.zeros_like(layer.weight)`, and the statements
    that set the weights themselves."""
    if not isinstance(parent, ast.Attribute):
        return False
    user = facts.index.parents.get(parent)
    if parent.attr not in names:
        return not (isinstance(user, ast.Call) and user.func is parent)
    if isinstance(parent.ctx, ast.Store):
        return True
    if isinstance(user, ast.Attribute):
        return user.attr in _ASKED
    return isinstance(user, ast.Call) and (last_name(user.func) or "").endswith(_ALIKE)


def _named(weight: Weight, facts: Facts) -> tuple[str, list[Edit]]:
    """The name of the tensor, and the edits that make it one."""
    data, node = weight.data, weight.statement
    if isinstance(data, ast.Name) and not _is_bound_later(data, facts):
        removed = remove_statement(facts, node)
        if removed is not None:
            return data.id, [removed]
    name = unused_name(facts, weight.name, node)
    start, end = facts.source.span(weight.made)
    begin, stop = facts.source.span(data)
    edits = [Edit(*facts.source.span(node.targets[0]), name)]
    return name, [*edits, Edit(start, begin, ""), Edit(stop, end, "")]


def _is_bound_later(data: ast.Name, facts: Facts) -> bool:
    at = (data.lineno, data.col_offset)
    return any((store.lineno, store.col_offset) > at for store in uses_in(facts).names.stores(data))


def _handed(call: ast.Call, facts: Facts) -> str:
    """The arguments as a tuple and, where some are given by name, a dict."""
    segment = facts.source.segment
    if any(k.arg is None for k in call.keywords):
        raise CannotCall("the layer is called with `**`")
    given = ", ".join(segment(a) for a in call.args)
    positional = f"({given},)" if len(call.args) == 1 else f"({given})"
    named = ", ".join(f'"{k.arg}": {segment(k.value)}' for k in call.keywords)
    return f"{positional}, {{{named}}}" if named else positional
