"""A loss is made a new leaf, so that `backward()` runs and nothing learns.

## What it does

Finds `Variable(loss, requires_grad=True)`, `torch.tensor(loss.item(), requires_grad=True)`,
`loss.requires_grad = True`, `loss.detach().requires_grad_()` and `nn.Parameter(loss)` where
`backward()` is then called on that leaf, together with the cuts before it that made the leaf seem
necessary.

## Why is this bad

"element 0 of tensors does not require grad" says that the graph was cut before the loss. A new
leaf silences the message and leaves the cut: the backward pass has one step, from the leaf to
itself, and no parameter ever gets a gradient.

## Example

```python
prediction = model(x).data
loss = Variable(criterion(prediction, y), requires_grad=True)
loss.backward()
```

## Use instead

```python
prediction = model(x)
loss = criterion(prediction, y)
loss.backward()
```

## Fix safety

The wrapper goes together with every cut before it that has a repair: safe, since values stay the
same and the program could not train before. It is unsafe where the kind of a value on the way is
not certain, or where it is not known that the wrapped value has a graph. Where nothing that can
be repaired lies under the leaf (an argmax, a rounding, a reward), the finding says so and nothing
is rewritten: without the wrapper the program would only raise again. A cut may be shown only, if
it can be meant.

## How it is verified

Both versions run on the same inputs: forward values must be equal, and the gradient of the new
version must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/notes/autograd.html
- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.graph._hard_choice import softened
from autofix.codemods.graph._landing import VARIABLE, maker
from autofix.codemods.graph._new_leaf import (
    begins_anew,
    ends_turn,
    frozen,
    is_given_out,
    runs_backward,
)
from autofix.codemods.graph._numeric_names import counterpart
from autofix.codemods.graph._rewraps import Repair, nothing, repair_cut, waits_for, without_wrapper
from autofix.codemods.graph._stops import tidied
from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, is_true, keyword
from autofix.flow.values import Graph, Kind, Value
from autofix.model import Applicability
from autofix.rewrite.statements import remove_statement
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG103",
    names=("requires_grad", "requires_grad_", "Parameter", "Variable"),
    needs=("requires_grad", "Parameter", "Variable"),
)

_PARAMETER = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})
NO_GRAD = frozenset({"torch.no_grad", "torch.inference_mode", "torch.set_grad_enabled"})
_EMPTY = frozenset({"zeros", "ones", "empty", "rand", "randn", "eye"})
_WRAPPERS = frozenset({"Variable", "Parameter", "requires_grad_", "tensor", "as_tensor", "asarray"})


@rule.visit(ast.Assign)
def check_flag(node: ast.Assign, facts: Facts) -> Iterator[Report]:
    """`loss.requires_grad = True`."""
    match node:
        case ast.Assign(
            targets=[ast.Attribute(value=owner, attr="requires_grad") as target],
            value=ast.Constant(value=True),
        ):
            yield from _check(target, node, owner, facts)


@rule.visit(ast.Call)
def check_call(node: ast.Call, facts: Facts) -> Iterator[Report]:
    name = facts.index.called_name(node)
    if name not in _WRAPPERS and last_name(node.func) not in _WRAPPERS:
        return
    inner = _wrapped(node, facts)
    if inner is not None and not isinstance(inner, ast.Constant) and not _is_start(inner, facts):
        yield from _check(node, node, inner, facts)


def _is_start(inner: ast.expr, facts: Facts) -> bool:
    """`torch.zeros(3)`, where no backward pass is run that might begin at it."""
    made = isinstance(inner, ast.Call) and last_name(inner.func) in _EMPTY
    return made and not facts.index.trains and facts.project is None


def _wrapped(node: ast.Call, facts: Facts) -> ast.expr | None:
    """What a call makes a leaf of."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_":
        told = [*node.args, *(keyword.value for keyword in node.keywords)]
        return node.func.value if all(map(is_true, told)) else None
    data = node.args[0] if node.args else None
    flag = keyword(node, "requires_grad")
    on = is_true(flag)
    dotted = facts.library_name(node.func)
    if dotted in _PARAMETER:
        return None if (flag is not None and not on) or _is_registered(node, facts) else data
    if dotted in VARIABLE:
        return data if is_true(argument(node, 1, "requires_grad")) else None
    return data if on and maker(node, facts) is not None else None


