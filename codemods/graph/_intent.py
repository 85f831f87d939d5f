"""Names that tell what a value is for: losses, and values that are constants on purpose."""

from __future__ import annotations

import ast
import re

from autofix.flow.facts import Facts
from autofix.flow.index import last_name

_LOSS = re.compile(
    r"(?:^|_|(?<=[a-z0-9]))(?:loss(?:es)?|criterion|cost|objective|nll|elbo|kld?|penalty|bce|mse|mae"
    r"|dice|error|energy|regulari[sz]er|reg)(?:$|_|\d)",
)
_CONSTANT = re.compile(
    r"target|teacher|ema|(?:^|_)old|old$|^ref|_ref|frozen|momentum|baseline|advantage|return|fake"
    r"|label|anchor|prior|reward|memory|queue|bank|history|proto|center|centroid|(?:^|_)gt|truth"
)


def is_loss(node: ast.expr) -> bool:
    """Is a value named as a loss, or made by something that is?"""
    name = last_name(node.func) if isinstance(node, ast.Call) else last_name(node)
    return name is not None and names_loss(name)


def names_loss(name: str) -> bool:
    return _LOSS.search(name.lower()) is not None or "loss" in name.lower()


def in_loss_function(node: ast.AST, facts: Facts) -> bool:
    """Does it stand in a function that is named as a loss, or in the `forward` of such a class?"""
    function = facts.index.function_of(node)
    if function is None:
        return False
    if names_loss(function.name):
        return True
    owner = facts.index.class_of(function)
    return owner is not None and function.name in ("forward", "__call__") and names_loss(owner.name)


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
