"""A tensor is copied with `torch.tensor(t)`, which leaves its graph behind.

## What it does

Finds `torch.tensor(t)` and `x.new_tensor(t)` where `t` is known to be a tensor.

## Why is this bad

The copy is detached. On the way from parameters to a loss that cut is silent but for a warning, and
everything before it stops learning. For data the cut does no harm, but torch warns on every run
("To copy construct from a tensor ..."), and the warning hides the places where it matters.

## Example

```python
h = torch.tensor(torch.relu(self.fc1(x)))
return self.fc2(h)
```

## Use instead

```python
h = torch.relu(self.fc1(x)).clone()
return self.fc2(h)
```

## Fix safety

Where no gradient is needed the copy becomes `t.detach().clone()`, which is the same copy without
the warning: safe. Where the copy is all that a `backward()` has to run through, `t.clone()` is safe
as well: the program raised before. On any other way to a loss the fix is unsafe, because a copy can
be meant as a stop. As the target of a loss function it usually is, and so it is where the tensor
itself is used as well: there it is only shown. Between turns of a loop that each have a backward
pass nothing is rewritten. `dtype=` and `device=` become `.to(..., copy=True)`. `requires_grad=True`
stays for data; where it only keeps the backward pass from raising, it goes away.

## How it is verified

Both versions run on the same inputs. For data, values, shape, dtype and gradients must be equal;
where the graph is restored, gradients must equal finite differences of the original.

## References

- https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
- https://github.com/pytorch/pytorch/issues/38411
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from autofix.codemods.graph._copied import has_twin, is_kept_for_a_layer, is_used_alive
from autofix.codemods.graph._declared import is_assumed, is_declared, is_only_converted
from autofix.codemods.graph._only_cut import never_learns
from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import last_name
from autofix.flow.syntax import argument, is_true, keyword
from autofix.flow.uses import uses_in
from autofix.flow.values import Graph, Kind, Value
from autofix.flow.walk import walk
from autofix.model import Applicability, Edit
from autofix.rewrite.names import spell
from autofix.rewrite.nodes import bare, code, expression, method, replace, stands_alone, tight
from autofix.rule import Report, Rule, fix

CARRIED = (
    "it is handed on from one turn of a loop to the next, and every turn has a backward pass of "
    "its own: without the cut it would run through the turn before again"
)

rule = Rule(__name__, code="AG102", names=("tensor", "new_tensor"))

_COMBINING = frozenset({"torch.cat", "torch.stack", "torch.mean", "torch.sum"})
_NEW = frozenset(
    f"torch.{name}"
    for name in "zeros ones full eye empty rand randn randint randperm arange linspace".split()
)
_KEYWORDS = frozenset({"data", "dtype", "device", "requires_grad"})


@rule.visit(ast.Call)
def check(node: ast.Call, facts: Facts) -> Iterator[Report]:
    if facts.index.called_name(node) not in ("tensor", "new_tensor"):
        return
    data = argument(node, 0, "data")
    if data is None or isinstance(data, (ast.Constant, ast.List, ast.Tuple, ast.ListComp)):
        return
    if not _is_constructor(node, facts):
        return
    if not facts.may_hold_tensor(data):
        return
    value = facts.value(data)
    # An advantage that weighs log-probabilities is to be constant: only the warning is too much.
    aside = facts.weighs_log_probability(node) and not facts.is_term(node)
    found = None if aside else facts.needed(node)
    surely = found is not None and found[0] == Graph.YES
    if not (value.is_tensor or (surely and _is_one_of(value))):
        return
    wants_leaf = is_true(keyword(node, "requires_grad"))
    if wants_leaf and value.graph > Graph.NO and not _is_silencer(node, value, found, facts):
        return  # a leaf of its own, or a loss that may be one
    if value.graph > Graph.NO and facts.used_as_leaf(node):
        return  # likewise: `.requires_grad_()` follows, and its `.grad` is read
    if found is None and is_assumed(data, facts):
        return  # an argument that may be a list after all, and nothing says that the cut matters
    if found is None and value.graph == Graph.MAYBE and facts.grad_enabled(node):
        return
    if found is None and _holds_lost(data, facts):
        return  # first things first: then this cuts, too
    partly = found is not None and found[1].carries
    if not surely and is_only_converted(data, value.assumed and partly, facts):
        return
    yield _report(node, data, value, found, facts)


def _holds_lost(data: ast.expr, facts: Facts) -> bool:
    """`u.data.unsqueeze(0)`, or a value that was cut further above, whose gradient is needed."""
    return any(
        (found := facts.needed(node)) is not None
        and found[0] == Graph.YES
        and found[1].backward
        and not facts.is_target(node)
        for node in (*walk(data), *facts.cuts_before(data))
        if isinstance(node, ast.expr)
    )


def _is_one_of(value: Value) -> bool:
    """A tensor on one path, and on others an array or numbers, or something that is not known."""
    rest = value.elem
    return bool(value.kind & Kind.TENSOR) and not (rest is not None and rest.kind & Kind.TENSOR)


def _is_silencer(
    node: ast.Call, value: Value, found: tuple[Graph, Demand] | None, facts: Facts
) -> bool:
    """Does `requires_grad=True` only keep the backward pass from raising? Nobody uses the leaf."""
    if found is None or value.graph < Graph.YES or value.leaf:
        return False
    return found[1].backward and not facts.used_as_leaf(node)


def _is_constructor(node: ast.Call, facts: Facts) -> bool:
    if isinstance(node.func, ast.Attribute) and node.func.attr == "new_tensor":
        return facts.value(node.func.value).is_tensor
    return facts.library_name(node.func) == "torch.tensor"


def _report(
    node: ast.Call,
    data: ast.expr,
    value: Value,
    found: tuple[Graph, Demand] | None,
    facts: Facts,
) -> Report:
    label = f"`{facts.source.segment(node.func)}`"
    if found is None:
        message = f"{label} of a tensor: a detached copy, and a warning on every run"
    else:
        message = (
            f"{label} of a tensor cuts its graph, and the gradient is needed "
            f"({found[1].text}, line {found[1].line})"
        )
    why = value.why.steps() if found is not None and value.why is not None else ()
    extra = [k.arg for k in node.keywords if k.arg not in _KEYWORDS]
    if extra or len(node.args) > 1:
        return Report(node, message, declined="these arguments have no counterpart", why=why)
    if found is not None and found[1].repeated:
        why_not = "it is made once and used by every turn of a training loop: make it inside"
        return Report(node, message, declined=why_not, why=why)
    if found is not None and facts.is_carried(node):
        return Report(node, message, declined=CARRIED, why=why)
    tier, note = _tier(node, data, found, facts)
    if found is None and value.graph == Graph.NO and _may_be_zero(data, facts):
        edits = _converted(node, facts)
    elif value.is_tensor and (not value.assumed or is_declared(data, facts)):
        edits = replace(facts, node, _copy(node, data, facts, keep_graph=found is not None))
    else:  # an array or list on other paths, which only `as_tensor` takes as well
        edits = _converted(node, facts)
        if found is None or found[0] < Graph.YES:
            tier = Applicability.UNSAFE if tier == Applicability.SAFE else tier
    return Report(node, message, fix=fix(tier, *edits), why=why, note=note)


def _may_be_zero(data: ast.expr, facts: Facts) -> bool:
    """`sum(counts)`: of no counts at all it is the number 0."""
    made = [data]
    for store in uses_in(facts).names.stores(data) if isinstance(data, ast.Name) else ():
        statement = facts.index.parents.get(store)
        made += [statement.value] if isinstance(statement, ast.Assign) else []
    sums = [n for n in made if isinstance(n, ast.Call) and last_name(n.func) == "sum" and n.args]
    return any(
        facts.library_name(n.func) == "builtins.sum" and not facts.value(n.args[0]).items
        for n in sums
    )


def _tier(
    node: ast.Call, data: ast.expr, found: tuple[Graph, Demand] | None, facts: Facts
) -> tuple[Applicability, str | None]:
    if found is None:
        return Applicability.SAFE, None
    graph, demand = found
    if facts.is_target(node) and not has_twin(node, data, facts):
        return Applicability.DISPLAY, "it is the target of a loss: the stop may be meant"
    if is_used_alive(data, facts) and not is_kept_for_a_layer(node, facts):
        return Applicability.DISPLAY, "the tensor itself is used as well: the stop may be meant"
    flag = keyword(node, "requires_grad")
    spelled_out = flag is not None and not is_true(flag)
    only_way = demand.backward and demand.alone and not demand.carries
    idle = demand.backward and never_learns(node, data, facts)
    if graph == Graph.YES and (only_way or idle) and not spelled_out:
        return Applicability.SAFE, None
    return Applicability.UNSAFE, "the copy may be meant as a stop; with the fix more is trained"


def _converted(node: ast.Call, facts: Facts) -> tuple[Edit, ...]:
    tree = expression(facts, node)
    assert isinstance(tree, cst.Call)
    spelled = spell(facts, "torch.as_tensor", node)
    func = cst.parse_expression(spelled.code)
    kept = [a for a in tree.args if a.keyword is None or a.keyword.value != "requires_grad"]
    if isinstance(node.func, ast.Attribute) and node.func.attr == "new_tensor":
        kept += _like(node, node.func.value, facts)
    made = method(tree.with_changes(func=func, args=kept), "clone")
    return (*replace(facts, node, made), *spelled.edits)


def _like(node: ast.Call, owner: ast.expr, facts: Facts) -> list[cst.Arg]:
    """What `owner.new_tensor(...)` takes from its owner, where the call does not say it."""
    text = code(tight(expression(facts, owner)))
    missing = [name for name in ("dtype", "device") if keyword(node, name) is None]
    call = cst.parse_expression(f"f({', '.join(f'{name}={text}.{name}' for name in missing)})")
    assert isinstance(call, cst.Call)
    return list(call.args)


def _is_detached(data: ast.expr) -> bool:
    if isinstance(data, ast.Attribute):
        return data.attr == "data"
    return isinstance(data, ast.Call) and last_name(data.func) == "detach" and not data.args


def _is_made_here(data: ast.expr, facts: Facts) -> bool:
    """A tensor that nobody else has, and that the operation itself does not keep for `backward()`:
    there is nothing to copy."""
    if isinstance(data, ast.BinOp):
        return not isinstance(data.op, ast.Pow)
    return _calls(data, _COMBINING, facts) or _is_new(data, facts)


def _is_new(data: ast.expr, facts: Facts) -> bool:
    """`torch.zeros(3)`: nobody else has it, and it has no graph."""
    flagged = isinstance(data, ast.Call) and keyword(data, "requires_grad") is not None
    return _calls(data, _NEW, facts) and not flagged


def _calls(data: ast.expr, names: frozenset[str], facts: Facts) -> bool:
    return isinstance(data, ast.Call) and facts.library_name(data.func) in names


def _copy(node: ast.Call, data: ast.expr, facts: Facts, keep_graph: bool) -> cst.BaseExpression:
    """The same copy, of the same dtype and on the same device, with the graph or without."""
    value = bare(expression(facts, data))
    if not keep_graph and not _is_detached(data) and not _is_new(data, facts):
        value = method(value, "detach")
    dtype, device = keyword(node, "dtype"), keyword(node, "device")
    given = {k: expression(facts, v) for k, v in (("dtype", dtype), ("device", device)) if v}
    like = None
    if isinstance(node.func, ast.Attribute) and node.func.attr == "new_tensor":
        same = ast.unparse(node.func.value) == ast.unparse(data)  # `h.new_tensor(h)`
        like = None if same and not given else expression(facts, node.func.value)
    if like is not None and given:
        owner = code(tight(like))
        given = {
            name: given.get(name) or cst.parse_expression(f"{owner}.{name}")
            for name in ("dtype", "device")
        }
    copied: cst.BaseExpression
    if not given and like is None:
        alone = stands_alone(facts, node) and "\n" not in code(value)
        whole = value if alone else tight(value)
        copied = whole if _is_made_here(data, facts) else method(value, "clone")
    elif not given and like is not None:
        copied = method(value, "to", like, copy="True")
    elif len(given) == 1:
        copied = method(value, "to", *given.values(), copy="True")
    else:
        copied = method(value, "to", **given, copy="True")
    if is_true(keyword(node, "requires_grad")) and not keep_graph:
        copied = method(copied, "requires_grad_")
    return copied
