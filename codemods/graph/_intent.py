"""Names that tell what a value is for: losses, and values that are constants on purpose."""

from __future__ import annotations

import ast
import re

from autofix.flow.cuts import Demand
from autofix.flow.facts import Facts
from autofix.flow.index import FUNCTIONS, FunctionNode, last_name
from autofix.flow.roles import runs_backward
from autofix.flow.uses import Use, uses_in
from autofix.flow.values import Graph

_LOSS = re.compile(
    r"(?:^|_|(?<=[a-z0-9]))(?:loss(?:es)?|criterion|cost|objective|nll|elbo|kld?|penalty|bce|mse|mae"
    r"|dice|error|energy|regulari[sz]er|reg)(?:$|_|\d)",
)
_FORWARD = frozenset({"forward", "training_step"})
_CONSTANT = re.compile(
    r"target|teacher|ema|(?:^|_)old|old$|^ref|_ref|frozen|momentum|baseline|advantage|return|fake"
    r"|avg_factor|normali[sz]er|label|anchor|prior|reward|memory|queue|bank|history|proto|center|centroid|(?:^|_)gt|truth"
)


_TARGETS = re.compile(r"(?i)(?:^|_)(?:targets?|labels?|gts?|ground_?truths?)(?:_|$)")


def makes_targets(node: ast.AST, facts: Facts) -> bool:
    """Does it stand in a function that is named for the targets that it makes?"""
    function = facts.index.function_of(node)
    return function is not None and _TARGETS.search(getattr(function, "name", "")) is not None


def binds_targets(statement: ast.stmt) -> bool:
    """`td_targets = ...`"""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = [last_name(n) or "" for target in targets for n in _names(target)]
    return bool(names) and all(_TARGETS.search(name) for name in names)


def _names(target: ast.expr) -> list[ast.expr]:
    return list(target.elts) if isinstance(target, (ast.Tuple, ast.List)) else [target]


def is_loss(node: ast.expr) -> bool:
    """Is a value named as a loss, or made by something that is?"""
    name = last_name(node.func) if isinstance(node, ast.Call) else last_name(node)
    return name is not None and names_loss(name)


def names_loss(name: str) -> bool:
    return _LOSS.search(name.lower()) is not None or "loss" in name.lower()


def in_loss_function(node: ast.AST, facts: Facts) -> bool:
    """Does it stand in a function that is named as a loss, or in the `forward` of such a class?"""
    function = facts.index.function_of(node)
    if function is None or runs_backward(function, facts):
        return False  # a training step, which hands out what it has done
    if names_loss(function.name):
        return True
    owner = facts.index.class_of(function)
    return owner is not None and function.name in ("forward", "__call__") and names_loss(owner.name)


def is_dead_loss(node: ast.AST, facts: Facts) -> bool:
    """Does a loss function, because of the cut at `node`, give only constants?"""
    function = facts.index.function_of(node)
    if function is None or not in_loss_function(node, facts):
        return False
    results = [facts.value(value) for value in returned(function, facts)]
    cut = [v for v in returned(function, facts) if any(c is node for c in facts.cuts_before(v))]
    return bool(cut) and all(v.is_tensor and v.graph == Graph.NO for v in results)


def returned(function: FunctionNode, facts: Facts) -> list[ast.expr]:
    nodes = facts.index.body_nodes(function)
    return [n.value for n in nodes if isinstance(n, ast.Return) and n.value is not None]


def is_given_to_others(uses: list[Use], facts: Facts) -> bool:
    """Does a function that this file never calls return it?"""
    functions = (facts.index.function_of(u.user) for u in uses if isinstance(u.user, ast.Return))
    return any(not uses_in(facts).calls_of(function) for function in functions)


def is_for_inference(node: ast.AST, facts: Facts) -> bool:
    """Does the docstring of the function say so in its first lines?"""
    function = facts.index.function_of(node)
    if isinstance(node, FUNCTIONS):
        function = node
    text = ast.get_docstring(function) if isinstance(function, FUNCTIONS) else None
    return text is not None and "inference" in text.partition("\n\n")[0].lower()


def is_made_number(node: ast.expr, source: ast.expr, facts: Facts) -> bool:
    """`if torch.is_tensor(gamma): gamma = gamma.item()`: a number is wanted, whatever was given."""
    statement = facts.index.statement_of(node)
    if not isinstance(statement, ast.Assign) or statement.value is not node:
        return False
    text = ast.unparse(source)
    around = facts.index.parents.get(statement)
    return (
        [ast.unparse(target) for target in statement.targets] == [text]
        and isinstance(around, ast.If)
        and isinstance(around.test, ast.Call)
        and last_name(around.test.func) in ("is_tensor", "isinstance")
        and ast.unparse(around.test.args[0]) == text
    )


def is_wanted(demand: Demand, node: ast.AST, facts: Facts) -> bool:
    """Does a backward pass run, or is what needs the gradient a model or a loss? (What another
    function returns may be a report.)"""
    if demand.backward:
        return True
    found = re.search(r"returned from `(\w+)`", demand.text)
    if found is None or not (found[1] in _FORWARD or names_loss(found[1])):
        return False
    function = facts.index.function_of(node)
    several = function is not None and len(returned(function, facts)) > 1
    return demand.carries or not several  # else one way through it may be there for its values


def is_handed_on(node: ast.AST, facts: Facts) -> bool:
    """`state = tuple(s.data for s in state)` in a loop: where truncated backpropagation cuts."""
    statement = facts.index.statement_of(node)
    if not isinstance(statement, ast.Assign):
        return False
    bound = {
        ast.unparse(n)
        for target in statement.targets
        for n in ast.walk(target)
        if isinstance(n, (ast.Name, ast.Attribute)) and isinstance(n.ctx, ast.Store)
    }
    bound |= {ast.unparse(t) for t in statement.targets if isinstance(t, ast.Subscript)}
    return bool(bound & _cut_at(node, statement)) and bool(facts.index.loops_around(statement))


def _cut_at(node: ast.AST, statement: ast.Assign) -> set[str]:
    """What goes into the cut: not `xs` of `xs = torch.cat([xs, x.data])`."""
    read = {ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.expr)}
    for part in ast.walk(statement.value):
        if isinstance(part, ast.comprehension) and ast.unparse(part.target) in read:
            read |= {ast.unparse(n) for n in ast.walk(part.iter) if isinstance(n, ast.expr)}
    return read


def names_constant(node: ast.expr, facts: Facts) -> bool:
    """Is the value, or what it is assigned to, named as something that is held constant?"""
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    names += [n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)]
    statement = facts.index.statement_of(node)
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            names += [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
            names += [n.attr for n in ast.walk(target) if isinstance(n, ast.Attribute)]
    return any(_CONSTANT.search(name.lower()) for name in names)
