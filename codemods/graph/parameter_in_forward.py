"""A tensor that carries a graph is wrapped in `nn.Parameter` on its way to the loss.

## What it does

Finds `nn.Parameter(t)` in a `forward`, or in any function on the way to a loss, where `t` carries a
graph and something later needs the gradient.

## Why is this bad

A Parameter is a leaf. It takes the values of `t` and leaves its graph behind: what `t` was computed
from gets no gradient. The new Parameter gets one, is in no optimizer, and is thrown away at the
next call. Nothing is said.

## Example

```python
weight = nn.Parameter(self.generator(task).view(self.n_out, self.n_in))
return F.linear(x, weight, self.bias)
```

## Use instead

```python
weight = self.generator(task).view(self.n_out, self.n_in)
return F.linear(x, weight, self.bias)
```

## Fix safety

The tensor itself takes the place of the Parameter; the values are the same. The fix is safe where
the tensor surely carries a graph. It is unsafe where the tensor is an argument that only may carry
one, and where the result is set as an attribute: then the module no longer gains a parameter at its
first call, and the `state_dict` no longer its key.

The fix is only shown where the result is the target of a loss, or handed to code that this file
does not show, and where other calls of the same code set up a model. There is none where a
registered parameter would be replaced by a plain tensor, which raises: compute with the tensor, or
call the layer with `torch.func.functional_call`.

Left alone are Parameters that are made in `__init__` and the like, from other parameters too (but
not where a `forward` or a training step makes the object anew each time), those that an optimizer
gets or whose own `.grad` is read, and those with `requires_grad=False`.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must be equal, and the
gradient must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
- https://discuss.pytorch.org/t/non-leaf-tensor-as-nn-parameter/85467
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._intent import is_given_to_others
from autofix.codemods.graph._layer_weights import CannotCall, functional_calls, given_weights
from autofix.codemods.graph._reasons import CARRIED, REPEATED, TARGET
from autofix.codemods.graph._set_up import is_made_in_passes, is_set_up, is_set_up_elsewhere
from autofix.codemods.modules._overwritten import overwritten
from autofix.codemods.modules._same_shape import depends_on
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, is_true
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rewrite.nodes import bare, code, expression, replace
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG106", names=("Parameter",))

_PARAMETERS = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})
_GAINED = "the module no longer gains a parameter at its first call"
_LISTED = "the object no longer lists it among its parameters"
_GENERIC = Kind.LIBRARY | Kind.FUNCTION | Kind.CLASS | Kind.MODULE


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    data = argument(node, 0, "data")
    if data is None or facts.library_name(node.func) not in _PARAMETERS:
        return
    flag = argument(node, 1, "requires_grad")
    if flag is not None and not is_true(flag):
        return
    value = facts.value(data)
    found = facts.needed(node) if value.is_tensor and value.graph > Graph.NO else None
    if found is None or value.leaf or facts.used_as_leaf(node) or _is_factory(node, facts):
        return
    graph, demand = found
    if demand.leaf or _is_of_itself(node, facts) or is_set_up(node, facts):
        return  # a loss that is made a leaf, AG505, or where a model is made
    message = (
        f"`{facts.source.segment(node.func)}` makes a new leaf of a tensor with a graph: no "
        f"gradient gets past it, and it is needed ({demand.text}, line {demand.line})"
    )
    why = value.why.steps() if value.why is not None else ()
    declined, edits = _declined(node, facts), _edits(node, data, facts)
    weights = given_weights(node, facts)
    if weights:
        if weights[0].made is not node:
            return  # the first of them tells of all
        try:
            declined, edits = None, functional_calls(weights, facts)
        except CannotCall as refusal:
            declined = str(refusal)
    if demand.repeated or facts.is_carried(node):
        declined = REPEATED if demand.repeated else CARRIED
    if declined is not None:
        yield Report(node, message, declined=declined, why=why)
        return
    tier, note = _tier(node, graph, facts)
    yield Report(node, message, fix=fix(tier, *edits), why=why, note=note)


def _is_factory(node: ast.Call, facts: Facts) -> bool:
    """Does a function that this file never calls return the Parameter itself, or does a class
    method make an object of its class with it?"""
    function = facts.index.function_of(node)
    if function is None or function.name in ("forward", "__call__"):
        return False
    if any(last_name(d) == "classmethod" for d in function.decorator_list):
        first = function.args.args[0].arg if function.args.args else None
        around = [n for n in facts.index.ancestors(node) if isinstance(n, ast.Call)]
        if any(isinstance(n.func, ast.Name) and n.func.id == first for n in around):
            return True
    uses = uses_in(facts).follow(node)
    return is_given_to_others(uses, facts) and not is_made_in_passes(node, facts)


def _is_of_itself(node: ast.Call, facts: Facts) -> bool:
    """`self.alpha = nn.Parameter(self.alpha.clamp(0, 1))` of what is a Parameter already."""
    statement = facts.index.parents.get(node)
    if not isinstance(statement, ast.Assign):
        return False
    if facts.is_carried(node) and _is_for_next_turn(node, statement.targets[0], facts):
        return True
    found = overwritten(facts, statement)
    if found is None or found.for_this_call:
        return found is not None
    return found.in_training and (found.fits(facts) or found.is_masked(facts))


def _is_for_next_turn(node: ast.Call, target: ast.expr, facts: Facts) -> bool:
    """Does it take the place of what it is computed from, and nothing behind it in its function
    computes with it? Then it is no part of this turn's pass."""
    function, end = facts.index.function_of(node), node.end_lineno or node.lineno
    alike = [n for n in walk(function) if isinstance(n, type(target))] if function else []
    after = {ast.unparse(n) for n in alike if n.lineno > end}
    return depends_on(facts, node, target) and ast.unparse(target) not in after


