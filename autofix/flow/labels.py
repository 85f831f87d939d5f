"""Data that is told by its name: labels and masks, of which nothing else is known."""

from __future__ import annotations

import ast
import re

from autofix.flow.values import Graph, Value

_ARGUMENT = re.compile(r"(?:.*_)?(?:masks?|targets?|labels?|y_true|gt|ground_truth|truth)")
_BESIDE_OUTPUT = re.compile(r"y|y[sb]|y_.*|.*_y|.*(?:label|target|truth|gt).*")


def names_data(argument: str) -> bool:
    """Is an argument called as data is that brings no graph?"""
    return _ARGUMENT.fullmatch(argument) is not None


def is_data(output: Value, target: Value, call: ast.Call) -> bool:
    """`mse_loss(output, y)` of an argument y: of the two it is the output that had a graph."""
    if output.graph > Graph.NO or target.graph != Graph.MAYBE or len(call.args) < 2:
        return False
    name = call.args[1]
    return isinstance(name, ast.Name) and _BESIDE_OUTPUT.fullmatch(name.id.lower()) is not None
