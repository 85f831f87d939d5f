"""A function of `math` or numpy is called on a tensor that carries a graph.

## What it does

Finds `math.exp(t)`, `math.sqrt(t)`, `np.log(t)`, `np.mean(t)` and the like, where `t` is a tensor
with a graph and something later needs the gradient: a `backward()`, or the caller of a `forward`.

## Why is this bad

Functions of `math` read the tensor as a Python float. The value is right, nothing is said, and no
gradient reaches what it was computed from: a decay rate or a temperature that passes through
`math.exp` keeps its first value for ever. Functions of numpy raise: "Can't call numpy() on Tensor
that requires grad".

## Example

```python
rate = math.exp(self.log_rate)
return self.amplitude * torch.exp(-rate * t)
```

## Use instead

```python
rate = torch.exp(self.log_rate)
return self.amplitude * torch.exp(-rate * t)
```

## Fix safety

The fix is safe where the tensor surely carries a graph: the result is a tensor of no dimensions
where there was a number, which changes neither shape nor dtype of what it is combined with.
`math` computes in double precision, a float32 tensor in its own, so that values may differ in the
last bit. A tensor of unknown rank is given `.reshape(())`.

The fix is unsafe where the tensor is an argument that only may carry a graph, where numbers are
subtracted before they meet a tensor (digits may cancel), where dtypes differ, where the number is
passed to code that this file does not show, and inside a `try`: torch gives `nan` or `inf` where
`math` raises.

The fix is only shown where the number is the weight of log-probabilities, or belongs to the target
of a loss: constants are often meant there. There is none where a tensor would raise
(`round(t, 2)`, `F.dropout(p=t)`), and where the number is computed once and every turn of a loop
has a backward pass.

What is only printed, logged, compared or returned as a number is left alone.

## How it is verified

The original and the rewritten code run on the same inputs: forward values must agree, shapes and
dtypes must be equal, and the gradient must equal finite differences of the original.

## References

- https://docs.python.org/3/library/math.html
- https://docs.pytorch.org/docs/stable/torch.html#math-operations
- https://discuss.pytorch.org/t/cant-call-numpy-on-variable-that-requires-grad/20763
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator

from autofix.codemods.graph._number_uses import outlook
from autofix.codemods.graph._numeric_calls import CannotTranslate, Translation, chain, translated
from autofix.codemods.graph._numeric_names import NUMERIC, counterpart
from autofix.codemods.graph._reasons import CARRIED, REPEATED, TARGET, WEIGHT
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.frame import contents
from autofix.flow.index import root_name
from autofix.flow.values import Graph, Value
from autofix.model import Applicability
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG104",
    names=NUMERIC,
    needs=("import math", "from math", "numpy"),
)


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if not node.args or not isinstance(node.func, (ast.Attribute, ast.Name)):
        return
    name = facts.library_name(node.func) if _may_be_numeric(node, facts) else None
    if name is None or counterpart(name) is None:
        return
    read = [v for a in node.args if (v := _tensor_in(a, facts)) is not None]
    found = facts.needed(node) if read else None
    if found is None:
        return
    if name.startswith("numpy.") and found[0] < Graph.YES and not found[1].backward:
        return  # it would raise for a graph: most often it is an array
    yield _report(node, name, max(read, key=lambda v: v.graph), found, facts)


def _may_be_numeric(node: ast.Call, facts: Facts) -> bool:
    return facts.index.called_name(node) in NUMERIC and root_name(node.func) in _imported(facts)


@functools.lru_cache(maxsize=4)
def _imported(facts: Facts) -> frozenset[str]:
    """What this file calls `math` and `numpy`, and what it imports from them."""
    found = {n for n, dotted in facts.libraries.items() if _is_numeric(dotted)}
    for node in facts.index.of_kind(ast.Import):
        found |= {(a.asname or a.name).partition(".")[0] for a in node.names if _is_numeric(a.name)}
    for from_ in facts.index.of_kind(ast.ImportFrom):
        if _is_numeric(from_.module or ""):
            found |= {a.asname or a.name for a in from_.names}
    return frozenset(found)


def _is_numeric(dotted: str) -> bool:
    return dotted.partition(".")[0] in ("math", "numpy")


def _tensor_in(node: ast.expr, facts: Facts) -> Value | None:
    """The tensor, or the tensors in a list, that an argument is."""
    if isinstance(node, ast.Constant) or not facts.may_hold_tensor(node):
        return None
    value = contents(facts.value(node))
    if value is None or value.graph == Graph.NO:
        return None
    return value if value.is_tensor_or_number else None


def _report(
    node: ast.Call, name: str, read: Value, found: tuple[Graph, Demand], facts: Facts
) -> Report:
    demand = found[1]
    label = f"`{facts.source.segment(node.func)}`"
    happens = "reads a tensor as a plain number" if name.startswith("math.") else "takes no graph"
    message = (
        f"{label} {happens}: no gradient gets past it, "
        f"and it is needed ({demand.text}, line {demand.line})"
    )
    why = read.why.steps() if read.why is not None else ()
    if demand.repeated:
        return Report(node, message, declined=REPEATED, why=why)
    if facts.is_carried(node):
        return Report(node, message, declined=CARRIED, why=why)
    try:
        new = translated(chain(node, facts), facts)
    except CannotTranslate as reason:
        return Report(node, message, declined=str(reason), why=why)
    tier, note = _tier(node, name, read, found, new, facts)
    if tier is None:
        return Report(node, message, declined=note, why=why)
    return Report(node, message, fix=fix(tier, *new.edits), why=why, note=note)


def _tier(
    node: ast.Call,
    name: str,
    read: Value,
    found: tuple[Graph, Demand],
    new: Translation,
    facts: Facts,
) -> tuple[Applicability | None, str | None]:
    ahead = outlook(facts, [new.outermost], read.dtype)
    if ahead.refused is not None:
        return None, ahead.refused
    if facts.weighs_log_probability(node):
        return Applicability.DISPLAY, WEIGHT
    if facts.is_target(node):
        return Applicability.DISPLAY, TARGET
    graph, demand = found
    certain = demand.backward and demand.alone and not demand.carries
    doubt = ahead.doubt
    if graph < Graph.YES and not certain:
        doubt = "the tensor is an argument that may carry a graph"
    elif name.startswith("math.") and any(
        isinstance(n, ast.Try) and n.handlers for n in facts.index.ancestors(node)
    ):
        doubt = "`math` raises where torch gives `nan` or `inf`, and something waits for that"
    elif new.doubt is not None:
        doubt = new.doubt
    elif not read.is_tensor_or_number:
        doubt = "it may be something other than a tensor"
    return (Applicability.SAFE if doubt is None else Applicability.UNSAFE), doubt