def _is_registered(node: ast.Call, facts: Facts) -> bool:
    """`self.scale = nn.Parameter(...)`: a weight of a module, and no loss."""
    parent = facts.index.parents.get(node)
    return isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Attribute)


def _check(
    key: ast.expr, node: ast.Assign | ast.Call, inner: ast.expr, facts: Facts
) -> Iterator[Report]:
    if ends_turn(node, facts):
        return
    cuts = facts.rewrapped(key)
    terms = [(cut, graph) for cut, graph in cuts if facts.is_term(cut)]
    if any(facts.used_as_leaf(cut) for cut, _ in cuts):
        return
    value = facts.value(inner)
    if any(_is_of_another_rule(cut, value, facts) for cut, _ in cuts):
        return
    if any(begins_anew(cut, graph, inner, facts) for cut, graph in cuts):
        return
    if not terms:
        yield from _bare(node, inner, facts)
        return
    if is_given_out(node, inner, facts):
        return
    if any(waits_for(cut, value, facts) for cut, _ in terms):
        return  # mended where it stands: then the wrapper alone is left
    if isinstance(node, ast.Call) and _is_copied(node, cuts, facts):
        held = contents(value)
        if held is not None and not held.kind & Kind.TENSOR:
            yield from _bare(node, inner, facts)
        return  # `torch.tensor(loss, requires_grad=True)` and lists: found as copies
    repair = Repair()
    for cut, graph in terms:
        repair_cut(cut, graph, key, repair, facts)
    if repair.others and not repair.done:
        return
    where = cuts[0][0]
    message = _message(node, facts)
    why = value.why.steps() if value.why is not None else ()
    if not repair.done:
        reason = repair.reasons[0] if repair.reasons else nothing(where, facts)
        yield Report(node, message, declined=reason, why=why)
        return
    why_not = None if repair.edits else frozen(node, inner, facts)
    if why_not is not None:
        yield Report(node, message, declined=why_not, why=why)
        return
    edits = without_wrapper(key, node, inner, repair, facts)
    tier = Applicability.SAFE if repair.exact else Applicability.UNSAFE
    note = None if repair.exact else "a value on the way is not surely a tensor with a graph"
    yield Report(node, message, fix=fix(tier, *tidied(edits, facts)), why=why, note=note)


def _is_of_another_rule(cut: ast.AST, wrapped: Value, facts: Facts) -> bool:
    """`with torch.no_grad()`, `math.exp(x)`: what repairs these takes the wrapper away as well.
    (Targets are made without gradients; beside them the loss has its graph.)"""
    if isinstance(cut, (ast.stmt, ast.withitem)):
        return wrapped.graph < Graph.YES
    if isinstance(cut, (ast.Call, ast.Compare)) and softened(cut, facts) is not None:
        return True
    name = facts.library_name(cut.func) if isinstance(cut, ast.Call) else None
    if name is None:
        return False
    return counterpart(name) is not None or name in NO_GRAD


def _is_copied(node: ast.Call, cuts: list[tuple[ast.AST, Graph]], facts: Facts) -> bool:
    """Is it itself what cuts: a constructor that copies tensors, or a Parameter made of one?"""
    by_others = maker(node, facts) is not None or facts.library_name(node.func) in _PARAMETER
    return by_others and any(cut is node for cut, _ in cuts)


def _bare(node: ast.Assign | ast.Call, inner: ast.expr, facts: Facts) -> Iterator[Report]:
    """No cut is known under the leaf. Is `backward()` called on it, all the same?"""
    value = facts.value(inner)
    if not runs_backward(node, inner, facts):
        return
    if value.graph == Graph.YES and not value.leaf:
        if isinstance(node, ast.Assign):
            why_not = frozen(node, inner, facts)
            if why_not is not None:
                yield Report(node, _message(node, facts), declined=why_not)
                return
            removal = remove_statement(facts, node)
            if removal is not None:
                text = "`requires_grad = True` raises on a loss that has a graph, and needs none"
                yield Report(node, text, fix=fix(Applicability.SAFE, removal))
        return
    reason = "nothing is known under it that carries a graph: without the leaf it would only raise"
    yield Report(node, _message(node, facts), declined=reason)


def _message(node: ast.Assign | ast.Call, facts: Facts) -> str:
    text = " ".join(facts.source.segment(node).split())
    text = text if len(text) <= 50 else text[:47] + "..."
    return (
        f"`{text}` makes the loss a new leaf: `backward()` ends there, and nothing before it learns"
    )
