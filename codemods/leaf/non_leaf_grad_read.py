"""The `.grad` of a tensor is read that was computed from others, and so is `None`.

## What it does

Finds a read of `x.grad` after a `backward()`, where `x` was computed from tensors that require a
gradient and `x.retain_grad()` was not called.

## Why is this bad

`backward()` stores gradients in leaves only: parameters, and tensors made with
`requires_grad=True`. For all others the gradient passes through and is dropped; `.grad` is `None`
(and torch warns). A program that looks for `None` goes on with zeros.

## Example

```python
maps = features(image)
score = head(maps).max()
score.backward()
weights = maps.grad.mean(dim=(2, 3))
```

## Use instead

```python
maps = features(image)
score = head(maps).max()
maps.retain_grad()
score.backward()
weights = maps.grad.mean(dim=(2, 3))
```

## Fix safety

`retain_grad()` is put in front of the `backward()` in the same function. All values stay, and the
read gets the gradient that it asks for, which takes memory. This is safe. Where the gradient is
only printed the fix is only shown. There is no fix where the `backward()` stands elsewhere.

Rebound names of leaves are found by AG302, and leaves that are lost at once by AG303.

## How it is verified

The original and the rewritten code run on the same inputs. The forward values must be equal, and
the gradient that is read must be the derivative of the original's own values.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.retain_grad.html
- https://discuss.pytorch.org/t/why-cant-i-see-grad-of-an-intermediate-variable/94
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.codemods.leaf._hooked import is_output_of_layer
from autofix.codemods.leaf._untracked import computes, creation, is_expected_to_fail
from autofix.flow.facts import Facts
from autofix.flow.given import given_to
from autofix.flow.index import FunctionNode, last_name, root_name
from autofix.flow.objects import Closure, Instance
from autofix.flow.syntax import mentions, plain_name
from autofix.flow.uses import uses_in
from autofix.flow.values import Either, Graph, Kind, Value
from autofix.model import Applicability, Edit
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG308", trigger=r"\.grad\b")

_KNOWS = frozenset({"retain_grad", "register_hook", "is_leaf", "retains_grad"})


@rule.visit(ast.Attribute)
def check(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    if node.attr != "grad" or not isinstance(node.ctx, ast.Load):
        return
    owner = node.value
    if not isinstance(owner, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    if is_expected_to_fail(node, facts) or _is_known(facts, owner) or _is_other_rule(facts, owner):
        return
    value = facts.value(owner)
    place = _place(facts, owner)
    known = value.kind == Kind.TENSOR and value.graph == Graph.YES
    if not (known or (value.kind & Kind.UNKNOWN and is_output_of_layer(facts, place))):
        return
    if value.parameter or (value.leaf and not _is_one_of_several(facts, owner, value)):
        return
    if _is_known(facts, place) or _is_kept_where_it_is_set(facts, place):
        return
    backward = _backward(facts, node)
    if _said_before(facts, node):
        return
    text = facts.source.segment(owner)
    message = f"`{text}` is computed from other tensors: its `.grad` is `None` after `backward()`"
    why = value.why.steps() if value.why is not None else ()
    edit = None
    if backward is not None:
        edit = _retained(facts, owner, backward) or _retained(facts, place, backward)
    if edit is None:
        why_not = (
            f"call `{text}.retain_grad()` in front of the `backward()`, which stands elsewhere"
        )
        yield Report(node, message, declined=why_not, why=why)
        return
    used = computes(node, facts) or _is_handed_on(facts, node)
    tier = Applicability.SAFE if used else Applicability.DISPLAY
    yield Report(node, message, fix=fix(tier, edit), why=why)


@rule.visit(ast.Attribute)
def check_helper(node: ast.Attribute, facts: Facts) -> Iterator[Report]:
    """`norm_of(logits)` of a function that reads the `.grad` of what it is given"""
    if node.attr != "grad" or not isinstance(node.value, ast.Name) or _said_before(facts, node):
        return
    function = facts.index.function_of(node)
    if uses_in(facts).names.stores(node.value) or function is None:
        return
    if _is_asserted(facts, function, ast.unparse(node)):
        return
    for given, call in _given(facts, function, node.value.id):
        value = facts.value(given)
        computed = value.kind == Kind.TENSOR and value.graph == Graph.YES
        if not computed or value.leaf or value.parameter or is_expected_to_fail(call, facts):
            continue
        backward = _backward(facts, call)
        if backward is None or _is_known(facts, given) or _is_known(facts, node.value):
            continue
        edit = _retained(facts, given, backward)
        if edit is not None:
            text = facts.source.segment(given)
            message = (
                f"`{text}` is computed from other tensors: its `.grad`, which line {node.lineno} "
                "reads, is `None` after `backward()`"
            )
            why = value.why.steps() if value.why is not None else ()
            yield Report(given, message, fix=fix(Applicability.SAFE, edit), why=why)


def _is_asserted(facts: Facts, function: FunctionNode, text: str) -> bool:
    """`assert t.grad is None`"""
    return any(
        isinstance(facts.index.statement_of(use.node), ast.Assert)
        for read in mentions(function, text)
        for use in uses_in(facts).follow(read)
    )


def _given(facts: Facts, function: FunctionNode, name: str) -> Iterator[tuple[ast.expr, ast.Call]]:
    """What the calls of a function of this file give for an argument."""
    for call in uses_in(facts).calls_of(function):
        given = given_to(facts, function, call, name)
        if isinstance(given, (ast.Name, ast.Attribute)):
            yield given, call


def _is_one_of_several(facts: Facts, owner: ast.expr, value: Value) -> bool:
    """`step.state` of a list of named tuples, of which the first has the leaf, and others what was
    computed from it."""
    record = facts.value(owner.value).ref if isinstance(owner, ast.Attribute) else None
    if isinstance(record, Either):
        record = record.values[0].ref
    return value.computed and isinstance(record, Instance) and record.info.is_record


def _place(facts: Facts, owner: ast.expr) -> ast.expr:
    """`net.maps` of `maps`, where the only binding of the name is `maps = net.maps`."""
    made = creation(owner, facts) if isinstance(owner, ast.Name) else None
    taken = made is not None and isinstance(made.value, (ast.Attribute, ast.Subscript))
    return made.value if made is not None and taken else owner


def _is_known(facts: Facts, owner: ast.expr) -> bool:
    """Does the file keep the gradient of something of that name, or ask whether it is a leaf?"""
    names = uses_in(facts).names
    wanted = last_name(owner) or plain_name(owner) or ast.unparse(owner)
    return any(
        (last_name(read.value) or plain_name(read.value) or ast.unparse(read.value)) == wanted
        for attribute in sorted(_KNOWS)
        for read in names.attributes.get(attribute, ())
    )


def _is_kept_where_it_is_set(facts: Facts, place: ast.expr) -> bool:
    """`x.retain_grad()` beside `self.maps = x`"""
    name = plain_name(place)
    if not isinstance(place, (ast.Attribute, ast.Subscript)) or name is None:
        return False
    return any(
        isinstance(statement, ast.Assign)
        and any(plain_name(t) == name for t in statement.targets)
        and ast.unparse(statement.value) == ast.unparse(read.value)
        for read in uses_in(facts).names.attributes.get("retain_grad", ())
        if (function := facts.index.function_of(read)) is not None
        for statement in facts.index.body_nodes(function)
    )


def _is_other_rule(facts: Facts, owner: ast.expr) -> bool:
    """`w = w * 2` of a leaf, `w = torch.randn(3, requires_grad=True) * 2`, `w = w - lr * w.grad`;
    with `p -= lr * p.grad` it is trained, and ought to be a leaf."""
    if not isinstance(owner, ast.Name):
        return False
    names = uses_in(facts).names
    if not names.stores(owner):
        return True  # bound elsewhere, where it may be a leaf
    for store in names.stores(owner):
        bound = facts.index.parents.get(store)
        if isinstance(bound, ast.AugAssign) and _reads_gradient(bound, owner.id):
            return True
        if not isinstance(bound, ast.Assign):
            continue
        if facts.value(bound.value).leaf:
            return True  # what makes it another tensor is a write in place
        for part in ast.walk(bound.value):
            if isinstance(part, ast.Name) and part.id == owner.id:
                return True
            if isinstance(part, ast.keyword) and part.arg == "requires_grad":
                call = facts.index.parents.get(part)
                return not (isinstance(call, ast.Call) and _is_of_project(facts, call))
            if isinstance(part, ast.Attribute) and part.attr == "requires_grad_":
                return True
    return False


def _reads_gradient(update: ast.AugAssign, name: str) -> bool:
    return any(
        isinstance(n, ast.Attribute) and n.attr == "grad" and ast.unparse(n.value) == name
        for n in ast.walk(update.value)
    )


def _is_of_project(facts: Facts, call: ast.Call) -> bool:
    """A function that computes more than the leaf that it makes."""
    return isinstance(facts.value(call.func).ref, Closure)


def _backward(facts: Facts, node: ast.expr) -> ast.Call | None:
    """The last `backward()` in front of the read, in the same function."""
    scope = facts.index.function_of(node)
    found = [
        call
        for call in uses_in(facts).names.calls.get("backward", ())
        if facts.index.function_of(call) is scope and call.lineno <= node.lineno
    ]
    return max(found, key=lambda c: c.lineno, default=None)


def _said_before(facts: Facts, node: ast.Attribute) -> bool:
    """Is an earlier read of the same in the same function reported already?"""
    scope = facts.index.function_of(node)
    text = ast.unparse(node.value)
    return any(
        (read.lineno, read.col_offset) < (node.lineno, node.col_offset)
        and facts.index.function_of(read) is scope
        and ast.unparse(read.value) == text
        for read in uses_in(facts).names.attributes.get("grad", ())
    )


def _is_handed_on(facts: Facts, node: ast.Attribute) -> bool:
    """Bound to a name, returned, or asked for in an expression that gives a value."""
    parent = facts.index.parents.get(node)
    if isinstance(parent, (ast.Assign, ast.Return, ast.IfExp)):
        return True
    statement = facts.index.statement_of(node)
    return isinstance(statement, (ast.Assign, ast.Return, ast.If, ast.AugAssign))


def _retained(facts: Facts, owner: ast.expr, backward: ast.Call) -> Edit | None:
    """`x.retain_grad()` in a line in front of the `backward()`; of each, where a loop reads it."""
    statement = facts.index.statement_of(backward)
    if statement is None:
        return None
    start = facts.source.span(statement)[0]
    indent = facts.source.text[facts.source.text.rfind("\n", 0, start) + 1 : start]
    if indent.strip():
        return None
    text = facts.source.segment(owner)
    loop = _loop(facts, owner)
    if loop is not None and statement not in facts.index.ancestors(owner):
        target = facts.source.segment(loop.target)
        over = facts.source.segment(loop.iter)
        if not _is_bound_before(facts, loop.iter, statement):
            return None
        new = f"for {target} in {over}:\n{indent}    {text}.retain_grad()\n{indent}"
        return Edit(start, start, new)
    if not _is_bound_before(facts, owner, statement):
        return None
    return Edit(start, start, f"{text}.retain_grad()\n{indent}")


def _loop(facts: Facts, owner: ast.expr) -> ast.For | ast.comprehension | None:
    """The loop that binds the name, if one does."""
    for around in facts.index.ancestors(owner):
        loops: Sequence[ast.For | ast.comprehension] = ()
        if isinstance(around, ast.For):
            loops = [around]
        elif isinstance(around, (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)):
            loops = around.generators
        for loop in loops:
            named = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            if root_name(owner) in named:
                return loop
    return None


def _is_bound_before(facts: Facts, node: ast.expr, statement: ast.stmt) -> bool:
    """Do the names in `node` mean the same in front of `statement`?"""
    for name in ast.walk(node):
        if not isinstance(name, ast.Name):
            continue
        for store in uses_in(facts).names.stores(name):
            if name in uses_in(facts).names.loads(store) and store.lineno >= statement.lineno:
                return False
    return True
