"""A tensor is made a leaf too early, and what an optimizer gets is computed from it.

## What it does

Finds `torch.randn(..., requires_grad=True)` and `.requires_grad_()` with an operation behind them
(`.to(device)`, `.double()`, `.view(...)`, `* 0.01`, `/ math.sqrt(n)`), where the result is given
to an optimizer or asked for its `.grad`.

## Why is this bad

Only a leaf is trained: a tensor that requires a gradient and was not computed from another one that
does. The result of an operation is none, so an optimizer raises "can't optimize a non-leaf Tensor",
and its `.grad` stays `None`. The leaf itself has no name and is lost. `.to(device)`, `.cuda()`
and `.double()` return the same tensor where there is nothing to change, so such a program works on
the CPU and fails on the GPU.

## Example

```python
w = torch.randn(n, 1, requires_grad=True).to(device) * 0.01
optimizer = torch.optim.SGD([w], lr=0.1)
```

## Use instead

```python
w = (torch.randn(n, 1).to(device) * 0.01).requires_grad_()
optimizer = torch.optim.SGD([w], lr=0.1)
```

## Fix safety

`requires_grad_()` moves behind the operations. Values, shape, dtype and device stay, and the result
is a leaf. `.detach()` is put before it where something else in the expression may have a graph.

It is safe for changes of shape, dtype and device, for copies, and for arithmetic with numbers and
constant tensors. It is unsafe where what is trained would lose a constraint (`softmax`, `sigmoid`,
`clamp`), or where an operand is not known: the result is trained then, freely. There is no fix
where the expression has another trained tensor in it, or where the leaf itself is used elsewhere:
only the author can tell which of the two should be trained.

A tensor that is only an input, or that `torch.autograd.grad` or `retain_grad()` is called for, is
left alone.

## How it is verified

The original and the rewritten code run on the same inputs. The forward values must be equal; the
tensor must get no gradient before and the derivative of the original's own values after.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
- https://discuss.pytorch.org/t/valueerror-cant-optimize-a-non-leaf-tensor/21751
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autofix.codemods.leaf._kept import How, Keep, all_uses, direct_keeps, harmless, keeps, rebound
from autofix.codemods.leaf._made import (
    Leaf,
    leaf_made,
    leaf_of,
    may_have_graph,
    without_leaf,
)
from autofix.codemods.leaf._operations import Chain, Tier, chain_from, returns_itself
from autofix.flow.facts import Facts
from autofix.flow.uses import Use
from autofix.flow.values import Graph
from autofix.model import Applicability, Edit
from autofix.rewrite.nodes import replace
from autofix.rewrite.statements import moved_behind
from autofix.rule import Report, Rule, fix

rule = Rule(__name__, code="AG303", names=("requires_grad", "requires_grad_"))

_TRAINED = (How.OPTIMIZED, How.GRADIENT)


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if not _may_make(node, facts):
        return
    leaf = leaf_made(facts, node)
    if leaf is None:
        return
    chain = chain_from(facts, node)
    if chain is not None:
        yield from _inline(facts, leaf, chain)
        return
    uses = all_uses(facts, node)
    for use in uses:
        if not (use.contained or use.stored):
            yield from _under_a_name(facts, leaf, use, [u for u in uses if u is not use])


def _may_make(node: ast.Call, facts: Facts) -> bool:
    """By the syntax alone: a leaf is made, and not simply a statement of its own."""
    if isinstance(facts.index.parents.get(node), ast.Expr):
        return False
    if any(k.arg == "requires_grad" for k in node.keywords):
        return True
    return isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_"


def _inline(facts: Facts, leaf: Leaf, chain: Chain) -> Iterator[Report]:
    """`torch.randn(3, requires_grad=True).to(device)`: the leaf is lost at once."""
    keep = _trained(facts, chain)
    if keep is not None and not _unchanged(facts, leaf, chain):
        yield _report(facts, leaf, chain, keep)


def _under_a_name(facts: Facts, leaf: Leaf, use: Use, others: list[Use]) -> Iterator[Report]:
    """`small = w * 0.1`, and `small` is optimized; or `optim.SGD([w.to(device)])`."""
    chain = chain_from(facts, use.node)
    if chain is None or not isinstance(use.node, (ast.Name, ast.Attribute)):
        return
    if isinstance(use.node, ast.Name) and rebound(facts, chain.node) == use.node.id:
        return  # AG302
    keep = _trained(facts, chain)
    if keep is None or keep.how != How.OPTIMIZED or _unchanged(facts, leaf, chain):
        return
    if _is_attribute_again(facts, use.node, chain):
        if facts.index.function_of(chain.node) is facts.index.function_of(leaf.call):
            yield _report(facts, leaf, chain, keep, again=True)
        return
    used = [u for u in others if not harmless(facts, u)]
    if any(k.how in _TRAINED for k in direct_keeps(facts, others)):
        return
    yield _report(facts, leaf, chain, keep, bool(used))


def _is_attribute_again(facts: Facts, node: ast.expr, chain: Chain) -> bool:
    """`self.w = self.w * 0.1`"""
    match facts.index.parents.get(chain.node):
        case ast.Assign(targets=[ast.Attribute() as target]):
            return ast.unparse(target) == ast.unparse(node)
    return False


def _trained(facts: Facts, chain: Chain) -> Keep | None:
    if facts.value(chain.node).graph == Graph.NO:
        return None
    found = [k for k in keeps(facts, chain) if k.how in _TRAINED and len(k.path) == 1]
    if not found and (taker := facts.optimizer_of(chain.node, chain.inner)) is not None:
        return Keep(How.OPTIMIZED, Use(taker, taker), path=(chain,))
    return min(found, key=lambda k: _TRAINED.index(k.how), default=None)


def _unchanged(facts: Facts, leaf: Leaf, chain: Chain) -> bool:
    return returns_itself(facts, chain, leaf.data)


def _report(
    facts: Facts,
    leaf: Leaf,
    chain: Chain,
    keep: Keep,
    elsewhere: bool = False,
    again: bool = False,
) -> Report:
    node = chain.node
    consequence = (
        "an optimizer cannot take it" if keep.how == How.OPTIMIZED else "its `.grad` stays `None`"
    )
    if again and _is_made_before(facts, keep, node):
        consequence = "the optimizer goes on with the leaf"
    operation = chain.operations[0]
    message = f"{operation.name} of a leaf gives a tensor that is no leaf: {consequence}"
    where = (
        f"the leaf is made here (line {leaf.call.lineno})",
        f"{operation.name} makes another tensor of it (line {operation.node.lineno})",
        f"{keep.how.value} (line {getattr(keep.use.user, 'lineno', chain.node.lineno)})",
    )
    if keep.use.node is node and chain.inner is not leaf.call and elsewhere:
        # `SGD([w.to(device)])`: the leaf is what the program computes with
        edits = replace(facts, node, facts.source.segment(chain.inner))
        return Report(node, message, fix=fix(Applicability.SAFE, *edits), why=where)
    if chain.tier == Tier.CHOICE:
        why_not = (
            f"{operation.name} leaves open what should be trained: its result, or what it is "
            "computed from"
        )
        return Report(node, message, declined=why_not, why=where)
    if elsewhere:
        why_not = "the leaf itself is used as well: optimize that, or make a leaf of the result"
        return Report(node, message, declined=why_not, why=where)
    if again:
        behind = _optimizer_behind(facts, node, keep)
        if behind is None:
            why_not = "the optimizer is used in between, and cannot simply be made later"
            return Report(node, message, declined=why_not, why=where)
        edits = _joined((*leaf_of(facts, node, detach=True), *behind))
    else:
        detach = may_have_graph(facts, leaf, chain)
        edits = (without_leaf(facts, leaf), *leaf_of(facts, node, detach))
    tier = Applicability.SAFE if chain.tier <= Tier.MOVES else Applicability.UNSAFE
    note = None if tier == Applicability.SAFE else _FREE
    return Report(node, message, fix=fix(tier, *edits), why=where, note=note)


def _is_made_before(facts: Facts, keep: Keep, node: ast.expr) -> bool:
    """Does the optimizer get the leaf before `node` makes another tensor of it?"""
    made = facts.index.statement_of(keep.use.node)
    same = facts.index.function_of(keep.use.node) is facts.index.function_of(node)
    return same and made is not None and made.lineno < node.lineno


def _joined(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """What is put in at one place, put in together, in this order."""
    texts: dict[tuple[int, int], str] = {}
    for edit in edits:
        place = edit.start, edit.end
        texts[place] = texts.get(place, "") + edit.text
    return tuple(Edit(*place, text) for place, text in texts.items())


def _optimizer_behind(facts: Facts, node: ast.expr, keep: Keep) -> tuple[Edit, ...] | None:
    """The edits after which the optimizer is made of the result: none if it is so already. None if
    it cannot be moved there."""
    made, here = facts.index.statement_of(keep.use.node), facts.index.statement_of(node)
    if made is None or here is None or not _is_made_before(facts, keep, node):
        return ()
    block = facts.index.block_of(made)
    if here not in block or not isinstance(made, ast.Assign) or len(made.targets) != 1:
        return None
    target = ast.unparse(made.targets[0])
    between = block[block.index(made) + 1 : block.index(here)]
    if any(
        isinstance(n, ast.expr) and ast.unparse(n) == target
        for statement in between
        for n in ast.walk(statement)
    ):
        return None
    return moved_behind(facts, [made], here)


_FREE = "what is trained will be the result of the operation, without its constraint"
