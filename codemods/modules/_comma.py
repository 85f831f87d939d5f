"""`self.fc = nn.Linear(3, 4),`: a comma at the end of a line makes a tuple."""

from __future__ import annotations

import ast

from autofix.codemods.modules._elsewhere import reads_of
from autofix.codemods.modules._kept import Kept
from autofix.flow.facts import Facts
from autofix.model import Edit


def stray_comma(facts: Facts, kept: Kept) -> tuple[Edit, ...] | None:
    """The edits that drop the comma, and the `[0]` by which others made do with it; None if it is
    no such thing, or is used as a tuple."""
    if len(kept.roots) != 1 or kept.fills:
        return None
    value = kept.roots[0].value
    if not (isinstance(value, ast.Tuple) and len(value.elts) == 1):
        return None
    part = value.elts[0]
    start, end = facts.source.span(value)
    if start != facts.source.span(part)[0] or isinstance(part, ast.Starred):
        return None  # written in parentheses, on purpose
    edits = [Edit(facts.source.span(part)[1], end, "")]
    for read in reads_of(facts, kept):
        parent = facts.index.parents.get(read)
        match parent:
            case ast.Subscript(slice=ast.Constant(value=0)) if parent.value is read:
                edits.append(Edit(facts.source.span(read)[1], facts.source.span(parent)[1], ""))
            case ast.Call(func=func) if func is read:
                pass  # a tuple cannot be called: it must have been meant
            case ast.Attribute() if parent.attr not in ("index", "count"):
                pass  # nor has it such an attribute
            case _:
                return None
    return tuple(edits)
