"""What is told by a name where nothing else is known: labels and masks, and functions of losses."""

from __future__ import annotations

import ast
import re

from autofix.flow.values import Graph, Value

_ARGUMENT = re.compile(r"(?:.*_)?(?:masks?|targets?|labels?|y_true|gt|ground_truth|truth)")
_LOSS = re.compile(
    r"(?i)loss|nll|log_?p|likelihood|elbo|energy|penalty|objective|divergence|criterion"
)
_ANSWER = re.compile(r"(?i)(?:^|_)(?:search|decod(?:e|ing)|predict|generate|infer|evaluate)(?:_|$)")
_BESIDE_OUTPUT = re.compile(r"y|y[sb]|y_.*|.*_y|.*(?:label|target|truth|gt).*")


def names_data(argument: str) -> bool:
    """Is an argument called as data is that brings no graph?"""
    return _ARGUMENT.fullmatch(argument) is not None


def names_loss(function: str) -> bool:
    """Is a function called as those are whose result somebody differentiates, seen or not?"""
    return _LOSS.search(function) is not None


def names_no_loss(function: str) -> bool:
    """Is it called as those whose number nobody outside of a project minimizes: helpers of its
    own, and what looks for an answer?"""
    own = function.startswith("_") and not names_loss(function)
    return own or _ANSWER.search(function) is not None


def is_data(output: Value, target: Value, call: ast.Call) -> bool:
    """`mse_loss(output, y)` of an argument y: of the two it is the output that had a graph."""
    if output.graph > Graph.NO or target.graph != Graph.MAYBE or len(call.args) < 2:
        return False
    name = call.args[1]
    return isinstance(name, ast.Name) and _BESIDE_OUTPUT.fullmatch(name.id.lower()) is not None
