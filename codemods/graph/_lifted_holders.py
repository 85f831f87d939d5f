"""A lifted value in a list, tuple or dict, and taken out of it again."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autofix.codemods.graph._exports import Form
from autofix.codemods.graph._lifted_calls import passed
from autofix.codemods.graph._way import OFF, Way, calls_of
from autofix.flow.index import last_name

if TYPE_CHECKING:
    from autofix.codemods.graph._lifting import Lift

LISTED = frozenset(
    {
        "tensor",
        "as_tensor",
        "asarray",
        "array",
        "Tensor",
        "FloatTensor",
        "DoubleTensor",
        "new_tensor",
    }
)


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
            return lift.returned(parent, form, mixed, parts.index(node))
        case ast.Assign(targets=[ast.Tuple(elts=names)]), ast.Tuple(elts=parts) if len(
            names
        ) == len(parts):
            return lift.bind(names[parts.index(node)], form, mixed)
        case ast.Call(), ast.List() if form == Form.NUMBER:
            if is_listed(lift, node, around):
                return OFF
            return passed(lift, parent, around, Form.NUMBERS, mixed)
        case ast.Assign(targets=[ast.Name() as target]), ast.Tuple(elts=parts):
            return _at(lift, target, parts.index(node), form, mixed)
    if isinstance(parent, ast.List) and form == Form.NUMBER:
        return lift.follow(parent, Form.NUMBERS)
    return OFF


def _at(lift: Lift, target: ast.Name, position: int, form: Form, mixed: bool) -> Way:
    """`state = (a, node)`: where this element of it is unpacked or read."""
    names = lift.uses.names
    ways: list[Way] = []
    for load in dict.fromkeys([*names.loads(target), *names.next_turn(target)]):
        match lift.facts.index.parents.get(load):
            case ast.Assign(targets=[ast.Tuple(elts=parts)]) if position < len(parts):
                ways.append(lift.bind(parts[position], form, True))
            case ast.Subscript(slice=ast.Constant(value=at)) as read if at == position:
                ways.append(lift.loads([read], form, lambda load: True))
    return lift.both(*ways)


def zipped(lift: Lift, node: ast.expr, call: ast.Call, form: Form) -> Way:
    """`for a, b in zip(x, node)`: what the loop calls the elements of a state. (Losses and their
    weights are zipped as well, and weights are numbers on purpose.)"""
    if not lift.facts.is_recurrent(lift.export.cut):
        return OFF
    loop = lift.facts.index.parents.get(call)
    around = lift.facts.index.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    target = getattr(loop, "target", None)
    at = call.args.index(node) if node in call.args else -1
    if getattr(loop, "iter", None) is not call or around is None or at < 0:
        return OFF
    names = target.elts if isinstance(target, ast.Tuple) else []
    return elements(lift, names[at], around, form) if at < len(names) else OFF


def in_dict(lift: Lift, holder: ast.expr, key: ast.expr, form: Form) -> Way:
    """`{"kl": node}`: what is read under this key, here or where it is returned to."""
    reads: list[ast.expr] = []
    parent = lift.facts.index.parents.get(holder)
    held = [holder] if not isinstance(parent, ast.Return) else []
    function = lift.facts.index.function_of(holder)
    if isinstance(parent, ast.Return) and function is not None:
        held = list(calls_of(function, lift.uses))
    for one in held:
        reads += _read_under(lift, one, key)
    lift.exact = False  # others may read the dict as a whole
    return lift.loads(dict.fromkeys(reads), form, lambda load: False)


def _read_under(lift: Lift, holder: ast.expr, key: ast.expr) -> list[ast.expr]:
    """`parts["kl"]` where `parts` is bound to the dict."""
    parent = lift.facts.index.parents.get(holder)
    if not isinstance(key, ast.Constant):
        return []
    loads: list[ast.expr] = [holder]
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
        loads = [*lift.uses.names.loads(target)] if isinstance(target, ast.Name) else []
    found: list[ast.expr] = []
    for load in loads:
        match lift.facts.index.parents.get(load):
            case ast.Subscript(slice=ast.Constant(value=value)) as read if value == key.value:
                found.append(read)
    return found


def is_listed(lift: Lift, node: ast.expr, around: ast.AST | None) -> bool:
    """`torch.tensor([node])` reads the tensor behind the export by itlift."""
    if node is not lift.export.whole or not isinstance(around, ast.Call):
        return False
    name = last_name(around.func)
    lift.listed = lift.listed or name in LISTED
    return name in LISTED


def elements(lift: Lift, target: ast.expr, loop: ast.AST, form: Form) -> Way:
    if not isinstance(target, ast.Name) or form == Form.NUMBER:
        return OFF
    flat = lift.facts.value(lift.export.source).rank == 1
    inner = Form.NUMBER if form == Form.NUMBERS or flat else Form.ARRAY
    loads = [
        n
        for n in ast.walk(loop)
        if isinstance(n, ast.Name) and n.id == target.id and isinstance(n.ctx, ast.Load)
    ]
    return lift.loads(loads, inner, lambda load: False)
