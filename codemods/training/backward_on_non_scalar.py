"""`backward()` runs through a tensor of several elements.

## What it does

Finds `loss.backward()` without an argument where `loss` surely has more than one element: by its
shape, or because it comes out of a loss with `reduction="none"`.

## Why is this bad

The gradient of a tensor is only defined where there is one number to be differentiated. torch
raises "grad can be implicitly created only for scalar outputs".

## Example

```python
loss = F.cross_entropy(logits, labels, reduction="none") * weights
loss.backward()
losses.append(loss.mean().item())
```

## Use instead

```python
loss = F.cross_entropy(logits, labels, reduction="none") * weights
loss.mean().backward()
losses.append(loss.mean().item())
```

## Fix safety

Whether the sum or the mean is to be minimised is for the author to say: the gradients differ by a
factor, which is a factor of the learning rate. Where the same function reduces the same tensor for
its log in one way, that way is taken: safe, since the program raised. It is unsafe where only other
results of the same loss function are reduced in one way. Where the gradient of a tensor that is no
weight is read, the derivative at each of its elements is wanted, which is the gradient of the sum:
safe where each element has its own result, else unsafe. In other cases `.mean()` is only shown.
`backward(gradient)` is left alone, and so is any tensor whose shape is not known.

`torch.autograd.grad(u, x)` gets the sum of `u`, which is what `grad_outputs` of ones stands for:
safe where `u` has one number for each point and a graph of the derivative is asked for, as for a
differential equation, unsafe where that is not known. Where it has several it is only shown.

## How it is verified

The original must raise in its backward pass. The gradients of the repaired program must equal
finite differences of the reduced loss.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.training._derivative import tier_of_derivative
from autofix.codemods.training._extent import criterion_of, is_many
from autofix.codemods.training._graphs import Backward, Graphs, graphs_around, key_of, keys
from autofix.flow.engines import may_train
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.labels import names_loss
from autofix.flow.syntax import argument, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind
from autofix.model import Applicability
from autofix.rewrite.arguments import append_method
from autofix.rewrite.nodes import replace
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG601", trigger=r"(?:backward|grad)\s*\(")

_REDUCTIONS = frozenset({"mean", "sum"})
_COPIES = frozenset({"detach", "cpu", "numpy", "clone"})


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if last_name(node.func) not in ("backward", "manual_backward"):
        return
    graphs = graphs_around(facts, node)
    backward = next((b for b in graphs.backwards if b.call is node), None)
    if backward is None or _has_gradient(node, backward) or _may_be_gradient(backward, facts):
        return
    root = _unscaled(backward.root)
    if facts.value(root).graph == Graph.NO or not is_many(facts, root):
        return
    if _is_reduced_in_vain(graphs, root):
        return  # `loss.mean()` as a statement: that its result is dropped is what is wrong
    name = facts.source.segment(root)
    message = (
        f"`{name}` has several elements, and `backward()` needs one: it raises "
        '"grad can be implicitly created only for scalar outputs"'
    )
    reduced, tier, note = _reduced(graphs, root, backward)
    yield Report(node, message, fix=fix(tier, *replace(facts, root, reduced)), note=note)


@rule.visit(ast.Call)
def check_asked(node: ast.Call, facts: Facts) -> Iterator[Report]:
    """`torch.autograd.grad(u, x)` for the derivative of each element of `u` at its point."""
    if last_name(node.func) != "grad" or not 0 < len(node.args) < 3:
        return
    if facts.library_name(node.func) != "torch.autograd.grad":
        return
    output, point = node.args[0], argument(node, 1, "inputs")
    if any(k.arg in ("grad_outputs", "is_grads_batched", None) for k in node.keywords):
        return
    if not isinstance(output, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return
    if not isinstance(point, (ast.Name, ast.Attribute)) or not is_many(facts, output):
        return
    value = facts.value(point)
    if not value.is_tensor or value.parameter:
        return
    name = facts.source.segment(output)
    message = (
        f"`{name}` has several elements, and `torch.autograd.grad` is given no `grad_outputs`: it "
        'raises "grad can be implicitly created only for scalar outputs"'
    )
    tier = _tier_of_sum(facts, output) if keyword(node, "create_graph") else Applicability.UNSAFE
    edits = append_method(facts, output, ".sum()")
    yield Report(node, message, fix=fix(tier, *edits), note="the same as `grad_outputs` of ones")


def _tier_of_sum(facts: Facts, output: ast.expr) -> Applicability:
    """One number for each point: its derivative. Several: that of their sum is hardly wanted."""
    shape = facts.value(output).shape
    if shape is None:
        return Applicability.UNSAFE
    if len(shape) == 1 or shape[-1] == 1:
        return Applicability.SAFE
    return Applicability.DISPLAY if isinstance(shape[-1], int) else Applicability.UNSAFE


def _is_reduced_in_vain(graphs: Graphs, root: ast.expr) -> bool:
    key = key_of(root)
    return key is not None and any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and _reduces(graphs.facts, node.value) == key
        for node in graphs.nodes
    )


def _has_gradient(call: ast.Call, backward: Backward) -> bool:
    given = [a for a in call.args if a is not backward.root]
    return bool(given) or any(k.arg in ("gradient", "grad_tensors", None) for k in call.keywords)


def _may_be_gradient(backward: Backward, facts: Facts) -> bool:
    """`out.backward(given)` of what is not known: `out` may be a tensor as well as an engine."""
    func = backward.call.func
    if backward.root not in backward.call.args or not isinstance(func, ast.Attribute):
        return False
    return bool(facts.value(func.value).kind & Kind.UNKNOWN) and not may_train(func.value)


def _unscaled(root: ast.expr) -> ast.expr:
    """`loss` of `scaler.scale(loss)`."""
    match root:
        case ast.Call(func=ast.Attribute(attr="scale"), args=[inner]):
            return inner
    return root


def _reduced(
    graphs: Graphs, root: ast.expr, backward: Backward
) -> tuple[str, Applicability, str | None]:
    """What to run backward through, how sure that is, and what to say of it."""
    facts = graphs.facts
    text = facts.source.segment(root)
    if not isinstance(root, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
        text = f"({text})"
    logged = _logged(graphs, root, backward)
    if len(logged) == 1:
        found = next(iter(logged))
        argument = root is not backward.root or root in backward.call.args
        whole = found if argument or _is_call(found) else f"({found})"
        return whole, Applicability.SAFE, "it is reduced like this for the log"
    if not logged and (tier := tier_of_derivative(graphs, root)) is not None:
        return f"{text}.sum()", tier, "the gradient that is read is the derivative of each element"
    if not logged:
        ways = _ways_elsewhere(facts, graphs, root)
        if len(ways) == 1:
            way = next(iter(ways))
            note = f"other results of the same loss are reduced with `.{way}()`"
            return f"{text}.{way}()", Applicability.UNSAFE, note
    note = "the sum and the mean are both usual; their gradients differ by a factor"
    return f"{text}.mean()", Applicability.DISPLAY, note


def _is_call(text: str) -> bool:
    return isinstance(ast.parse(text, mode="eval").body, ast.Call)


def _logged(graphs: Graphs, root: ast.expr, backward: Backward) -> set[str]:
    """The expressions by which the same variable is made one number in the same function."""
    key = key_of(root)
    if key is None or isinstance(root, ast.Subscript):
        return set()
    found = set()
    for node in graphs.nodes:
        if isinstance(node, ast.Call) and _reduces(graphs.facts, node) == key:
            if last_name(node.func) == "sum" and _is_added_up(graphs.facts, node):
                continue
            whole = _whole(graphs.facts, node)
            text = _with_graph(graphs.facts, whole, node)
            if _is_known_at(graphs, whole, key, backward) and "detach" not in text:
                found.add(text)
    return found


def _is_added_up(facts: Facts, call: ast.Call) -> bool:
    """`total += loss.sum().item()`, which may be on its way to the mean of all: it tells nothing of
    what is to be differentiated."""
    statement = facts.index.statement_of(call)
    return isinstance(statement, ast.AugAssign) or (
        isinstance(statement, ast.Assign)
        and any(key_of(target) in keys(statement.value) for target in statement.targets)
    )


def _with_graph(facts: Facts, whole: ast.expr, call: ast.Call) -> str:
    """`loss.mean() / 2` of `loss.detach().cpu().mean() / 2`"""
    text = facts.source.segment(whole)
    assert isinstance(call.func, ast.Attribute)
    inner = _untracked(call.func.value)
    if inner is call.func.value:
        return text
    start = facts.source.span(whole)[0]
    a, b = facts.source.span(call.func.value)
    return text[: a - start] + facts.source.segment(inner) + text[b - start :]


def _reduces(facts: Facts, call: ast.Call) -> str | None:
    """`x` of `x.mean()`, `torch.mean(x)`."""
    if not isinstance(call.func, ast.Attribute) or call.keywords:
        return None
    if call.func.attr not in _REDUCTIONS:
        return None
    if facts.library_name(call.func) in ("torch.mean", "torch.sum"):
        return key_of(call.args[0]) if len(call.args) == 1 else None
    return None if call.args else key_of(_untracked(call.func.value))


def _untracked(node: ast.expr) -> ast.expr:
    """`x` of `x.detach().cpu()`"""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        if node.func.attr not in _COPIES:
            break
        node = node.func.value
    return node


def _whole(facts: Facts, node: ast.expr) -> ast.expr:
    """`x.sum() / mask.sum()` around `x.sum()`."""
    while isinstance(parent := facts.index.parents.get(node), ast.BinOp):
        node = parent
    return node


def _is_known_at(graphs: Graphs, whole: ast.expr, key: str, backward: Backward) -> bool:
    """Can the expression stand where the backward pass is?"""
    line = backward.call.lineno
    if "\n" in graphs.facts.source.segment(whole):
        return False
    for node in ast.walk(whole):
        if isinstance(node, ast.Name) and node.id != key:
            stores = [s for s, _ in graphs.stores.get(node.id, ())]
            if any(s.lineno >= line for s in stores):
                return False
    return True


def _ways_elsewhere(facts: Facts, graphs: Graphs, root: ast.expr) -> set[str]:
    """How other results of the same loss function are reduced: `criterion(a, b).mean()`."""
    made = [v for _, v in graphs.stores.get(key_of(root) or "", ()) if v is not None] or [root]
    names = {
        ast.unparse(n.func)
        for value in made
        for n in ast.walk(value)
        if isinstance(n, ast.Call)
        and (criterion_of(facts, n) or names_loss(last_name(n.func) or ""))
    }
    found = set()
    for name in names:
        for call in uses_in(facts).names.calls.get(name.rpartition(".")[2], ()):
            for parent in facts.index.ancestors(call):
                if not isinstance(parent, ast.expr):
                    break
                if isinstance(parent, ast.Attribute) and parent.attr in _REDUCTIONS:
                    found.add(parent.attr)
    return found