def _declined(node: ast.Call, facts: Facts) -> str | None:
    around = facts.index.parents.get(node)
    if isinstance(around, (ast.List, ast.ListComp, ast.Dict, ast.DictComp, ast.keyword)):
        around = facts.index.parents.get(around)
    if isinstance(around, ast.Call) and (last_name(around.func) or "").startswith(
        ("Parameter", "register_parameter", "setattr")
    ):
        return "it is registered here, which only a Parameter can be: keep the tensor elsewhere"
    for target in _attributes(node, facts):
        mine = isinstance(target.value, ast.Name) and target.value.id == "self"
        if not mine or _is_registered(target, facts):
            return (
                f"`{target.attr}` is a registered parameter, and a plain tensor cannot take its "
                "place: compute with the tensor, or use `torch.func.functional_call`"
            )
    return None


def _attributes(node: ast.Call, facts: Facts) -> list[ast.Attribute]:
    statement = facts.index.parents.get(node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [t for t in targets if isinstance(t, ast.Attribute)]


def _is_registered(target: ast.Attribute, facts: Facts) -> bool:
    """Does another statement of the class set the same attribute to a Parameter?"""
    owner = facts.index.class_of(target)
    for other in uses_in(facts).names.stored.get(target.attr, ()):
        if other is not target and facts.index.class_of(other) is owner:
            statement = facts.index.parents.get(other)
            value = getattr(statement, "value", None)
            made = value.func if isinstance(value, ast.Call) else None
            if made is not None and facts.library_name(made) in _PARAMETERS:
                return True
    return False


def _tier(node: ast.Call, graph: Graph, facts: Facts) -> tuple[Applicability, str | None]:
    if facts.is_target(node):
        return Applicability.DISPLAY, TARGET
    if is_set_up_elsewhere(node, facts):
        return Applicability.DISPLAY, "other calls make a model's own parameter here"
    for use in uses_in(facts).follow(node):
        if isinstance(use.user, ast.Call) and not facts.value(use.user.func).kind & _GENERIC:
            known = isinstance(use.user.func, ast.Attribute) and use.node is not use.user.func
            owner = facts.value(use.user.func.value) if known else None  # type: ignore[attr-defined]
            if owner is None or not owner.kind & (Kind.TENSOR | Kind.MODULE | Kind.SEQUENCE):
                return Applicability.DISPLAY, "other code gets it, and may optimize it as a leaf"
    if given_weights(node, facts):
        return Applicability.UNSAFE, "the layer keeps the weight that it was made with"
    if _attributes(node, facts):
        made = getattr(facts.index.function_of(node), "name", "") == "__init__"
        return Applicability.UNSAFE, _LISTED if made else _GAINED
    if graph < Graph.YES:
        return Applicability.UNSAFE, "the tensor is an argument that may carry a graph"
    return Applicability.SAFE, None


def _edits(node: ast.Call, data: ast.expr, facts: Facts) -> tuple[Edit, ...]:
    statement = facts.index.parents.get(node)
    match statement, data:
        case ast.Assign(targets=[ast.Name(id=target)]), ast.Name(id=name) if target == name:
            removed = remove_statement(facts, node)
            if removed is not None:
                return (removed,)
    if "\n" in facts.source.segment(node) and not node.keywords:
        return (Edit(*facts.source.span(node.func), ""),)  # its parentheses stay, comments too
    loose = isinstance(data, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    plain = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Return, ast.keyword))
    plain = plain or (isinstance(statement, ast.Call) and node in statement.args)
    text = code(bare(expression(facts, data)))
    return replace(facts, node, text if loose or plain else f"({text})")
