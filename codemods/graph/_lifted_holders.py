"""A lifted value in a list, tuple or dict, and taken out of it again."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._lifted_calls import passed
from autofix.codemods.graph._lifted_returns import returned, spread
from autofix.codemods.graph._only_cut import never_learns
from autofix.codemods.graph._way import OFF, Way
from autofix.flow.index import last_name

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift

LISTED = frozenset(
    {
        "tensor",
        "as_tensor",
        "asarray",
        "array",
        "from_numpy",
        "Tensor",
        "FloatTensor",
        "DoubleTensor",
        "new_tensor",
    }
)

_JOINING = frozenset({"stack", "concatenate", "vstack", "hstack"})


def element(lift: Lift, whole: ast.Subscript, form: Form, mixed: bool) -> Way:
    if isinstance(whole.ctx, ast.Store):
        return OFF
    if form == Form.NUMBERS and not isinstance(whole.slice, ast.Slice):
        return lift.follow(whole, Form.NUMBER, mixed)
    return lift.follow(whole, form, mixed)


def collected(lift: Lift, node: ast.expr, parent: ast.expr, form: Form, mixed: bool) -> Way:
    """`(a, node)`: returned or unpacked, or a list of numbers."""
    around = lift.facts.index.parents.get(parent)
    match around, parent:
        case ast.Return(), ast.Tuple(elts=parts):
            return returned(lift, parent, form, mixed, parts.index(node))
        case ast.Assign(targets=[ast.Tuple(elts=names)]), ast.Tuple(elts=parts) if len(
            names
        ) == len(parts):
            return lift.bind(names[parts.index(node)], form, mixed)
        case ast.Call(), ast.List() if form == Form.NUMBER:
            if is_listed(lift, node, around):
                return OFF
            return passed(lift, parent, around, Form.NUMBERS, mixed)
        case ast.Call(), ast.List() | ast.Tuple() if form == Form.ARRAY:
            return OFF if mixed else _joined(lift, parent, around)
        case ((ast.Assign() | ast.Starred()), ast.Tuple(elts=parts)):
            return spread(lift, parent, parts.index(node), form)
    if isinstance(parent, ast.List) and form == Form.NUMBER:
        return lift.follow(parent, Form.NUMBERS)
    return OFF


def _joined(lift: Lift, parts: ast.expr, call: ast.Call) -> Way:
    """`np.stack([node, other], axis=1)`: all that it joins are tensors then."""
    dotted = lift.facts.library_name(call.func) or ""
    if not dotted.startswith("numpy.") or dotted[6:] not in _JOINING:
        return OFF
    translated = lift.translator.function(call, parts, Form.ARRAY, False)
    if translated is None:
        return OFF
    after, edits = translated
    others = lift.translator.others(parts, call)
    lift.exact = lift.exact and not others
    way = lift.follow(call, after)
    return Way(True, (*edits, *others, *way.edits)) if way.joined else OFF


def zipped(lift: Lift, node: ast.expr, call: ast.Call, form: Form) -> Way:
    """`for a, b in zip(x, node)`: what the loop calls the elements of a state, or weights that
    could not learn otherwise. (Losses are zipped with their weights, numbers on purpose.)"""
    loop = lift.facts.index.parents.get(call)
    around = lift.facts.index.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    target = getattr(loop, "target", None)
    at = call.args.index(node) if node in call.args else -1
    if getattr(loop, "iter", None) is not call or around is None or at < 0:
        return OFF
    names = target.elts if isinstance(target, ast.Tuple) else []
    way = elements(lift, names[at], around, form) if at < len(names) else OFF
    export = lift.export
    wanted = lift.facts.is_recurrent(export.cut) or never_learns(
        export.whole, export.source, lift.facts
    )
    if way.joined and not wanted:
        lift.withheld = True
        return OFF
    return way


def is_listed(lift: Lift, node: ast.expr, around: ast.AST | None) -> bool:
    """`torch.tensor([node])` reads the tensor behind the export by itlift."""
    if node is not lift.export.whole or not isinstance(around, ast.Call):
        return False
    name = last_name(around.func)
    if name in ("array", "asarray") and last_name(_taker(lift, around)) not in LISTED:
        return False  # something else is done with the array
    lift.listed = lift.listed or name in LISTED
    return name in LISTED


def _taker(lift: Lift, array: ast.expr) -> ast.expr:
    """What an array, or its `.astype(...)`, is given to."""
    parents = lift.facts.index.parents
    around = parents.get(array)
    if isinstance(around, ast.Attribute) and around.attr == "astype":
        cast = parents.get(around)
        around = parents.get(cast) if cast is not None else None
    return around.func if isinstance(around, ast.Call) else array


def elements(lift: Lift, target: ast.expr, loop: ast.AST, form: Form) -> Way:
    if not isinstance(target, ast.Name) or form == Form.NUMBER:
        return OFF
    flat = lift.facts.value(lift.export.read).rank == 1
    inner = Form.NUMBER if form == Form.NUMBERS or flat else Form.ARRAY
    loads = [
        n
        for n in ast.walk(loop)
        if isinstance(n, ast.Name) and n.id == target.id and isinstance(n.ctx, ast.Load)
    ]
    return lift.loads(loads, inner, lambda load: False)
