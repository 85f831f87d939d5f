"""Code that nobody is likely to differentiate, told by what it is called."""

from __future__ import annotations

import ast
import re

from autofix.flow.facts import Facts

_NOT_TRAINED = re.compile(
    r"(?i)(?:pre|post)_?process|visuali[sz]|plot|draw|nms|bbox|gaussian_(?:filter|kernel|window)"
    r"|augment|beam_?search|top_?[kp](?:_|$)"
)
"""What functions are called that work on data and results."""
_TOOL = re.compile(r"(?i)(?:pre|post)_?process|augment|visuali[sz]|beam_?search")
"""What classes are called of which all methods do."""


def works_on_data(node: ast.AST, facts: Facts) -> bool:
    """Is the function, or its class, called like one that works on data or results?"""
    owner = facts.index.class_of(node)
    if owner is not None and _TOOL.search(owner.name):
        return True
    name = getattr(facts.index.function_of(node), "name", "")
    return _NOT_TRAINED.search(name) is not None
